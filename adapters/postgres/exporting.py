"""Reads a view for readers, or the decoded log, from end to end: in batches, and in one snapshot.

However many rows there are, memory holds one batch: the server keeps the query's place, and the client asks for more
when it is ready.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal

from adapters.postgres.dictionary import EXPORTED, ReaderView, read_views

LOG = "events"
"""What the decoded log is called here; all other names are those of views without their schema."""
ROWS_MAX = 20_000
"""In one batch."""
DAY = "business_date"

_AS_TEXT = {"jsonb", "uuid"}
"""Types of columns that files have as text."""


class CannotExport(Exception):
    """Raised when what was asked for cannot be exported; the message says why, and what can."""


class Column(NamedTuple):
    """A column of the rows."""

    name: str
    type: str
    """In the words of PostgreSQL."""


class Export:
    """The rows of one view. Make it with `open_export`."""

    def __init__(self, connection: psycopg.Connection, view: ReaderView, first: date | None, last: date | None) -> None:
        self._connection = connection
        self.columns = [Column(each.name, "text" if each.type in _AS_TEXT else each.type) for each in view.columns]
        named = [_named(each.name, each.type) for each in view.columns]
        query = SQL("SELECT {} FROM {}").format(SQL(", ").join(named), Identifier(*view.name.split(".")))
        self._query = Composed([query, *_range(view, first, last)])

    def batches(self) -> Iterator[Sequence[tuple[Any, ...]]]:
        """The rows as Python values, at most ROWS_MAX at a time."""
        with self._connection.cursor("export", binary=True) as cursor:
            cursor.execute(self._query)
            while rows := cursor.fetchmany(ROWS_MAX):
                yield rows

    def csv(self) -> Iterator[bytes]:
        """The header and then each row as a line of CSV, as PostgreSQL writes it: null is nothing, a text is quoted."""
        statement = Composed([SQL("COPY ("), self._query, SQL(") TO STDOUT (FORMAT csv, HEADER)")])
        with self._connection.cursor().copy(statement) as copy:
            for line in copy:
                yield bytes(line)


def _named(name: str, kind: str) -> Composed:
    """A column in the list of what is selected."""
    return SQL("{}::text AS {}" if kind in _AS_TEXT else "{} AS {}").format(Identifier(name), Identifier(name))


@contextmanager
def open_export(dsn: str, name: str, first: date | None = None, last: date | None = None) -> Iterator[Export]:
    """The rows of a view by its name, or of the log; those of a range of business dates, if one is given.

    Raises CannotExport.
    """
    full_name = "ledger.event_log" if name == LOG else f"projections.{name}"
    if full_name not in EXPORTED:
        known = sorted(each.partition(".")[2] for each in EXPORTED if each.startswith("projections."))
        raise CannotExport(f"There is no view {name!r}. There are {LOG} and {', '.join(known)}.")
    views = {view.name: view for view in read_views(dsn)}
    if full_name not in views:
        raise CannotExport(f"The view {name!r} is not built yet: start the service, it builds all views.")
    with psycopg.connect(dsn, application_name="loyalty export", options="-c timezone=UTC") as connection:
        connection.read_only = True
        yield Export(connection, views[full_name], first, last)


def _range(view: ReaderView, first: date | None, last: date | None) -> Iterator[Composed | SQL]:
    """What follows on the table: the range, and for the log its order."""
    if first is not None or last is not None:
        if DAY not in {column.name for column in view.columns}:
            raise CannotExport(f"The rows of {view.name} have no business date: export all of them, without a range.")
        between = SQL(" WHERE {} BETWEEN {} AND {}")
        yield between.format(Identifier(DAY), Literal(first or date.min), Literal(last or date.max))
    if view.name == "ledger.event_log":
        yield SQL(" ORDER BY position")

"""The data dictionary: every SQL view for readers with its columns, as the catalogue of a database has them.

`python -m adapters.postgres.dictionary` (`make dictionary`) writes projections/DICTIONARY.md from a new database.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from adapters.postgres.embedded import temporary_server
from adapters.postgres.migrate import migrate
from adapters.postgres.projecting import ProjectionRunner
from projections import registry
from projections.dictionary import read_texts
from projections.projection import SCHEMA

FILE = Path(registry.__file__).with_name("DICTIONARY.md")
STATUS = "projections.status"
"""How the views are at this moment; for operators, so no file is made of it."""
EXPORTED = frozenset(
    text.name.replace("{schema}", SCHEMA)
    for projection in registry.PROJECTIONS
    for text in read_texts(projection.script.readers)
) | {"ledger.event_log"}
"""The views for readers that files are made of, with their schemas."""
NAMES = EXPORTED | {STATUS}
"""The views that there are for readers."""
POLL_SECONDS = 0.05
WAIT_SECONDS_MAX = 60.0

_HEAD = """# Data dictionary

What can be read in SQL, under names that stay: by everybody whom `loyalty sql` lets in, and, all but
projections.status, by `loyalty export`. Columns are added, never changed or taken away. `make dictionary` writes this
page; the same texts stand in the database, where psql shows them (`\\d+ projections.totals`).

Points and money are integers in minor units. Instants are time stamps with time zone; the year 9999 stands for
"never". Ids are as in the log: what is not `A-Z a-z 0-9 . _ ~ -` is percent-encoded.
"""

_COLUMNS = """
SELECT format('%I.%I', nspname, relname), obj_description(relation.oid, 'pg_class'), attname,
       format_type(atttypid, atttypmod), col_description(relation.oid, attnum)
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
JOIN pg_attribute ON attrelid = relation.oid
WHERE relkind = 'v' AND nspname IN ('ledger', 'projections') AND attnum > 0 AND NOT attisdropped
ORDER BY nspname DESC, relname, attnum
"""


class Column(NamedTuple):
    """A column of a view."""

    name: str
    type: str
    about: str


class ReaderView(NamedTuple):
    """A view for readers."""

    name: str
    """With its schema."""
    about: str
    columns: list[Column]


def read_views(dsn: str) -> list[ReaderView]:
    """The views for readers that a database has, those of the projections first."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(_COLUMNS).fetchall()
    views: dict[str, ReaderView] = {}
    for name, about, column, kind, text in rows:
        if name in NAMES:
            views.setdefault(name, ReaderView(name, about or "", [])).columns.append(Column(column, kind, text or ""))
    return list(views.values())


def render(views: Sequence[ReaderView]) -> str:
    """The page."""
    parts = [_HEAD]
    for view in views:
        rows = [f"| `{column.name}` | {column.type} | {column.about} |" for column in view.columns]
        head = ["| column | type | meaning |", "|---|---|---|"]
        parts.append("\n".join([f"## {view.name}", "", view.about, "", *head, *rows, ""]))
    return "\n".join(parts)


async def make_views(dsn: str) -> None:
    """Have all views in a database that is migrated. Raises TimeoutError where they do not come."""
    runner = ProjectionRunner(dsn)
    running = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while True:
                if {view.name for view in await asyncio.to_thread(read_views, dsn)} == NAMES:
                    return
                await asyncio.sleep(POLL_SECONDS)
    finally:
        runner.stop()
        await running


def main() -> None:
    """Write the page."""
    with temporary_server({"fsync": "off"}) as server:
        endpoint = server.endpoint()
        migrate(endpoint.owner_dsn, endpoint.app_dsn)
        asyncio.run(make_views(endpoint.app_dsn))
        FILE.write_text(render(read_views(endpoint.app_dsn)))


if __name__ == "__main__":
    main()

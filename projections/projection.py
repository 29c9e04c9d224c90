"""What a projection is: a name, a version, tables with the statements that load and write them, and a pure fold.

The tables and statements of a view stand in a file `view.sql` beside its fold, in blocks. A block begins with a line

    -- tables                                   DDL; `{lots}` is the table `lots` of a build
    -- readers                                  SQL views in `{schema}`, the live build; `dictionary.py` says more
    -- load <name>: <table> (<columns>)         SELECT of the rows of the keys in `{given}`
    -- insert <name>: <table>                   no statement: the rows are new, they are copied into the table
    -- update <name>: <table> (<columns>)       a statement that changes one row for each row of `{given}`, or it fails
    -- write <name>: <table> (<columns>)        a statement that merges the rows of `{given}` into tables

`{given}` has the named columns of the table, filled with what the fold asks for or what it yields under <name>. Writes
run in the order in which they stand there. Nothing here executes anything.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from ledger.events import TOPICS, Fact
from projections.dictionary import publish
from projections.recorded import Recorded, Undecodable

Row = tuple[Any, ...]
Keys = Mapping[str, Iterable[Row]]
"""The keys of the rows that a fold needs, by the name of the load."""
Rows = Mapping[str, Sequence[Row]]
"""The rows that were found for them."""
Changes = Mapping[str, Iterable[Row]]
"""What a fold yields: rows, by the name of the insert or write."""

SCHEMA = "projections"


class StepKind(StrEnum):
    """What a block's statement is for."""

    LOAD = "load"
    INSERT = "insert"
    UPDATE = "update"
    WRITE = "write"


class Step(msgspec.Struct, frozen=True):
    """One statement and what it is given."""

    kind: StepKind
    name: str
    table: str
    columns: tuple[str, ...]
    """What is given, as columns of the table; none: all of its columns."""
    statement: str


class Script(msgspec.Struct, frozen=True):
    """The contents of a `view.sql`."""

    tables: str
    readers: str
    steps: tuple[Step, ...]

    @property
    def table_names(self) -> list[str]:
        """The names of the tables, without schema and build."""
        return re.findall(r"CREATE TABLE \{(\w+)\}", self.tables)


class Projection(msgspec.Struct, frozen=True):
    """A view that follows the log."""

    name: str
    version: int
    script: Script
    events: frozenset[type[Fact]]
    """What the fold folds; it never sees anything else."""
    fold: Callable[[Rows, Sequence[Recorded]], Changes]
    """From the rows of the keys touched and the events of a batch to what changes; pure."""
    keys: Callable[[Sequence[Recorded]], Keys] | None = None
    """The rows that the fold needs for these events; None: it needs none, ever, so that it can run ahead."""
    by_stream: bool = True
    """Whether rows hang on the events of one stream each, so that streams can be folded apart, at the same time."""
    parks: bool = False
    """Whether an event that cannot be folded parks its key, with all that follows of it, instead of stopping all."""

    def select(self, events: Sequence[Recorded]) -> list[Recorded]:
        """The events that the fold folds, and those that it would fold if they could be decoded."""
        wanted = self.events | {Undecodable}
        return [
            recorded
            for recorded in events
            if (kind := type(recorded.event)) in wanted and (kind is not Undecodable or self._misses(recorded.event))
        ]

    def may_park(self, recorded: Recorded) -> bool:
        """Whether the key of an event that fails is parked; of a topic that nobody knows, nobody knows the key."""
        event = recorded.event
        return self.parks and not (isinstance(event, Undecodable) and not _kinds(event))

    def _misses(self, event: Any) -> bool:
        """Whether an event that cannot be decoded is one of ours; nobody may pass over a topic that nobody knows."""
        kinds = _kinds(event)
        return not kinds or not kinds.isdisjoint(self.events)


def _kinds(event: Undecodable) -> set[type[Fact]]:
    return {kind for kind, topic in TOPICS.items() if topic == event.topic}


class Build(msgspec.Struct, frozen=True):
    """A set of a projection's tables: its number tells it from the others of the projection."""

    projection: Projection
    number: int
    schema: str = SCHEMA

    def table(self, name: str) -> str:
        """The full name of one of its tables."""
        return f"{self.schema}.{self.projection.name}_b{self.number}_{name}"

    def render(self, statement: str, given: str = "") -> str:
        """A statement with the names of its tables in it."""
        known = {"given": given, "schema": self.schema}
        return re.sub(r"\{(\w+)\}", lambda m: known.get(m[1]) or self.table(m[1]), statement)

    def tables(self) -> list[str]:
        """The full names of its tables, in the order in which they are made."""
        return [self.table(name) for name in self.projection.script.table_names]


_HEADER = re.compile(
    r"^-- (?:(tables|readers)|(load|insert|update|write) (\w+): (\w+)(?: \(([\w, ]+)\))?)$\n", re.MULTILINE
)


def read_script(fold: str) -> Script:
    """The `view.sql` beside the module whose `__file__` is given."""
    text = Path(fold).with_name("view.sql").read_text()
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    whole: dict[str, str] = {}
    steps = []
    for header, end in zip(headers, ends, strict=True):
        block, kind, name, table, columns = header.groups(default="")
        body = text[header.end() : end].strip()
        if block:
            whole[block] = body
        else:
            steps.append(Step(StepKind(kind), name, table, tuple(re.findall(r"\w+", columns)), body))
    return Script(whole["tables"], publish(whole["readers"]), tuple(steps))

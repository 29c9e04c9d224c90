"""How PostgreSQL carries the statements of views out."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from adapters.postgres.projection_tables import SESSION
from projections.projection import Build, Projection, StepKind
from projections.registry import PROJECTIONS
from tests.conftest import Database

GIVEN = 20_000
_TYPES = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_no_statement_goes_through_what_it_is_given_more_than_once(database: Database, projection: Projection) -> None:
    """What is given leads, and finds its rows in a table by key: else a rebuild takes time by the square of a batch."""
    build = Build(projection, 1)
    with psycopg.connect(database.app_dsn, autocommit=True) as connection:
        connection.execute(build.render(projection.script.tables).encode())
        connection.execute(SESSION)
        for step in projection.script.steps:
            if step.kind is StepKind.INSERT:
                continue
            types: dict[str, str] = dict(connection.execute(_TYPES, (build.table(step.table),)).fetchall())
            columns = step.columns or tuple(types)
            arrays = ", ".join(f"array_fill(NULL::{types[column]}, ARRAY[{GIVEN}])" for column in columns)
            given = f"(SELECT * FROM unnest({arrays}) AS rows ({', '.join(columns)}))"
            explain = f"EXPLAIN (FORMAT json) {build.render(step.statement, given)}"
            row = connection.execute(explain.encode()).fetchone()
            assert row is not None
            (found,) = row[0]
            scans = [node for node in nodes(found["Plan"]) if node["Node Type"] == "Function Scan"]
            loops = [node for node in nodes(found["Plan"]) if node["Node Type"] == "Nested Loop"]
            assert len(scans) == 1, (step.name, found)
            for loop in loops:
                outer, inner = loop["Plans"]
                assert scans[0] in nodes(outer), (step.name, loop)
                assert scans[0] not in nodes(inner), (step.name, loop)

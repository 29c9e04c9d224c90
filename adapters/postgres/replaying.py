"""Where a replay ends, and where it goes: a position, by number or by time; and a schema of its own."""

import re
from datetime import datetime

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from adapters.postgres.connect import connect_async
from projections.dictionary import READER
from projections.operations import WrongState

_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TAKEN = {"ledger", "projections", "public"}
_HEAD = "SELECT position FROM ledger.shards WHERE shard = 1"
_IS_LATER = "SELECT recorded_at > %s FROM ledger.events WHERE position = %s"


async def position_at(dsn: str, to: str) -> int:
    """The position that is meant by its number, or the last one recorded by a time in ISO form with its offset.

    Raises WrongState for what is neither, or not in the log yet.
    """
    async with await connect_async(dsn, "loyalty replay") as connection:
        row = await (await connection.execute(_HEAD)).fetchone()
        head = int(row[0]) if row else 0
        if to.isdecimal():
            if not 1 <= int(to) <= head:
                raise WrongState(f"the log has the positions 1 to {head:,}, not {int(to):,}")
            return int(to)
        time = _time(to)
        # recorded_at never decreases with position, so halves find it without an index.
        low, high = 0, head
        while low < high:
            middle = (low + high + 1) // 2
            later = await (await connection.execute(_IS_LATER, (time, middle))).fetchone()
            low, high = (low, middle - 1) if later and later[0] else (middle, high)
    if low == 0:
        raise WrongState(f"nothing was recorded by {to}")
    return low


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise WrongState(f"{text} is neither a position nor a time such as 2026-03-31T23:59:59+08:00") from None
    if time.tzinfo is None:
        raise WrongState(f"{text} needs an offset, such as {text}+00:00")
    return time


def make_schema(owner_dsn: str, app_dsn: str, schema: str) -> None:
    """Make a schema that the application may fill and the role READER read, unless there is one.

    Raises WrongState for one that has a use.
    """
    if schema in _TAKEN or schema.startswith("pg_") or not _SCHEMA.fullmatch(schema):
        raise WrongState(f"{schema} cannot be the schema of a replay: choose another name, of a-z, 0-9 and _")
    with psycopg.connect(owner_dsn) as connection:
        name, app = Identifier(schema), Identifier(str(conninfo_to_dict(app_dsn)["user"]))
        connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        connection.execute(SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(name, app))
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (READER,)).fetchone() is not None:
            connection.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}").format(name, Identifier(READER)))

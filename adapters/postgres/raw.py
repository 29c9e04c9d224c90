"""Reading the log fast: time stamps and dates as PostgreSQL counts them, turned into ours where they are used."""

from datetime import date
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.types.numeric import Int4BinaryLoader, Int8BinaryLoader

_Y2K_DAY = date(2000, 1, 1).toordinal()


def raw_cursor(connection: AsyncConnection) -> AsyncCursor[Any]:
    """A binary cursor whose time stamps are microseconds, and whose dates are days, since the year 2000."""
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_loader("timestamptz", Int8BinaryLoader)
    cursor.adapters.register_loader("date", Int4BinaryLoader)
    return cursor


@lru_cache(maxsize=4096)
def raw_date(days: int) -> date:
    """The date of so many days since the year 2000."""
    return date.fromordinal(days + _Y2K_DAY)

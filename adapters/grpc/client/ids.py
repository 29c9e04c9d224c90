"""Command ids: UUIDs of version 7 (RFC 9562), which grow with time, so that the ledger's index of them stays small."""

import time
from random import getrandbits
from uuid import UUID

_last = 0


def uuid7() -> UUID:
    """A new id, greater than every earlier one of this process.

    Its time has 12 bits below the millisecond (RFC 9562, 6.2, method 3), counted on where the clock stands still.
    """
    return UUID(int=_next())


def uuid7_text() -> str:
    """A new id in its form of 36 characters, in a third of the time that a UUID object takes."""
    digits = f"{_next():032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _next() -> int:
    global _last  # noqa: PLW0603 - ids of one process share one clock
    _last = ticks = max(time.time_ns() * 4096 // 1_000_000, _last + 1)
    return (ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | getrandbits(62)

"""Ends the calls that would otherwise never end, so that a server can stop without cutting off the others."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

_T = TypeVar("_T")


class Closed(Exception):
    """Raised in an endless call when the server begins to stop."""


class Closing:
    """Whether the server is about to stop; endless calls wait for that beside what they wait for."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def begin(self) -> None:
        """Every `race` that is under way, or that begins later, raises Closed."""
        self._event.set()

    async def race(self, awaitable: Awaitable[_T]) -> _T:
        """The result of `awaitable`, unless the server begins to stop first. Raises Closed."""
        work = asyncio.ensure_future(awaitable)
        stop = asyncio.ensure_future(self._event.wait())
        try:
            await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise Closed
        finally:
            stop.cancel()
            work.cancel()

"""How fast builds come along, and the way of one build to its end, as those who wait for it see it."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import NamedTuple

import msgspec

from projections.operations import BuildStatus, Operations, State
from projections.queries import NotFound

LOOK_SECONDS = 0.5
PACE_SECONDS = 10.0
"""The rate is that of so many seconds past."""
_ENDS = {State.RUNNING, State.READY, State.REPLAYED, State.STOPPED, State.CANCELLED}


class Pace:
    """Events a second, from positions seen one after another."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, position: int, now: float) -> None:
        """Note where something was at a time, in seconds of any clock that only goes forward."""
        self._seen.append((now, position))
        while len(self._seen) > 2 and self._seen[0][0] < now - PACE_SECONDS:
            self._seen.popleft()

    @property
    def events_per_second(self) -> int:
        """0 until it was seen twice."""
        (begin, first), (end, last) = (self._seen[0], self._seen[-1]) if self._seen else ((0, 0), (0, 0))
        return int((last - first) / (end - begin)) if end > begin else 0


class Progress(NamedTuple):
    """How far a build is on its way to take over."""

    status: BuildStatus
    events_per_second: int
    seconds_left: int | None
    """Until it is at the end of the log as it is now, at this rate; None: that cannot be told."""


async def watch(operations: Operations, name: str, build: int) -> AsyncGenerator[Progress]:
    """Look at a build now and then until it is live, replayed, ready, stopped or given up: that is the last look."""
    pace = Pace()
    last: BuildStatus | None = None
    while last is None or last.state not in _ENDS:
        if last is not None:
            await asyncio.sleep(LOOK_SECONDS)
        found = [status for status in await operations.statuses() if (status.name, status.build) == (name, build)]
        if found:
            last = found[0]
        elif last is None:
            raise NotFound("build", f"{name} {build}")
        else:
            last = msgspec.structs.replace(last, state=State.CANCELLED)
        pace.see(last.position, time.monotonic())
        rate = pace.events_per_second
        yield Progress(last, rate, last.lag_events // rate if rate else None)


async def until_replayed(operations: Operations, name: str) -> None:
    """Wait until the parked events of a projection are folded, or have failed again."""
    while True:
        if not await operations.replaying_parked(name):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def paces(operations: Operations, seconds: float) -> list[tuple[BuildStatus, int]]:
    """Where all builds stand, each with its rate, which takes two looks."""
    before = {(status.name, status.build): status.position for status in await operations.statuses()}
    begin = time.monotonic()
    await asyncio.sleep(seconds)
    statuses = await operations.statuses()
    passed = time.monotonic() - begin
    return [
        (status, round((status.position - before.get((status.name, status.build), status.position)) / passed))
        for status in statuses
    ]

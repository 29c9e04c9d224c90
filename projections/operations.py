"""What operators see and do: where every build of every view stands, and how views are built anew.

What is asked for is written down in the database; the process that leads the projection does it, also after a restart.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec


class State(StrEnum):
    """What becomes of a build."""

    RUNNING = "RUNNING"
    """Live: it is what readers see, and follows the log."""
    BUILDING = "BUILDING"
    """On its way to the end of the log, to take over there."""
    PAUSED = "PAUSED"
    """On its way, but told to wait."""
    READY = "READY"
    """Kept up to the log, but it differs from the live one: it takes over when told to."""
    RETIRED = "RETIRED"
    """It was live, and is kept to go back to."""
    REPLAYED = "REPLAYED"
    """In a schema of its own, as of a position: nothing more will happen to it."""
    STOPPED = "STOPPED"
    """Running or building, but at an event that it cannot fold."""
    CANCELLED = "CANCELLED"
    """Given up while somebody waited for it: it is no more."""


class BuildStatus(msgspec.Struct, frozen=True, gc=False):
    """Where a build stands."""

    name: str
    build: int
    version: int
    """Of the fold that fills it."""
    schema: str
    live: bool
    """Whether it is what readers see."""
    state: State
    position: int
    """Events up to here are folded; while it is loaded, on average over the parts of the streams."""
    lag_events: int
    lag_seconds: float
    """For how long the first event that is not folded yet has been waiting."""
    idle_seconds: float
    """For how long the position has not moved."""
    parked_keys: int
    """How many keys wait for their events to be folded."""
    loading: bool
    """Whether processes load it, each its part of the streams; then it follows the log as others do."""
    differences: int | None
    """In how many rows it differed from the live one; None: it was not compared."""
    failed_position: int | None
    """The event that it cannot fold, if it is stopped."""
    reason: str | None


class Difference(msgspec.Struct, frozen=True, gc=False):
    """A row in which a build differs from the live one."""

    table: str
    live: dict[str, Any] | None
    """The row as readers see it; None: it is not there."""
    rebuilt: dict[str, Any] | None


class ParkedKey(msgspec.Struct, frozen=True, gc=False):
    """A key whose events wait since one of them could not be folded."""

    name: str
    build: int
    key: str
    """`<programme>/<subject>`: whose events they are."""
    position: int
    """The event that could not be folded."""
    events: int
    """How many wait, that one included."""
    reason: str


class WrongState(Exception):
    """Raised when something is asked of a projection that cannot be done as it stands; the message says why."""


class Operations(Protocol):
    """What can be asked of projections. A projection or build that does not exist raises `NotFound`."""

    async def statuses(self) -> Sequence[BuildStatus]:
        """All builds, by name and number."""

    async def parked(self) -> Sequence[ParkedKey]:
        """All keys that are parked."""

    async def rebuild(self, name: str, rate_max: int | None = None) -> int:
        """Begin to build a view anew beside the live one; returns the number of the build. Raises WrongState."""

    async def differences(self, name: str, build: int) -> Sequence[Difference]:
        """The first rows in which a build differed from the live one."""

    async def replay(self, name: str, upto: int, schema: str) -> int:
        """Begin to build a view as of a position, in a schema that exists; returns the number of the build.

        Raises WrongState.
        """

    async def pause(self, name: str) -> None:
        """Let the build of a view wait. Raises WrongState."""

    async def resume(self, name: str) -> None:
        """Let it go on. Raises WrongState."""

    async def cancel(self, name: str) -> None:
        """Give the build up and drop its tables. Raises WrongState."""

    async def swap(self, name: str) -> None:
        """Let a build take over although it differs from the live one. Raises WrongState."""

    async def rollback(self, name: str) -> int:
        """Go back to the build that was live before, once it has caught up; returns its number. Raises WrongState."""

    async def drop(self, name: str, build: int) -> None:
        """Drop a build that nobody reads any more. Raises WrongState."""

    async def replay_parked(self, name: str) -> None:
        """Fold the events of parked keys, after what was wrong is repaired. Raises WrongState."""

    async def replaying_parked(self, name: str) -> bool:
        """Whether that is still to be done."""

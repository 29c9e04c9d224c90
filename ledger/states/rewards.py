"""Rewards and redemptions: what is offered, and what became of what was asked for."""

from enum import Enum, auto

from ledger import events as e
from ledger.calendar import Instant
from ledger.events import Fact


class Reward:
    """A reward's definitions, by the time from which each holds."""

    __slots__ = ("definitions", "version")

    def __init__(self) -> None:
        self.version = 0
        self.definitions: tuple[e.RewardDefined, ...] = ()

    @property
    def weight(self) -> int:
        """About how many bytes the state takes."""
        return 300 + 600 * len(self.definitions)

    def at(self, at: Instant) -> e.RewardDefined | None:
        """The definition in force at an instant: the last one made for that time or earlier."""
        for definition in reversed(self.definitions):
            if definition.valid_from <= at:
                return definition
        return None

    def clone(self) -> "Reward":
        """A copy that changes by itself."""
        copy = Reward()
        copy.version, copy.definitions = self.version, self.definitions
        return copy

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        self.version += 1
        if isinstance(event, e.RewardDefined):
            self.definitions = tuple(sorted((*self.definitions, event), key=lambda definition: definition.valid_from))


class Stage(Enum):
    """The life of a redemption: placed, then fulfilled or cancelled."""

    ABSENT = auto()
    PLACED = auto()
    FULFILLED = auto()
    CANCELLED = auto()


class Redemption:
    """A redemption and where it stands."""

    __slots__ = ("placed", "stage", "version")

    weight = 1_500

    def __init__(self) -> None:
        self.version = 0
        self.stage = Stage.ABSENT
        self.placed: e.RedemptionPlaced | None = None

    def clone(self) -> "Redemption":
        """A copy that changes by itself."""
        copy = Redemption()
        copy.version, copy.stage, copy.placed = self.version, self.stage, self.placed
        return copy

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        self.version += 1
        if isinstance(event, e.RedemptionPlaced):
            self.stage, self.placed = Stage.PLACED, event
        elif isinstance(event, e.RedemptionFulfilled):
            self.stage = Stage.FULFILLED
        elif isinstance(event, e.RedemptionCancelled):
            self.stage = Stage.CANCELLED

"""Rewards and redemptions: what is offered, and what became of what was asked for."""

from enum import Enum, auto

from ledger import events as e
from ledger.calendar import EARLIEST, Instant
from ledger.events import CancelReason, Fact, Tender
from ledger.quantities import split


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
    """What became of a redemption's units so far."""

    ABSENT = auto()
    PLACED = auto()
    """Some units are open, none was fulfilled."""
    FULFILLED = auto()
    """Some units were fulfilled; others may be open, or were given back."""
    CANCELLED = auto()
    """No unit is open, none was fulfilled, and the last ones were given back by request."""
    TIMED_OUT = auto()
    """No unit is open, none was fulfilled, and the last ones were given back by the clock."""


class Redemption:
    """A redemption: where it stands, and what of it is still open."""

    __slots__ = ("open", "paid", "placed", "placed_at", "stage", "version")

    weight = 1_600

    def __init__(self) -> None:
        self.version = 0
        self.stage = Stage.ABSENT
        self.placed: e.RedemptionPlaced | None = None
        self.placed_at: Instant = EARLIEST
        self.open = 0
        """Units that were neither fulfilled nor given back."""
        self.paid: tuple[int, ...] = ()
        """What of each tender paid for the open units, in minor units of money."""

    def tenders_of(self, quantity: int) -> tuple[Tender, ...]:
        """The tenders' parts for so many of the open units, by largest remainder; taken in turn, all that was paid."""
        assert self.placed is not None, "only what was placed was paid for"
        shares = split(self.placed.price.cash * quantity, self.paid)
        return tuple(Tender(tender.type, share) for tender, share in zip(self.placed.tenders, shares, strict=True))

    def clone(self) -> "Redemption":
        """A copy that changes by itself."""
        copy = Redemption()
        copy.version, copy.stage, copy.placed, copy.placed_at = self.version, self.stage, self.placed, self.placed_at
        copy.open, copy.paid = self.open, self.paid
        return copy

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        self.version += 1
        if isinstance(event, e.RedemptionPlaced):
            self.stage, self.placed, self.placed_at = Stage.PLACED, event, at
            self.open, self.paid = event.quantity, tuple(tender.amount for tender in event.tenders)
        elif isinstance(event, e.RedemptionFulfilled):
            self._close(event)
            self.stage = Stage.FULFILLED
        elif isinstance(event, e.RedemptionCancelled):
            self._close(event)
            if not self.open and self.stage is Stage.PLACED:
                self.stage = _GIVEN_BACK[event.reason]

    def _close(self, event: e.RedemptionFulfilled | e.RedemptionCancelled) -> None:
        self.open = event.left
        self.paid = tuple(paid - tender.amount for paid, tender in zip(self.paid, event.tenders, strict=True))


_GIVEN_BACK = {CancelReason.REQUESTED: Stage.CANCELLED, CancelReason.TIMED_OUT: Stage.TIMED_OUT}

"""What is taken back, put back, owed and reversed."""

from ledger.events.parts import Taken
from ledger.facts import Fact


class PointsClawedBack(Fact, frozen=True):
    """Granted points were taken back: those of the grant = lots + debt + waived + deducted."""

    unit: str
    grant: Taken
    """The grant, and how many of its points were to be taken back."""
    lots: tuple[Taken, ...]
    """The lots that gave, the grant's own first; the points of others count as spent in their own cohorts."""
    debt: int = 0
    """What the member owes from now on."""
    waived: int = 0
    """What the programme's policy does not take."""
    deducted: int = 0
    """What was paid back in money instead, out of the refund."""
    order: str = ""
    refund: str = ""
    reverses: str = ""
    """The command id that this reverses."""
    reason: str = ""
    approver: str = ""


class PointsReinstated(Fact, frozen=True):
    """Points went back to the lots that gave them, with their original expiry."""

    unit: str
    lots: tuple[Taken, ...]
    debt: int = 0
    """Debt that is owed no longer."""
    grant: Taken | None = None
    """The grant whose taking back is undone, and how many of its points."""
    order: str = ""
    refund: str = ""
    reverses: str = ""


class PointsForfeited(Fact, frozen=True):
    """Points were taken away by an adjustment that names no grant."""

    unit: str
    lots: tuple[Taken, ...]
    reason: str
    approver: str = ""
    reverses: str = ""


class DebtRepaid(Fact, frozen=True):
    """Points that had just come were taken for what the member owed."""

    unit: str
    lots: tuple[Taken, ...]


class CommandReversed(Fact, frozen=True):
    """Points that an earlier command moved were moved back."""

    target: str
    """The command's id, as hexadecimal digits."""
    points: int
    reason: str


class CommandReinstated(Fact, frozen=True):
    """A reversal of this command was itself reversed: so many of its points count again."""

    target: str
    points: int
    reason: str

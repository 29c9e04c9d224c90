"""What happens to a member."""

from ledger.facts import Fact


class MemberEnrolled(Fact, frozen=True):
    """A member joined the programme."""

    member: str


class MemberFrozen(Fact, frozen=True):
    """A member may not spend until further notice; what is earned from now on is quarantined."""

    reason: str
    last_lot: int
    """The number of the member's last lot: those with higher numbers are quarantined."""
    case: str = ""


class MemberUnfrozen(Fact, frozen=True):
    """A member may spend again, what was quarantined included."""

    reason: str
    case: str = ""


class MemberClosed(Fact, frozen=True):
    """A member left for ever; the points that were left have expired."""

    reason: str
    case: str = ""

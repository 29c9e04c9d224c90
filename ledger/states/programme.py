"""A programme: its policy and, where it is manual, its clock."""

from ledger import events as e
from ledger.calendar import EARLIEST, Instant
from ledger.events import Fact
from ledger.policy import Policy


class Programme:
    """What is known of a programme; without a policy it was never opened."""

    __slots__ = ("clock", "policy", "version")

    weight = 20_000

    def __init__(self) -> None:
        self.version = 0
        self.policy: Policy | None = None
        self.clock: Instant = EARLIEST
        """The manual clock; unused where the wall clock counts."""

    def now(self, wall: Instant) -> Instant:
        """The programme's present instant."""
        return self.clock if self.policy is not None and self.policy.manual else wall

    def clone(self) -> "Programme":
        """A copy that changes by itself."""
        copy = Programme()
        copy.version, copy.policy, copy.clock = self.version, self.policy, self.clock
        return copy

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        self.version += 1
        if isinstance(event, e.ProgrammeOpened):
            self.policy = Policy(event.settings, self.version)
            self.clock = at
        elif isinstance(event, e.ClockAdvanced):
            self.clock = event.now

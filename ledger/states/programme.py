"""A programme: its policies, by the time from which each holds, and, where it is manual, its clock."""

from ledger import events as e
from ledger.calendar import EARLIEST, Instant
from ledger.events import Fact
from ledger.policy import Policy


class Programme:
    """What is known of a programme; without a policy it was never opened."""

    __slots__ = ("_earlier", "clock", "policy", "since", "version")

    def __init__(self) -> None:
        self.version = 0
        self.policy: Policy | None = None
        """The newest settings, in force from `since` on."""
        self.since: Instant = EARLIEST
        self._earlier: tuple[tuple[Instant, Policy], ...] = ()
        """What was in force before, the newest last; the first of all goes for whatever lies before it, too."""
        self.clock: Instant = EARLIEST
        """The manual clock; unused where the wall clock counts."""

    @property
    def weight(self) -> int:
        """About how many bytes the state takes."""
        return 20_000 * (1 + len(self._earlier))

    def now(self, wall: Instant) -> Instant:
        """The programme's present instant."""
        return self.clock if self.policy is not None and self.policy.manual else wall

    def policy_at(self, at: Instant) -> Policy:
        """The settings in force at an instant. Nearly always they are the newest."""
        assert self.policy is not None, "the programme was never opened"
        if at >= self.since or not self._earlier:
            return self.policy
        for since, policy in reversed(self._earlier):
            if at >= since:
                return policy
        return self._earlier[0][1]

    def clone(self) -> "Programme":
        """A copy that changes by itself."""
        copy = Programme()
        copy.version, copy.policy, copy.since = self.version, self.policy, self.since
        copy._earlier, copy.clock = self._earlier, self.clock
        return copy

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        self.version += 1
        if isinstance(event, e.ProgrammeOpened):
            self.policy = Policy(event.settings, 1)
            self.clock = self.since = at
        elif isinstance(event, e.ProgrammeChanged):
            assert self.policy is not None, "a programme changed before it was opened"
            self._earlier = (*self._earlier, (self.since, self.policy))
            self.policy = Policy(event.settings, event.version, self.policy.calendar)
            self.since = event.valid_from
        elif isinstance(event, e.ClockAdvanced):
            self.clock = event.now

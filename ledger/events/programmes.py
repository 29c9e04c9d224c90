"""What happens to a programme."""

from ledger.calendar import Instant
from ledger.facts import Fact
from ledger.settings import Settings


class ProgrammeOpened(Fact, frozen=True):
    """A loyalty scheme began."""

    settings: Settings


class ProgrammeChanged(Fact, frozen=True):
    """New settings go from `valid_from` on; lots that exist keep what they were given."""

    settings: Settings
    valid_from: Instant
    version: int
    """The number of these settings, counted from 1."""


class ClockAdvanced(Fact, frozen=True):
    """A manual clock moved forward."""

    now: Instant

"""Programmes and members: opening, the manual clock, enrolment."""

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Calendar, Instant
from ledger.decisions.checks import Decision, check_fraction
from ledger.errors import InvalidCommand
from ledger.policy import Policy
from ledger.quantities import VALUE_MAX
from ledger.refusals import Reason, refuse
from ledger.states.lookup import States

SECONDS_MAX = 10 * 366 * 86_400
DIGITS_MAX = 6


def decide_open(states: States, command: c.OpenProgramme) -> Decision:
    """Begin a programme; everything else needs one."""
    check_settings(command.settings)
    return [(states.programme_stream(), e.ProgrammeOpened(command.settings))]


def check_settings(settings: e.Settings) -> None:
    """Raises InvalidCommand naming the first setting that makes no sense."""
    try:
        Calendar(settings.zone)
    except ValueError as error:
        raise InvalidCommand("settings.zone", str(error)) from None
    names = [unit.name for unit in settings.units]
    if not names or len(set(names)) != len(names):
        raise InvalidCommand("settings.units", "must name at least one unit, each once")
    for place, unit in enumerate(settings.units):
        if not unit.name or not 0 <= unit.digits <= DIGITS_MAX:
            raise InvalidCommand(f"settings.units[{place}]", f"needs a name and 0 to {DIGITS_MAX} digits")
    if settings.earning_unit not in names:
        raise InvalidCommand("settings.earning_unit", f"{settings.earning_unit!r} is not among the units")
    if not settings.currency or not 0 <= settings.currency_digits <= DIGITS_MAX:
        raise InvalidCommand("settings.currency", f"needs a code and 0 to {DIGITS_MAX} digits")
    check_fraction("settings.earning_rate", settings.earning_rate)
    check_fraction("settings.point_value", settings.point_value)
    for field, value, least, most in (
        ("lot_months", settings.lot_months, 0, 1200),
        ("pending_days", settings.pending_days, 0, 3660),
        ("hold_seconds", settings.hold_seconds, 1, SECONDS_MAX),
        ("backdating_seconds", settings.backdating_seconds, 0, SECONDS_MAX),
        ("debt_limit", settings.debt_limit or 0, 0, VALUE_MAX),
    ):
        if not least <= value <= most:
            raise InvalidCommand(f"settings.{field}", f"must be from {least} to {most}, not {value}")
    # 28 days: no month is shorter. Points that end before they can be spent would be a trap.
    if settings.lot_months and settings.pending_days >= 28 * settings.lot_months:
        raise InvalidCommand("settings.pending_days", "must be shorter than the life of a lot")


def decide_advance(states: States, policy: Policy, command: c.AdvanceClock, at: Instant) -> Decision:
    """Move a manual clock forward."""
    if policy.settings.clock is not e.ClockKind.MANUAL:
        return refuse(Reason.CLOCK_NOT_MANUAL, programme=states.name)
    clock = states.programme().clock
    if command.now < clock:
        return refuse(Reason.CLOCK_MOVED_BACK, clock=clock, wanted=command.now)
    return [(states.programme_stream(), e.ClockAdvanced(command.now))]


def decide_enrol(states: States, policy: Policy, command: c.EnrolMember, at: Instant) -> Decision:
    """Take a member in."""
    if states.member(command.member).version:
        return refuse(Reason.MEMBER_EXISTS, member=command.member)
    return [(states.member_stream(command.member), e.MemberEnrolled(command.member))]

"""Programmes: opening, settings that change, the manual clock."""

from calendar import monthrange

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Calendar, Instant
from ledger.decisions.checks import Decision, check_fraction
from ledger.errors import InvalidCommand
from ledger.policy import Policy, expiry_of
from ledger.quantities import VALUE_MAX
from ledger.refusals import Reason, refuse
from ledger.settings import ClockKind, Expiry, FixedDate, Inactivity, LotAge, Settings
from ledger.states.lookup import States

SECONDS_MAX = 10 * 366 * 86_400
COUNTED_SECONDS_MAX = 366 * 86_400
"""How far back a command may be dated where it is counted what was sent in a day."""
MONTHS_MAX = 1_200
LEAP_YEAR = 2024
DIGITS_MAX = 6


def decide_open(states: States, command: c.OpenProgramme) -> Decision:
    """Begin a programme; everything else needs one."""
    check_settings(command.settings)
    return [(states.programme_stream(), e.ProgrammeOpened(command.settings))]


def decide_change(states: States, policy: Policy, command: c.ChangeProgramme, at: Instant) -> Decision:
    """Put new settings in force, now or later; the last change for a time replaces the others for that time."""
    check_settings(command.settings)
    programme = states.programme()
    newest = programme.policy
    assert newest is not None, "a programme without settings was changed"
    _check_unchanged(newest.settings, command.settings)
    valid_from = at if command.valid_from is None else command.valid_from
    if valid_from < at:
        raise InvalidCommand("valid_from", "must not be before occurred_at")
    if valid_from < programme.since:
        return refuse(Reason.LATER_CHANGE_EXISTS, programme=states.name, valid_from=programme.since)
    changed = e.ProgrammeChanged(command.settings, valid_from, newest.version + 1)
    return [(states.programme_stream(), changed)]


def _check_unchanged(known: Settings, wanted: Settings) -> None:
    """Raises InvalidCommand for a change of what amounts and days on record depend on. Units may be added."""
    for field in ("zone", "clock", "currency", "currency_digits"):
        if getattr(known, field) != getattr(wanted, field):
            raise InvalidCommand(f"settings.{field}", "cannot change")
    for place, unit in enumerate(known.units):
        kept = wanted.units[place] if place < len(wanted.units) else None
        if kept is None or (kept.name, kept.digits) != (unit.name, unit.digits):
            raise InvalidCommand(f"settings.units[{place}]", f"must stay {unit.name!r} with {unit.digits} digits")


def check_settings(settings: Settings) -> None:
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
        ("lot_months", settings.lot_months, 0, MONTHS_MAX),
        ("pending_days", settings.pending_days, 0, 3660),
        ("hold_seconds", settings.hold_seconds, 1, SECONDS_MAX),
        ("backdating_seconds", settings.backdating_seconds, 0, SECONDS_MAX),
        ("debt_limit", settings.debt_limit or 0, 0, VALUE_MAX),
        ("refund_grace_days", settings.refund_grace_days, 0, 3660),
    ):
        if not least <= value <= most:
            raise InvalidCommand(f"settings.{field}", f"must be from {least} to {most}, not {value}")
    _check_expiries(settings)
    _check_transfer_caps(settings)


def _check_expiries(settings: Settings) -> None:
    if settings.lot_months and settings.expiry is not None:
        raise InvalidCommand("settings.lot_months", "is short for an expiry by age: say it in one place")
    if settings.expiry is not None:
        _check_expiry("settings.expiry", settings.expiry)
    for place, unit in enumerate(settings.units):
        if unit.expiry is not None:
            _check_expiry(f"settings.units[{place}].expiry", unit.expiry)
        least = getattr(expiry_of(settings, unit), "months", None)
        # 28 days: no month is shorter. Points that end before they can be spent would be a trap.
        if settings.pending_days and least is not None and settings.pending_days >= 28 * least:
            raise InvalidCommand("settings.pending_days", "must be shorter than the life of a lot")


def _check_expiry(field: str, expiry: Expiry) -> None:
    match expiry:
        case LotAge():
            _check_months(f"{field}.lot_age", expiry.months, 1)
        case Inactivity():
            _check_months(f"{field}.inactivity", expiry.months, 1)
            if not expiry.activities or len(set(expiry.activities)) < len(expiry.activities):
                raise InvalidCommand(f"{field}.inactivity.activities", "must name at least one activity, each once")
        case FixedDate():
            _check_months(f"{field}.fixed_date", expiry.months, 0)
            if not 1 <= expiry.month <= 12:
                raise InvalidCommand(f"{field}.fixed_date.month", f"must be from 1 to 12, not {expiry.month}")
            if not 1 <= expiry.day <= monthrange(LEAP_YEAR, expiry.month)[1]:
                raise InvalidCommand(f"{field}.fixed_date.day", f"is no day of month {expiry.month}: {expiry.day}")


def _check_months(field: str, months: int, least: int) -> None:
    if not least <= months <= MONTHS_MAX:
        raise InvalidCommand(f"{field}.months", f"must be from {least} to {MONTHS_MAX}, not {months}")


def _check_transfer_caps(settings: Settings) -> None:
    capped = [cap.unit for cap in settings.transfer_caps]
    names = {unit.name for unit in settings.units}
    for place, cap in enumerate(settings.transfer_caps):
        field = f"settings.transfer_caps[{place}]"
        if cap.unit not in names or capped.index(cap.unit) < place:
            raise InvalidCommand(f"{field}.unit", f"{cap.unit!r} is not among the units, or is named twice")
        if not 0 <= cap.value <= VALUE_MAX:
            raise InvalidCommand(f"{field}.value", f"must be from 0 to {VALUE_MAX}, not {cap.value}")
    if capped and settings.backdating_seconds > COUNTED_SECONDS_MAX:
        raise InvalidCommand(
            "settings.backdating_seconds",
            f"must be at most {COUNTED_SECONDS_MAX} where transfers are limited: what was sent is counted for so long",
        )


def decide_advance(states: States, policy: Policy, command: c.AdvanceClock, at: Instant) -> Decision:
    """Move a manual clock forward."""
    if policy.settings.clock is not ClockKind.MANUAL:
        return refuse(Reason.CLOCK_NOT_MANUAL, programme=states.name)
    clock = states.programme().clock
    if command.now < clock:
        return refuse(Reason.CLOCK_MOVED_BACK, clock=clock, wanted=command.now)
    return [(states.programme_stream(), e.ClockAdvanced(command.now))]

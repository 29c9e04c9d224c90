"""What decisions have in common: checks of a command's fields, and the form of an answer."""

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TypeVar

from ledger.calendar import SECOND, Instant
from ledger.errors import InvalidCommand
from ledger.events import Fact
from ledger.policy import Policy
from ledger.quantities import VALUE_MAX, Amount
from ledger.refusals import Reason, Refusal, refuse
from ledger.states.lookup import States
from ledger.states.member import Member

Events = list[tuple[str, Fact]]
"""Events with their streams, in the order in which they are recorded."""

Decision = Events | Refusal

QUANTITY_MAX = 10**9
LOTS_MAX = 1_000
"""The lots that one event names at most, where it may be divided."""

_Item = TypeVar("_Item")
_FRACTION = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18}|/0*[1-9][0-9]{0,17})?")


def check_points(field: str, amount: Amount, policy: Policy) -> None:
    """Points of a command: positive, within bounds, in a unit of the programme. Raises InvalidCommand."""
    if amount.unit not in policy.digits:
        raise InvalidCommand(f"{field}.unit", f"{amount.unit!r} is not a point unit of this programme")
    if not 0 < amount.value <= VALUE_MAX:
        raise InvalidCommand(f"{field}.value", f"must be from 1 to {VALUE_MAX}, not {amount.value}")


def check_positive(field: str, value: int, most: int = QUANTITY_MAX) -> None:
    """A number from 1 to `most`. Raises InvalidCommand."""
    if not 0 < value <= most:
        raise InvalidCommand(field, f"must be from 1 to {most}, not {value}")


def check_money(field: str, value: int) -> None:
    """Minor units of money, not negative. Raises InvalidCommand."""
    if not 0 <= value <= VALUE_MAX:
        raise InvalidCommand(field, f"must be from 0 to {VALUE_MAX}, not {value}")


def check_text(field: str, text: str) -> None:
    """A text that must be there. Raises InvalidCommand."""
    if not text:
        raise InvalidCommand(field, "is missing")


def check_fraction(field: str, text: str) -> Fraction:
    """An exact, non-negative fraction such as `1/100` or `0.01`. Raises InvalidCommand."""
    if _FRACTION.fullmatch(text) is None:
        raise InvalidCommand(field, f"{text[:40]!r} is not a fraction such as 1/100 or 0.01")
    return Fraction(text)


def check_enrolled(*members: tuple[str, Member]) -> Refusal | None:
    """A refusal naming the first of these (id, member) that is not enrolled, or no longer."""
    for member_id, member in members:
        if member.version == 0 or member.closed:
            return absent(member_id, member)
    return None


def absent(member_id: str, member: Member) -> Refusal:
    """The refusal of what is asked for somebody who is not a member, or no longer."""
    return refuse(Reason.ACCOUNT_CLOSED if member.closed else Reason.MEMBER_NOT_FOUND, member=member_id)


def check_active(*members: tuple[str, Member]) -> Refusal | None:
    """A refusal naming the first of these (id, member) that is not enrolled, left, or is frozen (edge case 20)."""
    refusal = check_enrolled(*members)
    if refusal is not None:
        return refusal
    for member_id, member in members:
        if member.frozen:
            return refuse(Reason.ACCOUNT_FROZEN, member=member_id)
    return None


def check_begun(earliest: Instant, at: Instant) -> Refusal | None:
    """A refusal of what is dated before that which it ends or builds on."""
    if at < earliest:
        return refuse(Reason.OUT_OF_ORDER, occurred_at=at, earliest=earliest)
    return None


def deadline(field: str, asked: Instant | None, policy: Policy, at: Instant) -> Instant:
    """When a hold or lock ends: as asked, but never later than the programme's time-out. Raises InvalidCommand."""
    latest = time_out(policy, at)
    if asked is None:
        return latest
    if not at < asked <= latest:
        raise InvalidCommand(field, "must be after occurred_at and within the programme's time-out")
    return asked


def time_out(policy: Policy, at: Instant) -> Instant:
    """When a hold or lock that begins at an instant ends by the programme's settings."""
    return at + policy.settings.hold_seconds * SECOND


def insufficient(member: Member, amount: Amount, at: Instant) -> Refusal:
    """The refusal of a spend that asks for more than there is."""
    spendable = member.lots(amount.unit).spendable(at)
    return refuse(
        Reason.INSUFFICIENT_POINTS, member=member.id, unit=amount.unit, wanted=amount.value, spendable=spendable
    )


def member_streams(states: States, *members: str) -> list[str]:
    """The streams of members."""
    return [states.member_stream(member) for member in members]


def in_pieces(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Cut what is named by events into pieces that one event may name."""
    for begin in range(0, len(items), LOTS_MAX):
        yield items[begin : begin + LOTS_MAX]

"""What the oracle knows of settings that change, of members' lives, and of lots that live longer or stop waiting."""

from collections.abc import Callable
from typing import Any

from ledger import events as e
from ledger.events import Fact
from ledger.records import Record
from ledger.settings import Activity, Inactivity, Settings
from tests.oracle.facts import Lot, Member, Programme
from tests.oracle.loose import Loose, require
from tests.oracle.points import account_of, member_of
from tests.oracle.terms import end_of, expiry_of


def changed(programme: Programme, record: Record, event: e.ProgrammeChanged, loose: Loose) -> None:
    last, before = programme.changes[-1]
    require(event.version == len(programme.changes) + 1, record, "settings are numbered without gaps")
    require(event.valid_from >= max(last, record.occurred_at), record, "settings for a time that has passed")
    require(_kept(event.settings) == _kept(before), record, "what cannot change has changed")
    names = [(unit.name, unit.digits) for unit in event.settings.units]
    require(names[: len(before.units)] == [(u.name, u.digits) for u in before.units], record, "units have changed")
    programme.changes.append((event.valid_from, event.settings))


def _kept(settings: Settings) -> tuple[object, ...]:
    return settings.zone, settings.clock, settings.currency, settings.currency_digits


# -- members


def frozen(programme: Programme, record: Record, event: e.MemberFrozen, loose: Loose) -> None:
    member = active_member(programme, record)
    require(not member.frozen, record, f"{member.id} is frozen already")
    require(event.last_lot == member.made, record, f"{member.id} has {member.made} lots, not {event.last_lot}")
    require(bool(event.reason), record, "no reason is given")
    member.last_lot = event.last_lot


def unfrozen(programme: Programme, record: Record, event: e.MemberUnfrozen, loose: Loose) -> None:
    member = member_of(programme, record)
    require(member.frozen and bool(event.reason), record, f"{member.id} is not frozen, or no reason is given")
    member.last_lot = None


def closed(programme: Programme, record: Record, event: e.MemberClosed, loose: Loose) -> None:
    member = active_member(programme, record)
    loose.meet_if("closes", member.id)
    require(not member.holds, record, f"{member.id} has holds")
    require(not any(lot.points for lot in member.lots.values()), record, f"{member.id} has points left")
    require(bool(event.reason), record, "no reason is given")
    member.closed, member.last_lot = True, None


# -- lots


def active_member(programme: Programme, record: Record) -> Member:
    member = member_of(programme, record)
    require(not member.closed, record, f"{member.id} left before")
    return member


def lot_of(member: Member, unit: str, lot_id: str, record: Record) -> Lot:
    lot = member.lots.get(lot_id)
    require(lot is not None and lot.unit == unit, record, f"{lot_id} is no lot of {member.id} in {unit}")
    assert lot is not None
    return lot


def activated(programme: Programme, record: Record, event: e.PointsActivated, loose: Loose) -> None:
    member = active_member(programme, record)
    account_of(member, event.unit, record)
    require(event.available_at == record.occurred_at and bool(event.lots), record, "activated at another time")
    for row in event.lots:
        lot = lot_of(member, event.unit, row.lot, record)
        require(lot.awaits and (lot.points, lot.available_at) == (row.points, row.was), record, f"{lot} does not wait")
        require(lot.earned_at <= event.available_at < min(row.was, lot.expires_at), record, f"{lot} is out of time")
        lot.available_at, lot.awaits = event.available_at, False


def extended(programme: Programme, record: Record, event: e.ExpiryExtended, loose: Loose) -> None:
    """Nothing comes back to life, nothing is shortened, and the sums are those of the lots."""
    member = active_member(programme, record)
    account_of(member, event.unit, record)
    at = record.occurred_at
    require(bool(event.periods or event.lots), record, "nothing is extended")
    require((event.activity is None) == bool(event.reason), record, "it has either an activity or a reason")
    if event.activity is not None:
        settings = programme.settings_at(at)
        expiry = expiry_of(settings, event.unit)
        require(isinstance(expiry, Inactivity) and event.activity in expiry.activities, record, "it does not count")
        require(event.expires_at == end_of(settings, event.unit, at), record, "extended to another time")
        require(not event.lots, record, "an activity extends periods")
    for row in event.periods:
        lots = [lot for lot in member.lots.values() if lot.unit == event.unit and lot.period == row.period]
        there = [lot for lot in lots if lot.points or member.held_of(lot)]
        points, held = sum(lot.points for lot in there), sum(member.held_of(lot) for lot in there)
        told = (row.lots, row.points, row.held)
        require(told == (sum(lot.points > 0 for lot in there), points, held), record, f"{row} is not {there}")
        require({lot.expires_at for lot in there} == {row.was}, record, f"they do not end at {row.was}")
        require(at < row.was < event.expires_at, record, "they have ended, or live as long already")
        for lot in lots:
            lot.expires_at = event.expires_at
    for one in event.lots:
        lot = lot_of(member, event.unit, one.lot, record)
        told = (one.was, one.points, one.held)
        require(told == (lot.expires_at, lot.points, member.held_of(lot)), record, f"{lot} is not {one}")
        require(at < one.was < event.expires_at, record, f"{lot} has ended, or lives as long already")
        require(bool(one.period) == bool(lot.period), record, f"{lot} is to end in another way")
        lot.expires_at, lot.period = event.expires_at, one.period


class Afterwards:
    """What must hold at the end of a command: activities kept points alive, who left has none, who owes has none."""

    def __init__(self) -> None:
        self._done: list[tuple[Programme, Record, Member, Activity, set[str]]] = []
        """The activities, each with the lots that got points back after it: those it did not find."""
        self._left: list[tuple[Record, Member]] = []
        self._touched: list[tuple[Record, Member]] = []

    def note(self, programme: Programme, record: Record, event: Fact) -> None:
        name, activity = _activity(record, event)
        member = programme.members.get(name)
        if member is None:
            return
        self._touched.append((record, member))
        if activity is not None:
            self._done.append((programme, record, member, activity, set()))
        if isinstance(event, e.PointsReinstated):
            for *_, known, _, back in self._done:
                back.update(taken.lot for taken in event.lots if known is member)
        if member.closed:
            self._left.append((record, member))

    def check(self) -> None:
        """Raises Broken where points end sooner than an activity lets them, or somebody who left or owes has some."""
        for programme, record, member, activity, back in self._done:
            at = record.occurred_at
            settings = programme.settings_at(at)
            for unit in settings.units:
                expiry = expiry_of(settings, unit.name)
                if not isinstance(expiry, Inactivity) or activity not in expiry.activities:
                    continue
                ends = end_of(settings, unit.name, at)
                short = [lot for lot in member.lots.values() if lot.period and at < lot.expires_at < ends]
                for lot in [lot for lot in short if lot.id not in back]:
                    left = lot.unit == unit.name and (lot.points or member.held_of(lot))
                    require(not left, record, f"{activity} does not keep {lot} alive")
        for record, member in self._left:
            there = any(lot.points for lot in member.lots.values()) or member.holds
            require(not there, record, f"{member.id} left, but not without points")
        for record, member in self._touched:
            for owed, account in member.accounts.items():
                lots = [lot for lot in member.lots.values() if lot.unit == owed and lot.points]
                has = [lot.id for lot in lots if lot.expires_at > record.occurred_at] if account.debt else []
                require(not has, record, f"{member.id} owes {account.debt} {owed} and has {has}")
        self._touched.clear()
        self._done.clear()
        self._left.clear()


def _activity(record: Record, event: Fact) -> tuple[str, Activity | None]:
    if isinstance(event, e.PurchaseRecorded):
        return event.member, Activity.PURCHASE
    if isinstance(event, e.RedemptionPlaced):
        return event.member, Activity.REDEEM
    owner = record.stream.rpartition("/")[2]
    if isinstance(event, e.PointsEarned) and not event.approver:
        return owner, Activity.EARN
    if isinstance(event, e.PointsRedeemed) and not event.redemption:
        return owner, Activity.REDEEM
    if isinstance(event, e.PointsTransferredOut) and not event.reverses:
        return owner, Activity.TRANSFER
    return owner, None


FOLDS: dict[type[Fact], Callable[[Programme, Record, Any, Loose], None]] = {
    e.ProgrammeChanged: changed,
    e.MemberFrozen: frozen,
    e.MemberUnfrozen: unfrozen,
    e.MemberClosed: closed,
    e.PointsActivated: activated,
    e.ExpiryExtended: extended,
}

"""The totals view's fold: sums for each business day, however many events a batch holds.

An event counts on its own business date, with the channel, store, source and campaign that it names. Only the day on
which points become available is reckoned here, in the programme's time zone. What earlier events said and later ones
leave out (the zone, the store of an order, where a waiting lot came from) is kept beside the sums.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from ledger import events as e
from ledger.calendar import NEVER, Calendar, Instant
from ledger.events import Fact
from projections.projection import Changes, Keys, Projection, Rows, read_script
from projections.recorded import Recorded

Origin = tuple[str, str, str, str]
"""Channel, store, source and campaign."""
Key = tuple[str, str]
"""A programme, and an order as `<channel>/<id>` or a lot."""

ORDER = "order"
"""The type of the source of what a purchase earns; its id is the order."""

_calendar = lru_cache(Calendar)


class Sums(msgspec.Struct, gc=False):
    """What is added to a row of `days`."""

    issued: int = 0
    available: int = 0
    redeemed: int = 0
    expired: int = 0
    clawed_back: int = 0
    forfeited: int = 0
    reinstated: int = 0


class Fold:
    """The changes of one batch."""

    def __init__(self, rows: Rows) -> None:
        self.zones: dict[str, str] = dict(rows.get("zones", ()))
        self.stores: dict[Key, str] = {(row[0], row[1]): row[2] for row in rows.get("stores", ())}
        self.waiting: dict[Key, Origin] = {(row[0], row[1]): row[2:] for row in rows.get("waiting", ())}
        self.opened: list[tuple[str, str]] = []
        self.sold: list[tuple[str, str, str]] = []
        self.waits: list[tuple[str, ...]] = []
        self.days: dict[tuple[str, ...], Sums] = {}

    def changes(self) -> Changes:
        """The rows to write."""
        return {
            "opened": self.opened,
            "sold": self.sold,
            "waits": self.waits,
            "moved": [(*key, *msgspec.structs.astuple(sums)) for key, sums in self.days.items()],
        }

    def _sums(self, recorded: Recorded, unit: str, origin: Origin, day: str = "") -> Sums:
        """The sums of a day, the event's own if none is given."""
        key = (recorded.programme, day or recorded.business_date.isoformat(), unit, *origin)
        sums = self.days.get(key)
        if sums is None:
            sums = self.days[key] = Sums()
        return sums

    def _origin(self, recorded: Recorded, source: str, order: str = "", campaign: str = "") -> Origin:
        store = self.stores.get((recorded.programme, order), "") if order else ""
        return recorded.channel, store, source, campaign

    def _day(self, recorded: Recorded, instant: Instant) -> str:
        zone = self.zones.get(recorded.programme)
        if zone is None:
            raise LookupError(f"the programme {recorded.programme} was never opened")
        return _calendar(zone).business_date(instant).isoformat()

    def _opened(self, recorded: Recorded, event: e.ProgrammeOpened) -> None:
        self.zones[recorded.programme] = event.settings.zone
        self.opened.append((recorded.programme, event.settings.zone))

    def _bought(self, recorded: Recorded, event: e.PurchaseRecorded) -> None:
        if event.store:
            self.stores[recorded.programme, recorded.subject] = event.store
            self.sold.append((recorded.programme, recorded.subject, event.store))

    def _earned(self, recorded: Recorded, event: e.PointsEarned) -> None:
        origin = self._origin(recorded, event.source.type, _order_of(event.source), event.campaign)
        self._sums(recorded, event.unit, origin).issued += event.points
        if event.available_at is None:
            self._sums(recorded, event.unit, origin).available += event.points
        elif event.available_at != NEVER:
            day = self._day(recorded, event.available_at)
            self._sums(recorded, event.unit, origin, day).available += event.points
        if event.awaits_activation:
            self.waiting[recorded.programme, event.lot] = origin
            self.waits.append((recorded.programme, event.lot, *origin))

    def _activated(self, recorded: Recorded, event: e.PointsActivated) -> None:
        """What waited is available sooner than it would have been, or at all."""
        day = self._day(recorded, event.available_at)
        for lot in event.lots:
            origin = self.waiting[recorded.programme, lot.lot]
            self._sums(recorded, event.unit, origin, day).available += lot.points
            if lot.was != NEVER:
                self._sums(recorded, event.unit, origin, self._day(recorded, lot.was)).available -= lot.points

    def _redeemed(self, recorded: Recorded, event: e.PointsRedeemed) -> None:
        source = "redemption" if event.redemption else ORDER if event.order else "hold"
        origin = self._origin(recorded, source, event.order, event.campaign)
        self._sums(recorded, event.unit, origin).redeemed += sum(part.points for part in event.parts)

    def _expired(self, recorded: Recorded, event: e.PointsExpired) -> None:
        origin = self._origin(recorded, "")
        self._sums(recorded, event.unit, origin).expired += sum(part.points for part in event.parts)

    def _clawed_back(self, recorded: Recorded, event: e.PointsClawedBack) -> None:
        source = event.grant.source
        origin = self._origin(recorded, source.type, event.order or _order_of(source))
        self._sums(recorded, event.unit, origin).clawed_back += _taken(event) + event.debt

    def _forfeited(self, recorded: Recorded, event: e.PointsForfeited) -> None:
        origin = self._origin(recorded, "command" if event.reverses else "adjustment")
        self._sums(recorded, event.unit, origin).forfeited += _taken(event)

    def _reinstated(self, recorded: Recorded, event: e.PointsReinstated) -> None:
        source = event.grant.source.type if event.grant else ORDER if event.order else "command"
        origin = self._origin(recorded, source, event.order)
        self._sums(recorded, event.unit, origin).reinstated += _taken(event) + event.debt


def _taken(event: e.PointsClawedBack | e.PointsForfeited | e.PointsReinstated) -> int:
    return sum(taken.points for taken in event.lots)


def _order_of(source: e.Source) -> str:
    return source.id if source.type == ORDER else ""


_FOLD: dict[type[Fact], Callable[[Fold, Recorded, Any], None]] = {
    e.ProgrammeOpened: Fold._opened,
    e.PurchaseRecorded: Fold._bought,
    e.PointsEarned: Fold._earned,
    e.PointsActivated: Fold._activated,
    e.PointsRedeemed: Fold._redeemed,
    e.PointsExpired: Fold._expired,
    e.PointsClawedBack: Fold._clawed_back,
    e.PointsForfeited: Fold._forfeited,
    e.PointsReinstated: Fold._reinstated,
}


def keys(events: Sequence[Recorded]) -> Keys:
    """What earlier events said: zones of programmes, stores of the orders named, origins of the lots activated."""
    zones, stores, waiting = set[tuple[str]](), set[Key](), set[Key]()
    for recorded in events:
        event: Any = recorded.event
        if isinstance(event, e.PointsActivated):
            zones.add((recorded.programme,))
            waiting.update((recorded.programme, lot.lot) for lot in event.lots)
        elif isinstance(event, e.PointsEarned):
            if event.available_at is not None:
                zones.add((recorded.programme,))
            stores.add((recorded.programme, _order_of(event.source)))
        elif isinstance(event, e.PointsClawedBack):
            stores.add((recorded.programme, event.order or _order_of(event.grant.source)))
        elif isinstance(event, e.PointsRedeemed | e.PointsReinstated):
            stores.add((recorded.programme, event.order))
    return {"zones": zones, "stores": {key for key in stores if key[1]}, "waiting": waiting}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """What these events change."""
    work = Fold(rows)
    for recorded in events:
        _FOLD[type(recorded.event)](work, recorded, recorded.event)
    return work.changes()


TOTALS = Projection("totals", 1, read_script(__file__), frozenset(_FOLD), fold, keys, by_stream=False)

"""The redemption view's fold: a row from the placing of a redemption to its end."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ledger import events as e
from ledger.calendar import Instant
from ledger.events import CancelReason, Fact
from projections.projection import Changes, Keys, Projection, Row, Rows, read_script
from projections.recorded import Recorded

RedemptionKey = tuple[str, str]


class Redemption(msgspec.Struct, gc=False):
    """A row of `redemptions`."""

    programme: str
    redemption: str
    member: str
    reward: str
    quantity: int
    state: str
    """PLACED, PARTLY_FULFILLED, FULFILLED, CANCELLED or TIMED_OUT."""
    kind: str
    points: int
    unit: str
    cash: int
    sku: str
    location: str
    outbound: str
    placed_at: Instant
    expires_at: Instant
    closed_at: Instant | None
    order: str
    destination: str
    allocation_version: int
    fulfilled: int
    cancelled: int
    cash_returned: int


class Fold:
    """The changes of one batch."""

    def __init__(self, known: Iterable[Row]) -> None:
        self.placed: dict[RedemptionKey, Redemption] = {}
        self.known: dict[RedemptionKey, Redemption] = {(row[0], row[1]): Redemption(*row) for row in known}

    def changes(self) -> Changes:
        """The rows to write."""
        return {
            "placed": map(msgspec.structs.astuple, self.placed.values()),
            "changed": [
                (*key, row.state, row.outbound, row.closed_at, row.fulfilled, row.cancelled, row.cash_returned)
                for key, row in self.known.items()
            ],
        }

    def _row(self, recorded: Recorded) -> Redemption:
        key = (recorded.programme, recorded.subject)
        row = self.placed.get(key) or self.known.get(key)
        if row is None:
            raise LookupError(f"redemption {recorded.subject} was never placed")
        return row

    def _placed(self, recorded: Recorded, event: e.RedemptionPlaced) -> None:
        self.placed[recorded.programme, event.redemption] = Redemption(
            programme=recorded.programme,
            redemption=event.redemption,
            member=event.member,
            reward=event.reward,
            quantity=event.quantity,
            state="PLACED",
            kind=event.kind,
            points=event.price.points.value * event.quantity,
            unit=event.price.points.unit,
            cash=event.price.cash * event.quantity,
            sku=event.sku,
            location=event.location,
            outbound="",
            placed_at=recorded.occurred_at,
            expires_at=event.expires_at,
            closed_at=None,
            order=event.order,
            destination=event.destination,
            allocation_version=event.allocation_version,
            fulfilled=0,
            cancelled=0,
            cash_returned=0,
        )

    def _outbound_opened(self, recorded: Recorded, event: e.OutboundOpened) -> None:
        self._row(recorded).outbound = event.outbound

    def _fulfilled(self, recorded: Recorded, event: e.RedemptionFulfilled) -> None:
        row = self._row(recorded)
        row.fulfilled += event.quantity
        if event.left:
            row.state = "PARTLY_FULFILLED"
        else:
            row.state, row.closed_at = "FULFILLED", recorded.occurred_at

    def _cancelled(self, recorded: Recorded, event: e.RedemptionCancelled) -> None:
        row = self._row(recorded)
        quantity = row.quantity - row.fulfilled - row.cancelled - event.left
        row.cancelled += quantity
        row.cash_returned += row.cash * quantity // row.quantity
        if event.left:
            return
        row.closed_at = event.effective_at
        if row.fulfilled:
            row.state = "FULFILLED"
        else:
            row.state = "TIMED_OUT" if event.reason is CancelReason.TIMED_OUT else "CANCELLED"


_FOLD: dict[type[Fact], Callable[[Fold, Recorded, Any], None]] = {
    e.RedemptionPlaced: Fold._placed,
    e.OutboundOpened: Fold._outbound_opened,
    e.RedemptionFulfilled: Fold._fulfilled,
    e.RedemptionCancelled: Fold._cancelled,
}


def keys(events: Sequence[Recorded]) -> Keys:
    """The redemptions that go on; those placed by the same events are not in the table yet."""
    going_on = {
        (recorded.programme, recorded.subject)
        for recorded in events
        if not isinstance(recorded.event, e.RedemptionPlaced)
    }
    return {"open": going_on} if going_on else {}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """What these events change."""
    work = Fold(rows.get("open", ()))
    for recorded in events:
        _FOLD[type(recorded.event)](work, recorded, recorded.event)
    return work.changes()


REDEMPTIONS = Projection("redemptions", 2, read_script(__file__), frozenset(_FOLD), fold, keys, parks=True)

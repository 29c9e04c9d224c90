"""The purchases view's fold: rows are written once, and never changed."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ledger import events as e
from projections.projection import Changes, Projection, Row, Rows, read_script
from projections.recorded import Recorded

_encode = msgspec.json.Encoder().encode


class Fold:
    """The rows of one batch."""

    def __init__(self) -> None:
        self.orders: list[Row] = []
        self.lines: list[Row] = []
        self.returns: list[Row] = []
        self.returned: list[Row] = []

    def recorded(self, recorded: Recorded, event: e.PurchaseRecorded) -> None:
        """A purchase and its lines."""
        key = _key(recorded)
        lines, earning = event.lines, event.earning
        in_points = sum(tender.amount for tender in event.tenders if tender.type is e.TenderType.POINTS)
        self.orders.append(
            (
                *key,
                recorded.position,
                event.member,
                event.store,
                recorded.business_date.isoformat(),
                recorded.occurred_at,
                len(lines),
                event.currency,
                sum(lines.net),
                sum(lines.dues),
                in_points,
                _encode(event.tenders).decode(),
                *_points_of(earning),
                event.lot,
            )
        )
        by_line = earning.by_line if earning is not None and earning.by_line else (0,) * len(lines)
        for place, (line, points) in enumerate(zip(lines.rows(), by_line, strict=True)):
            self.lines.append((*key, place, *_line(line), points))

    def came_back(self, recorded: Recorded, event: e.PurchaseReturned) -> None:
        """A refund and its lines."""
        key, lines = (*_key(recorded), event.refund), event.lines
        self.returns.append(
            (
                *key,
                recorded.position,
                event.member,
                recorded.business_date.isoformat(),
                recorded.occurred_at,
                event.currency,
                sum(lines.net),
                sum(lines.due),
                _encode(event.tenders).decode(),
                event.kept,
                event.clawed_back,
                event.deducted,
                event.reason,
            )
        )
        columns = (lines.line, lines.quantity, lines.net, lines.due)
        self.returned += [(*key, *row) for row in zip(*columns, strict=True)]


def _key(recorded: Recorded) -> tuple[str, str, str]:
    """Programme, channel and id of an order; a refund may come through another channel than the order."""
    channel, _, order = recorded.subject.partition("/")
    return recorded.programme, channel, order


def _points_of(earning: e.Earning | None) -> tuple[str, int, str, str, int]:
    if earning is None:
        return "", 0, "", "", 0
    return earning.unit, earning.points, earning.exact, earning.rule, earning.rule_version


def _line(line: e.Line) -> Row:
    return (
        line.sku,
        line.quantity,
        line.list_price,
        sum(discount.amount for discount in line.discounts),
        line.net,
        line.due,
        line.cost,
        line.tax_rate,
        line.tax_code,
        line.brand,
        line.category,
        line.campaign,
    )


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """The rows of these events."""
    work = Fold()
    for recorded in events:
        event: Any = recorded.event
        if isinstance(event, e.PurchaseRecorded):
            work.recorded(recorded, event)
        else:
            work.came_back(recorded, event)
    return {"orders": work.orders, "lines": work.lines, "returns": work.returns, "returned": work.returned}


PURCHASES = Projection("purchases", 1, read_script(__file__), frozenset((e.PurchaseRecorded, e.PurchaseReturned)), fold)

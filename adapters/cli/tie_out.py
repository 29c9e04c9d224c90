"""The tie-out: the same figures from the log, from the views, and from an independent sum, side by side."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from adapters.cli.replay import PROGRAMME, REWARD_POINTS, UNIT
from adapters.cli.service import patiently
from adapters.completejourney.expected import simulate
from loyalty.v1 import events_pb2 as e
from loyalty.v1 import queries_pb2 as q


class Figures(NamedTuple):
    """What must be equal, whoever reckons it."""

    members: int
    purchases: int
    points_issued: int
    points_redeemed: int
    points_expired: int
    points_outstanding: int
    redemptions_placed: int


def from_log(subscribe: Callable[..., Iterable[Any]]) -> tuple[Figures, dict[str, int]]:
    """Sums over the events of the log, and each member's balance as the events leave it."""
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    balances: Counter[str] = Counter()
    request = e.SubscribeEventsRequest(programme=PROGRAMME, follow=False)
    request.topics.extend(_SIGNS)
    for response in subscribe(request):
        for recorded in response.events:
            topic = recorded.topic
            counts[topic] += 1
            member = recorded.stream.rpartition("/")[2]
            sign = _SIGNS[topic]
            balances[member] += 0
            if sign:
                event = _decode(recorded.event)
                points = event.points if sign > 0 else sum(part.points for part in event.parts)
                sums[topic] += points
                balances[member] += sign * points
    members = counts["member.enrolled.v1"]
    purchases = counts["purchase.recorded.v1"]
    placed = counts["redemption.placed.v1"]
    outstanding = sum(balances.values())
    figures = Figures(
        members,
        purchases,
        sums["points.earned.v1"],
        sums["points.redeemed.v1"],
        sums["points.expired.v1"],
        outstanding,
        placed,
    )
    return figures, {member: points for member, points in balances.items() if points}


class _Part(msgspec.Struct):
    points: int


class _Event(msgspec.Struct):
    points: int = 0
    parts: list[_Part] = []


_decode = msgspec.json.Decoder(_Event).decode
_SIGNS = {
    "member.enrolled.v1": 0,
    "purchase.recorded.v1": 0,
    "redemption.placed.v1": 0,
    "points.earned.v1": 1,
    "points.redeemed.v1": -1,
    "points.expired.v1": -1,
}


def from_views(queries: Any, members: Iterable[str], min_position: str) -> tuple[dict[str, int], int]:
    """Each member's balance, and the units shipped of all rewards, as the views show them."""
    balances = {}
    for member in members:
        request = q.GetBalanceRequest(programme=PROGRAMME, member=member, min_position=min_position)
        answer = patiently(queries.GetBalance, request)
        for balance in answer.balances:
            if balance.unit == UNIT and balance.balance:
                balances[member] = balance.balance
    shipped = 0
    token = ""
    while True:
        of_page = q.ListInventoryRequest(
            programme=PROGRAMME, min_position=min_position, page_size=1000, page_token=token
        )
        page = patiently(queries.ListInventory, of_page)
        shipped += sum(item.shipped for item in page.items)
        token = page.next_page_token
        if not token:
            return balances, shipped


def tie_out(log: Figures, log_balances: dict[str, int], views: dict[str, int], shipped: int) -> dict[str, Any]:
    """Every figure three times, and whether all are equal; balances are compared member by member."""
    expected = simulate()
    expected_balances = {member: points for member, points in expected.balances.items() if points}
    rows = {name: {"log": getattr(log, name), "independent": getattr(expected, name)} for name in Figures._fields}
    rows["points_outstanding"]["views"] = sum(views.values())
    rows["points_redeemed"]["views"] = shipped * REWARD_POINTS
    rows["redemptions_placed"]["views"] = shipped
    members_equal = log_balances == views == expected_balances
    equal = members_equal and all(len(set(row.values())) == 1 for row in rows.values())
    return {"figures": rows, "members_compared": len(expected.balances), "members_equal": members_equal, "equal": equal}

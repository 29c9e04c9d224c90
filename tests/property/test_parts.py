"""Redemptions that end in any parts, in any order: all parts together are the whole."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import commands as c
from ledger import events as e
from ledger.quantities import Amount
from tests.unit.ledger.desk import Desk

Parts = list[tuple[bool, int]]
"""Whether units are fulfilled or given back, and how many."""


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.integers(1, 9),
    st.lists(st.integers(0, 500), max_size=4),
    st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=9),
)
def test_all_parts_of_a_redemption_sum_to_the_whole(lots: list[int], units: int, paid: list[int], parts: Parts) -> None:
    """Edge case 25: per lot and per tender nothing is lost, nothing is counted twice, and nothing goes below zero."""
    desk = Desk()
    try:
        for place, points in enumerate(lots):
            desk.given(f"anna earns {points} expiring 2026-{place + 2:02}-28")
        desk.given("mug@shop receives 9 at 3.33")
        tenders = [e.Tender(e.TenderType.CASH, amount) for amount in paid]
        if missing := -sum(paid) % units:
            tenders.append(e.Tender(e.TenderType.COUPON, missing))
        price = e.Price(Amount("points", max(sum(lots) // units, 1)), sum(tender.amount for tender in tenders) // units)
        desk.send(c.DefineReward("mug", e.RewardKind.GOODS, price, sku="mug", location="shop"))
        placed = desk.send(c.Redeem("r1", "anna", "mug", units, tenders=tuple(tenders)))
        if units > sum(lots):
            assert placed.refused("INSUFFICIENT_POINTS")
            return
        open_units = units
        for fulfils, quantity in [*parts, (False, units)]:
            if quantity := min(quantity, open_units):
                open_units -= quantity
                assert desk.send((c.Fulfil if fulfils else c.Cancel)("r1", quantity)).accepted
        assert ended_points(desk) == Counter({part.lot: part.points for part in desk.happened(e.PointsHeld)[0].parts})
        ends: list[e.RedemptionFulfilled | e.RedemptionCancelled] = [
            *desk.happened(e.RedemptionFulfilled),
            *desk.happened(e.RedemptionCancelled),
        ]
        assert sum(end.quantity for end in ends) == units
        assert [sum(column) for column in zip(*(amounts(end.tenders) for end in ends), strict=True)] == amounts(tenders)
    finally:
        desk.close()


def amounts(tenders: Sequence[e.Tender]) -> list[int]:
    return [tender.amount for tender in tenders]


def ended_points(desk: Desk) -> Counter[str]:
    """Points captured and given back, by lot."""
    ended = Counter[str]()
    moved: list[e.PointsRedeemed | e.PointsReleased] = [
        *desk.happened(e.PointsRedeemed),
        *desk.happened(e.PointsReleased),
    ]
    for event in moved:
        ended.update({part.lot: part.points for part in event.parts})
    return ended

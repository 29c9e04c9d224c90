"""What lies exactly on a limit is still allowed, or no longer: one point, one unit, one microsecond decides."""

from typing import Any

import msgspec
import pytest

from ledger import commands as c
from ledger import events as e
from ledger.calendar import NEVER
from ledger.decisions.allocation import DISTANCES_MAX, LOCATIONS_MAX
from ledger.decisions.checks import QUANTITY_MAX
from ledger.decisions.programmes import COUNTED_SECONDS_MAX, DIGITS_MAX
from ledger.decisions.purchases import LINES_MAX
from ledger.events import ExpiryExtended, ExpiryReason, PointsExpired, RewardKind, Source
from ledger.quantities import VALUE_MAX, Amount
from ledger.settings import Activity, Inactivity, LotAge, PointUnit
from tests.unit.ledger.desk import Desk


def test_the_most_that_an_amount_can_be_is_an_amount(desk: Desk) -> None:
    """Edge case 26."""
    assert desk.when(f"anna earns {VALUE_MAX}").open("anna") == VALUE_MAX
    assert desk.when(f"anna loses {VALUE_MAX} because of error").open("anna") == 0
    price = e.Price(Amount("points", VALUE_MAX), VALUE_MAX)
    assert desk.send(c.DefineReward("star", RewardKind.SERVICE, price, list_price=VALUE_MAX)).accepted
    assert desk.send(c.ReceiveStock("star", "shop", 1, VALUE_MAX)).value("star@shop") == VALUE_MAX


def test_the_most_units_that_can_be_counted_are_counted(desk: Desk) -> None:
    assert desk.when(f"mug@shop counts {QUANTITY_MAX}").stock("mug@shop") == (QUANTITY_MAX, 0, 0)
    assert desk.when(f"mug@shop locks {QUANTITY_MAX} as k1").stock("mug@shop") == (0, QUANTITY_MAX, 0)


def test_one_is_the_least_of_anything_that_is_moved(desk: Desk) -> None:
    """Edge case 26."""
    desk.given("anna earns 1", "anna holds 1 as h1", "anna captures 1 of h1")
    desk.given(
        "mug@shop receives 1 at 0.01", "mug@shop locks 1 as k1", "mug@shop releases k1", "mug@shop sends 1 to depot"
    )
    assert desk.when("mug@depot counts 0").stock("mug@depot") == (0, 0, 0)


def test_the_very_last_units_are_locked_moved_and_shipped(desk: Desk) -> None:
    """Edge case 8."""
    desk.given("mug@shop receives 3", "mug@shop sends 3 to depot", "mug@depot locks 3 as k1")
    assert desk.when("mug@depot ships k1").stock("mug@depot") == (0, 0, 3)


def test_a_hold_and_a_lock_may_last_until_the_very_time_out(desk: Desk) -> None:
    desk.opens(hold_seconds=3_600)
    desk.given("anna earns 5", "mug@shop receives 1", "anna holds 5 as h1 until 2026-01-01 13:00")
    desk.given("mug@shop locks 1 as k1 until 2026-01-01 13:00")
    desk.running.clock.instant = desk.lines.moment("2026-01-01 13:00") - 1
    assert desk.when("anna captures h1").accepted
    assert desk.when("mug@shop ships k1").accepted


def test_a_lot_lives_to_its_last_microsecond_and_no_longer(desk: Desk) -> None:
    """Edge case 14: available_at <= at < expires_at."""
    desk.given("anna earns 5 available 2026-02-01 expiring 2026-02-28", "bo earns 5 expiring 2026-02-28")
    begin, end = desk.lines.moment("2026-02-01 00:00"), desk.lines.end_of("2026-02-28")
    for at, member, spendable in ((begin - 1, "anna", 0), (begin, "anna", 5), (end - 1, "bo", 5), (end, "bo", 0)):
        desk.running.clock.instant = at
        then = desk.when(f"{member} holds 5 as h{at}")
        assert then.accepted if spendable else then.refused("INSUFFICIENT_POINTS", spendable=0)


@pytest.mark.parametrize(("later", "field"), [(0, "expires_at"), (1, None)])
def test_points_that_would_end_as_they_begin_are_bad_input(desk: Desk, later: int, field: str | None) -> None:
    """Edge case 9: whether they begin at once, on a day, or wait for Activate."""
    day = desk.lines.moment("2026-02-01")
    source = [Source("visit", str(number)) for number in range(3)]
    points = Amount("points", 5)
    for earn in (
        c.Earn("anna", points, source[0], expires_at=desk.now + later),
        c.Earn("anna", points, source[1], available_at=day, expires_at=day + later),
        c.Earn("anna", points, source[2], expires_at=desk.now + later, awaits_activation=True),
    ):
        then = desk.send(earn)
        assert then.accepted if field is None else then.invalid(field)


def test_a_lot_lives_longer_by_a_microsecond_or_not_at_all(desk: Desk) -> None:
    desk.given("anna earns 5 expiring 2026-02-28", "anna holds 2 as h1")
    end = desk.lines.end_of("2026-02-28")
    assert desk.send(c.ExtendExpiry("anna", end, "care", ("anna:1",))).refused("EXPIRY_NOT_LATER", expires_at=end)
    assert desk.send(c.ExtendExpiry("anna", end, "care", until=end)).invalid("expires_at")
    (extended,) = desk.send(c.ExtendExpiry("anna", end + 1, "care", until=end)).events(ExpiryExtended)
    assert [(row.lot, row.points, row.held) for row in extended.lots] == [("anna:1", 3, 2)]
    desk.running.clock.instant = end
    (extended,) = desk.send(c.ExtendExpiry("anna", end + 9, "care", until=end + 1)).events(ExpiryExtended)
    assert [(row.was, row.points, row.held) for row in extended.lots] == [(end + 1, 3, 2)]
    desk.running.clock.instant = end + 9
    assert desk.send(c.ExtendExpiry("anna", NEVER, "care", ("anna:1",))).refused("LOT_EXPIRED", expired_at=end + 9)
    assert desk.send(c.ExtendExpiry("anna", NEVER, "care", until=end + 9)).story == []


def test_each_unit_has_its_own_activities(desk: Desk) -> None:
    """Edge case 19: what counts for one unit and not for the next, and one that the member never had."""
    rules = [Inactivity(12, (activity,)) for activity in (Activity.TRANSFER, Activity.EARN, Activity.PURCHASE)]
    units = (PointUnit("miles", 0, rules[0]), PointUnit("points", 0, rules[1]), PointUnit("stars", 0, rules[2]))
    desk.opens(units=units, expiry=LotAge(12), earning_rate="0")
    desk.given("anna earns 5", "anna earns 7 stars", "time passes to 2026-02-01")
    (extended,) = desk.when("anna buys tea 1.00 as o1").events(ExpiryExtended)
    assert (extended.unit, extended.activity) == ("stars", Activity.PURCHASE)
    desk.given("time passes to 2026-03-01")
    (extended,) = desk.when("anna earns 1").events(ExpiryExtended)
    assert (extended.unit, extended.activity, extended.reason) == ("points", Activity.EARN, "")


def test_waiting_points_that_end_now_are_activated_no_more(desk: Desk) -> None:
    """Edge case 14: available_at <= at < expires_at."""
    desk.given("anna earns 5 waiting expiring 2026-02-28", "bo earns 5 waiting expiring 2026-02-28")
    end = desk.lines.end_of("2026-02-28")
    desk.running.clock.instant = end - 1
    assert desk.when("lots anna:1 of anna are activated").open("anna") == 5
    desk.running.clock.instant = end
    assert desk.when("lots bo:1 of bo are activated").refused("LOT_EXPIRED", lot="bo:1", expired_at=end)


def test_what_ends_as_a_member_leaves_has_expired_by_itself(desk: Desk) -> None:
    """Edge case 14."""
    desk.given("anna earns 5 expiring 2026-02-28")
    desk.running.clock.instant = desk.lines.end_of("2026-02-28")
    (expired,) = desk.when("anna leaves for moving").events(PointsExpired)
    assert (expired.reason, expired.effective_at) == (ExpiryReason.DUE, desk.now)


def test_what_ends_as_it_comes_back_to_a_member_who_left_has_expired_by_itself(desk: Desk) -> None:
    """Edge cases 2 and 20: it expires once."""
    desk.given("anna earns 5 expiring 2026-02-28", "anna buys tea 0.05 as o1 paying 5 points worth 0.05")
    desk.given("anna leaves for moving")
    desk.running.clock.instant = desk.lines.end_of("2026-02-28")
    then = desk.when("all of o1 comes back as f1")
    assert then.story == ["PurchaseReturned", "PointsReinstated", "PointsExpired"]
    assert then.balance("anna") == 0


def test_freedom_prolongs_what_ends_before_the_day_that_is_named(desk: Desk) -> None:
    """Edge case 20."""
    desk.given("anna is frozen for anomaly")
    until, points = desk.lines.end_of("2026-02-28"), Amount("points", 5)
    for number, ends in enumerate((until - 1, until, until + 1)):
        desk.send(c.Earn("anna", points, Source("visit", str(number)), expires_at=ends))
    (extended,) = desk.send(c.UnfreezeMember("anna", "mistake", extend_until=until)).events(ExpiryExtended)
    assert [(row.lot, row.was) for row in extended.lots] == [("anna:1", until - 1)]


def test_an_allocation_policy_has_room_for_a_hundred_locations(desk: Desk) -> None:
    """I04."""
    names = tuple(f"depot{number}" for number in range(LOCATIONS_MAX + 1))
    assert desk.send(c.PublishAllocationPolicy(names)).invalid("locations")
    assert desk.send(c.PublishAllocationPolicy(names[:-1])).accepted
    rows = [e.Distance(f"town{number}", "depot0", number) for number in range(DISTANCES_MAX + 1)]
    assert desk.send(c.PublishAllocationPolicy(names[:1], tuple(rows))).invalid("distances")
    assert desk.send(c.PublishAllocationPolicy(names[:1], tuple(rows[1:]))).accepted
    for distance, field in ((0, None), (VALUE_MAX, None), (-1, "distance"), (VALUE_MAX + 1, "distance")):
        then = desk.send(c.PublishAllocationPolicy(names[:1], (e.Distance("town", "depot0", distance),)))
        assert then.accepted if field is None else then.invalid(f"distances[0].{field}")


def test_a_line_may_have_no_units_or_as_many_as_can_be_counted(desk: Desk) -> None:
    """Edge case 7: a line by weight has no units."""
    tea = e.Line("tea", 0, 100, 100, gross=110)
    for number, quantity in enumerate((0, QUANTITY_MAX)):
        line = msgspec.structs.replace(tea, quantity=quantity)
        assert desk.send(c.RecordPurchase("anna", f"o{number}", (line,))).accepted
    over = msgspec.structs.replace(tea, quantity=QUANTITY_MAX + 1)
    assert desk.send(c.RecordPurchase("anna", "o2", (over,))).invalid("lines[0].quantity")


def test_a_redemption_may_come_to_the_most_that_an_amount_can_be(desk: Desk) -> None:
    """Edge case 26: by its points, its cash, or its list price."""
    desk.given("anna earns 5")
    one = Amount("points", 1)
    for name, price, list_price in (("listed", e.Price(one), VALUE_MAX), ("paid", e.Price(one, VALUE_MAX), 0)):
        desk.send(c.DefineReward(name, RewardKind.SERVICE, price, list_price=list_price))
        cash = (e.Tender(e.TenderType.CASH, price.cash),) if price.cash else ()
        assert desk.send(c.Redeem(f"{name}1", "anna", name, 1, tenders=cash)).accepted
        assert desk.send(c.Redeem(f"{name}2", "anna", name, 2, tenders=cash * 2)).invalid("quantity")


def test_a_bill_may_come_to_the_most_that_an_amount_can_be(desk: Desk) -> None:
    """Edge case 26: in one line, or in as many as there may be."""
    tea = e.Line("tea", 1, VALUE_MAX, VALUE_MAX)
    assert desk.send(c.RecordPurchase("anna", "o1", (tea,))).accepted
    many = (msgspec.structs.replace(tea, net=1, list_price=1),) * LINES_MAX
    assert desk.send(c.RecordPurchase("anna", "o2", many)).accepted


@pytest.mark.parametrize(
    "changes",
    [
        {"backdating_seconds": 0},
        {"debt_limit": 0},
        {"debt_limit": VALUE_MAX},
        {"hold_seconds": 1},
        {"refund_grace_days": 3_660},
        {"units": (PointUnit("points", DIGITS_MAX),)},
        {"currency_digits": DIGITS_MAX},
        {"transfer_caps": (Amount("points", 0),)},
        {"transfer_caps": (Amount("points", VALUE_MAX),), "backdating_seconds": COUNTED_SECONDS_MAX},
    ],
)
def test_settings_may_be_as_small_and_as_large_as_they_make_sense(desk: Desk, changes: dict[str, Any]) -> None:
    assert desk.opens(**changes).accepted

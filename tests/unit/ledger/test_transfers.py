"""Points that change hands."""

from ledger.events import PointsForfeited, PointsTransferredIn, PointsTransferredOut
from tests.unit.ledger.desk import Desk


def test_transferred_points_keep_their_expiry(desk: Desk) -> None:
    """Edge case 4."""
    desk.given("anna earns 100 expiring 2026-03-31", "anna earns 50 expiring 2026-12-31")
    then = desk.when("anna gives 120 to bo")
    assert then.lots("bo") == [(100, "2026-03-31"), (20, "2026-12-31")]


def test_transferred_points_keep_cost_origin_earning_time_and_month(desk: Desk) -> None:
    """Edge case 4."""
    desk.given("anna earns 100 for order shop/o9 costing 1/100 on 2025-12-05", "time passes to 2026-02-01")
    then = desk.when("anna gives 60 to bo")
    (sent,), (came,) = then.events(PointsTransferredOut), then.events(PointsTransferredIn)
    (child,) = came.lots
    assert (sent.to, came.sender, child.lot, child.parent, child.root) == ("bo", "anna", "bo:1", "anna:1", "anna:1")
    assert (child.points, child.unit_cost, child.issued) == (60, "1/100", "2025-12")
    assert (child.source.type, child.source.id) == ("order", "shop/o9")
    assert child.earned_at == desk.lines.moment("2025-12-05")


def test_points_keep_their_cost_through_every_hand(desk: Desk) -> None:
    """Edge cases 2 and 4: given away, spent to the last point, come back of a refund, held and released."""
    desk.given("anna earns 100 costing 1/200", "anna gives 100 to bo")
    desk.given("bo buys tea 1.00 as o1 paying 100 points worth 1.00", "all of o1 comes back as f1")
    desk.given("bo holds 100 as h1", "bo releases h1")
    (out,) = desk.when("bo gives 100 to cai").events(PointsTransferredOut)
    (back,) = desk.when("cai loses 100 because of error").events(PointsForfeited)
    assert [(part.unit_cost, part.root) for part in out.parts] == [("1/200", "anna:1")]
    assert [(lot.unit_cost, lot.root) for lot in back.lots] == [("1/200", "anna:1")]


def test_points_passed_on_twice_still_name_the_lot_that_was_granted(desk: Desk) -> None:
    """Edge case 4: clawback and finance follow the original earner."""
    desk.given("anna earns 100", "anna gives 80 to bo")
    (came,) = desk.when("bo gives 50 to cai").events(PointsTransferredIn)
    assert [(child.parent, child.root) for child in came.lots] == [("bo:1", "anna:1")]


def test_a_transfer_is_one_commit_for_both_members(desk: Desk) -> None:
    """Edge case 4."""
    desk.given("anna earns 100")
    then = desk.when("anna gives 60 to bo")
    assert then.story == ["PointsTransferredOut", "PointsTransferredIn"]
    assert len(desk.running.memory.batches[-1].rows) > 0
    assert desk.running.memory.batches[-1].events == 2
    assert [(b.member, b.open) for b in then.receipt.balances] == [("anna", 40), ("bo", 60)]


def test_a_transfer_is_refused_whole_where_points_are_missing(desk: Desk) -> None:
    desk.given("anna earns 100")
    then = desk.when("anna gives 101 to bo")
    assert then.refused("INSUFFICIENT_POINTS", wanted=101, spendable=100)
    assert (then.balance("anna"), then.balance("bo")) == (100, 0)


def test_nobody_gives_points_to_themselves(desk: Desk) -> None:
    """Edge case 26."""
    desk.given("anna earns 100")
    assert desk.when("anna gives 10 to anna").refused("SAME_MEMBER", member="anna")


def test_nothing_cannot_be_given(desk: Desk) -> None:
    """Edge case 26."""
    assert desk.when("anna gives 0 to bo").invalid("points.value")


def test_held_and_pending_points_cannot_be_given(desk: Desk) -> None:
    desk.given("anna earns 100", "anna earns 100 available 2026-06-01", "anna holds 70 as h1")
    assert desk.when("anna gives 31 to bo").refused("INSUFFICIENT_POINTS", spendable=30)


def test_what_was_given_can_be_spent_at_once_but_not_before(desk: Desk) -> None:
    """Edge case 9: a late spend of the receiver does not use what came later."""
    desk.given("anna earns 100 on 2025-12-01", "anna gives 60 to bo on 2025-12-20")
    assert desk.when("bo gives 1 to cai on 2025-12-19").refused("INSUFFICIENT_POINTS", spendable=0)
    assert desk.when("bo gives 60 to cai on 2025-12-20").balance("cai") == 60


def test_many_lots_can_be_given_at_once(desk: Desk) -> None:
    """Edge case 21."""
    desk.given(*(f"anna earns 1 expiring 2026-{month:02}-15" for month in range(2, 13) for _ in range(20)))
    then = desk.when("anna gives 205 to bo")
    (came,) = then.events(PointsTransferredIn)
    assert (len(came.lots), then.balance("bo"), then.lots("anna")) == (205, 205, [(1, "2026-12-15")] * 15)

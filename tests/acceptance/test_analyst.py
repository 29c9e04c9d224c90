"""An analyst: asks the views in SQL, over gRPC and by files, and gets the same from all of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from adapters.grpc.client import NotFound
from loyalty.v1.queries_pb2 import HoldState, MemberStatus, RedemptionState, Totals
from tests.acceptance.shop import Shop, loyalty, read, wait_for_views


@pytest.fixture
def programme(shop: Shop, data_dir: Path) -> str:
    """A shop with something to look at: two customers, two rewards, three redemptions, points that end soon."""
    shop.joins("anna", "bo")
    shop.buys("anna", "A-1", yuan=2_000, store="north")
    shop.buys("bo", "A-2", yuan=700)
    shop.thanks("bo", 30, review="r-1", expires_at=datetime.now(UTC) + timedelta(days=10))
    shop.offers("mug", points=500, stock=5)
    shop.offers("bowl", points=300, stock=5)
    for number, (member, reward) in enumerate((("anna", "mug"), ("anna", "mug"), ("bo", "bowl"))):
        shop.redeems(member, reward, redemption=f"R-{number}")
    shop.ledger.fulfil(redemption="R-0")
    shop.done(shop.ledger.cancel(redemption="R-2"))
    wait_for_views(data_dir)
    return shop.ledger.aio.header.programme


def test_what_was_issued_spent_and_is_left(shop: Shop, programme: str, data_dir: Path) -> None:
    """Issued = spent + left, by statement and by lot (A04)."""
    ((issued, spent),) = read(
        data_dir,
        "SELECT sum(points) FILTER (WHERE points > 0), -sum(points) FILTER (WHERE points < 0)"
        " FROM projections.statement_entries WHERE programme = %s",
        programme,
    )
    ((left, held),) = read(
        data_dir, "SELECT sum(remaining), sum(held) FROM projections.balance_lots WHERE programme = %s", programme
    )
    assert (issued, spent, left, held) == (2_730, 500, 1_730, 500)
    assert issued == spent + left + held
    assert left + held == sum(shop.points(member).balance for member in ("anna", "bo"))


def test_which_rewards_are_asked_for(shop: Shop, programme: str, data_dir: Path) -> None:
    """The most wanted rewards, and what became of the redemptions (A02); the query says the same of each."""
    rows = read(
        data_dir,
        "SELECT reward, count(*), count(*) FILTER (WHERE state = 'FULFILLED'), sum(points)"
        " FROM projections.redemptions WHERE programme = %s GROUP BY reward ORDER BY count(*) DESC LIMIT 10",
        programme,
    )
    assert rows == [("mug", 2, 1, 1_000), ("bowl", 1, 0, 300)]
    states = read(data_dir, "SELECT redemption, state FROM projections.redemptions WHERE programme = %s", programme)
    for redemption, state in states:
        answer = shop.ledger.get_redemption(redemption=redemption, min_position=shop.position).redemption
        assert RedemptionState.Name(answer.state) == f"REDEMPTION_STATE_{state}"


def test_which_points_end_within_a_month(shop: Shop, programme: str, data_dir: Path) -> None:
    """Whom to remind, of how many points, until when (X04): in SQL, over gRPC by member and by date, at a terminal."""
    rows = read(
        data_dir,
        "SELECT member, unit, points FROM projections.expiring"
        " WHERE programme = %s AND expires_at < now() + interval '1 month'",
        programme,
    )
    assert rows == [("bo", "points", 30)]
    month = datetime.now(UTC).date() + timedelta(days=31)
    (soon,) = shop.ledger.list_expiring(to_date=month, min_position=shop.position).expiring
    assert (soon.member, soon.unit, soon.points) == rows[0]
    assert [row.points for row in shop.ledger.list_expiring(member="bo").expiring] == [30, 700]
    told = loyalty(data_dir, "expiring", programme, "--to", month).stdout
    assert soon.last_day in told
    assert "anna" not in told


def test_what_happened_day_by_day_and_where(shop: Shop, programme: str, data_dir: Path) -> None:
    """Issued, available, redeemed, outstanding, in total and by store (A04); outstanding is what all members own."""
    first = datetime.now(ZoneInfo("Asia/Shanghai")).date() - timedelta(days=1)
    last = first + timedelta(days=2)

    def totals(*by: str) -> Sequence[Totals]:
        return shop.ledger.get_totals(from_date=first, to_date=last, by=by, min_position=shop.position).totals

    (day,) = totals()
    numbers = (day.issued, day.available, day.redeemed, day.expired, day.clawed_back, day.outstanding)
    assert numbers == (2_730, 2_730, 500, 0, 0, 2_230)
    assert day.outstanding == sum(shop.points(member).balance for member in ("anna", "bo"))
    assert {(row.store, row.source): (row.issued, row.redeemed) for row in totals("STORE", "SOURCE")} == {
        ("north", "order"): (2_000, 0),
        ("", "order"): (700, 0),
        ("", "review"): (30, 0),
        ("", "redemption"): (0, 500),
    }
    in_sql = read(
        data_dir,
        "SELECT issued, available, redeemed, expired, clawed_back, outstanding FROM projections.totals_by_day"
        " WHERE programme = %s",
        programme,
    )
    assert in_sql == [numbers]
    told = loyalty(data_dir, "totals", programme, "--by", "STORE").stdout
    assert "north" in told
    assert "2,000" in told


def test_how_old_open_holds_are(shop: Shop, programme: str, data_dir: Path) -> None:
    """Holds with their states and their age, and the lock behind a redemption (R17)."""
    (hold,) = shop.ledger.list_holds(min_position=shop.position).holds
    assert (hold.member, hold.redemption, hold.points, hold.state) == ("anna", "R-1", 500, HoldState.HOLD_STATE_HELD)
    rows = read(
        data_dir,
        "SELECT hold, state, now() - held_at < interval '1 hour' FROM projections.holds"
        " WHERE programme = %s ORDER BY hold",
        programme,
    )
    assert rows == [
        ("redemption:R-0", "CAPTURED", True),
        ("redemption:R-1", "HELD", True),
        ("redemption:R-2", "RELEASED", True),
    ]
    (lock,) = shop.ledger.list_locks(sku="mug", location="central", min_position=shop.position).locks
    assert (lock.redemption, lock.quantity) == ("R-1", shop.stock("mug")[1])
    assert "redemption:R-1" in loyalty(data_dir, "holds", programme).stdout


def test_what_was_bought_and_what_came_back(shop: Shop, programme: str, data_dir: Path) -> None:
    """Orders with what came back of them; a statement names the order."""
    shop.done(shop.ledger.refund_purchase(refund="B-1", order="A-2"))
    wait_for_views(data_dir)
    rows = read(
        data_dir,
        'SELECT "order", store, orders.due, points, coalesce(sum(returned.due)::bigint, 0)'
        " FROM projections.purchase_orders AS orders"
        ' LEFT JOIN projections.purchase_returned_lines AS returned USING (programme, channel, "order")'
        " WHERE programme = %s GROUP BY 1, 2, 3, 4 ORDER BY 1",
        programme,
    )
    assert rows == [("A-1", "north", 200_000, 2_000, 0), ("A-2", "", 70_000, 700, 70_000)]
    newest = shop.ledger.list_entries(member="bo", min_position=shop.position).entries[0]
    assert (newest.kind, newest.order, newest.points) == ("points.clawed_back.v1", "app/A-2", -700)


def test_a_file_for_other_programs(programme: str, data_dir: Path, tmp_path: Path) -> None:
    """A view as Parquet and the log as CSV; the numbers are those of SQL, and answers are for nobody."""
    path = tmp_path / "entries.parquet"
    assert loyalty(data_dir, "export", "statement_entries", "--output", path).returncode == 0
    rows = [row for row in pq.read_table(path).to_pylist() if row["programme"] == programme]
    ((points,),) = read(
        data_dir, "SELECT sum(points)::bigint FROM projections.statement_entries WHERE programme = %s", programme
    )
    assert sum(row["points"] for row in rows) == points == 2_230
    day = rows[0]["business_date"]
    loyalty(data_dir, "export", "events", "--format", "csv", "--from", day, "--output", tmp_path / "log.csv")
    assert f"{programme}/member/anna" in (tmp_path / "log.csv").read_text()
    refused = loyalty(data_dir, "export", "outcomes", "--output", tmp_path / "answers")
    assert refused.returncode == 2
    assert "statement_entries" in refused.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["entries.parquet", "log.csv"]


def test_psql_is_at_hand_and_can_only_read(programme: str, data_dir: Path) -> None:
    """K05: what the views mean stands beside them; answers and tables are for nobody who only reads."""
    described = loyalty(data_dir, "sql", "-c", r"\d+ projections.totals").stdout
    assert "the store of the order that the event names" in described
    count = f"SELECT count(*) FROM projections.holds WHERE programme = '{programme}'"
    assert loyalty(data_dir, "sql", "-Atc", count).stdout == "3\n"
    for statement in ("SELECT * FROM ledger.outcomes", "DELETE FROM projections.totals"):
        refused = loyalty(data_dir, "sql", "-c", statement)
        assert refused.returncode != 0
        assert "permission denied" in refused.stderr or "read-only" in refused.stderr


def test_the_stock_in_sql_is_the_stock_of_the_service(shop: Shop, programme: str, data_dir: Path) -> None:
    rows = read(
        data_dir,
        "SELECT sku, on_hand, locked, available, shipped FROM projections.inventory_items WHERE programme = %s"
        " ORDER BY sku",
        programme,
    )
    assert rows == [("bowl", 5, 0, 5, 0), ("mug", 4, 1, 3, 1)]
    items = shop.ledger.list_inventory(min_position=shop.position).items
    assert [(item.sku, item.on_hand, item.locked, item.available, item.shipped) for item in items] == rows


def test_a_balance_of_yesterday_can_be_asked_today(shop: Shop, programme: str) -> None:
    """Before the shop was there, anna had nothing; now she has (R18)."""
    assert shop.ledger.get_balance(member="anna", as_of=datetime.now(UTC) - timedelta(days=1)).balances[0].open == 0
    assert shop.points("anna").open == 1_000
    with pytest.raises(NotFound):
        shop.ledger.get_balance(member="nobody")


def test_what_we_showed_and_what_it_should_have_been(shop: Shop, data_dir: Path) -> None:
    """A till was off the line for an hour: what bo saw meanwhile, and what was hers (edge case 9, O03)."""
    shop.joins("bo")
    shop.thanks("bo", 30, review="r-1", occurred_at=datetime.now(UTC) - timedelta(hours=2))
    seen = datetime.now(UTC)
    sold = seen - timedelta(hours=1)
    shop.thanks("bo", 70, review="r-2", occurred_at=sold)
    ask = partial(shop.ledger.get_balance, member="bo", min_position=shop.position)
    assert ask().balances[0].open == ask(as_of=seen).balances[0].open == 100
    assert ask(as_of=seen, known_at=seen).balances[0].open == 30
    assert ask(as_of=sold - timedelta(seconds=1)).balances[0].open == 30
    early = ask(as_of=seen - timedelta(days=1))
    assert (early.balances[0].open, early.status) == (0, MemberStatus.MEMBER_STATUS_NOT_ENROLLED)
    lots = shop.ledger.list_lots(member="bo", as_of=seen, known_at=seen).lots
    assert [(lot.points, lot.source.id) for lot in lots] == [(30, "r-1")]

    programme = shop.ledger.aio.header.programme
    rows = read(
        data_dir,
        "SELECT sum(remaining) FROM projections.postings_points"
        " WHERE programme = %s AND member = 'bo' AND effective_at <= %s AND recorded_at <= %s",
        programme,
        seen,
        seen,
    )
    assert rows == [(30,)]
    shown = loyalty(data_dir, "balance", programme, "bo", f"--as-of={sold:%Y-%m-%d %H:%M}")
    assert "review r-1" in shown.stdout
    assert "review r-2" not in shown.stdout


def test_stock_of_the_past_is_what_was_booked_by_then(shop: Shop, data_dir: Path) -> None:
    """A delivery that was booked late: the shelf as it was shown, and as it was (edge case 9)."""
    delivered = datetime.now(UTC) - timedelta(hours=1)
    seen = datetime.now(UTC)
    for sku in ("mug", "cup"):
        shop.done(
            shop.ledger.receive_stock(sku=sku, location="central", quantity=5, unit_cost=100, occurred_at=delivered)
        )
    item = shop.ledger.get_inventory(sku="mug", location="central", as_of=seen, min_position=shop.position).item
    assert item.on_hand == 5
    assert len(shop.ledger.list_inventory(as_of=delivered).items) == 2
    assert len(shop.ledger.list_inventory(as_of=seen, known_at=seen).items) == 0
    with pytest.raises(NotFound):
        shop.ledger.get_inventory(sku="mug", location="central", known_at=seen)
    programme = shop.ledger.aio.header.programme
    known = loyalty(data_dir, "inventory", programme, "--known-at=2026-01-01")
    assert "as known at 2026-01-01 00:00:00 UTC" in known.stdout
    assert "mug" not in known.stdout.replace(programme, "")


def test_the_command_line_shows_the_same(shop: Shop, programme: str, data_dir: Path) -> None:
    """Balance, statement and inventory, without a program of one's own."""
    assert "1,000" in loyalty(data_dir, "balance", programme, "anna").stdout
    assert "redemption R-0" in loyalty(data_dir, "statement", programme, "anna").stdout
    assert "bowl" in loyalty(data_dir, "inventory", programme).stdout
    missing = loyalty(data_dir, "balance", programme, "nobody")
    assert missing.returncode == 1
    assert "not found" in missing.stderr

"""The query service over a socket, in front of fakes: what is asked arrives, what is answered comes back."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2

from adapters.grpc.client.ids import uuid7_text
from ledger.calendar import SECOND
from ledger.errors import InvalidCommand
from ledger.receipts import Receipt
from ledger.refusals import Reason, refuse
from loyalty.v1 import answers_pb2, events_pb2
from loyalty.v1 import queries_pb2 as q
from loyalty.v1 import types_pb2 as t
from projections.queries import NotFound, TooFarBehind
from projections.reports import Dimension
from tests.integration.grpc_world import AT, NOON, World, batch, detail_of, earn, fails, reason_of, running

ITEM = q.StockItem(
    sku="cup", location="north", on_hand=5, locked=7, available=0, shipped=4, received=9, value=4500, counted=-1,
    transferred=1, shortage=2, discontinued=True,
)  # fmt: skip


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with running() as world:
        yield world


async def test_a_balance_is_asked_for_two_times_and_a_position(world: World) -> None:
    asked = {"as_of": NOON, "known_at": NOON.replace(second=1)}
    answer = await world.views.GetBalance(
        q.GetBalanceRequest(programme="acme", member="a/b", min_position="1-10", **asked)
    )
    assert world.queries.asked == ("acme", "a%2Fb", AT, AT + SECOND, 16)
    balance = t.Balance(member="a/b", unit="PTS", open=5, held=3, balance=8)
    status = "MEMBER_STATUS_FROZEN"
    assert answer == q.GetBalanceResponse(balances=[balance], position="1-ff", status=status, **asked)


async def test_lots_come_in_pages(world: World) -> None:
    request = q.ListLotsRequest(programme="acme", member="anna", known_at=NOON, page_size=9_999, page_token="there")
    page = await world.views.ListLots(request)
    assert world.queries.asked == ("acme", "anna", None, AT, 0, 1_000, "there")
    source = t.Source(type="order", id="till/A 1")
    lot = q.Lot(
        lot="anna:1", unit="PTS", points=5, held=3, granted=8, earned_at=NOON, available_at=NOON, issued="2026-03",
        funding="FUNDING_SALE", source=source, root="anna:1", quarantined=True,
    )  # fmt: skip
    assert page == q.ListLotsResponse(lots=[lot], next_page_token="next", position="1-ff")


async def test_a_statement_has_its_sources(world: World) -> None:
    page = await world.views.ListEntries(q.ListEntriesRequest(programme="acme", member="anna"))
    assert world.queries.asked == ("acme", "anna", 0, 100, "")
    entry = q.Entry(
        position="1-10", kind="points.earned.v1", unit="PTS", points=8, balance=8, occurred_at=NOON, recorded_at=NOON,
        business_date="2026-03-31", channel="till 7", source=t.Source(type="order", id="A1"), rule="r1",
        lots=[q.LotPoints(lot="a:1", points=8)], reason="thanks", order="till 7/A1",
    )  # fmt: skip
    assert page == q.ListEntriesResponse(entries=[entry], position="1-ff")


REDEMPTION = q.Redemption(
    redemption="x 1", member="anna", reward="mug", quantity=2, state="REDEMPTION_STATE_TIMED_OUT",
    kind="REWARD_KIND_GOODS", price=t.Price(points=t.Amount(unit="PTS", value=1000), cash=20), sku="cup",
    location="north", outbound="out-1", placed_at=NOON, expires_at=NOON, closed_at=NOON, cancelled=2,
    cash_returned=20, destination="bei jing", allocation_version=3,
)  # fmt: skip


async def test_a_redemption_has_its_state(world: World) -> None:
    answer = await world.views.GetRedemption(q.GetRedemptionRequest(programme="acme", redemption="x 1"))
    assert world.queries.asked == ("acme", "x%201", 0)
    assert answer.redemption == REDEMPTION


async def test_redemptions_come_in_pages(world: World) -> None:
    request = q.ListRedemptionsRequest(programme="acme", member="a/b", page_size=7, page_token="there")
    page = await world.views.ListRedemptions(request)
    assert world.queries.asked == ("acme", "a%2Fb", 0, 7, "there")
    assert page == q.ListRedemptionsResponse(redemptions=[REDEMPTION], next_page_token="next", position="1-ff")


async def test_one_stock_item(world: World) -> None:
    request = q.GetInventoryRequest(programme="acme", sku="cup", location="north", as_of=NOON, min_position="1-2")
    assert (await world.views.GetInventory(request)).item == ITEM
    assert world.queries.asked == ("acme", "cup", "north", AT, None, 2)


async def test_all_stock_items_of_a_programme(world: World) -> None:
    page = await world.views.ListInventory(q.ListInventoryRequest(programme="acme", known_at=NOON, page_size=5))
    assert page == q.ListInventoryResponse(items=[ITEM], position="1-ff")
    assert world.queries.asked == ("acme", "", None, AT, 0, 5, "")


async def test_locks_are_named_as_their_callers_named_them(world: World) -> None:
    page = await world.views.ListLocks(q.ListLocksRequest(programme="acme", sku="cup", location="a/b", page_size=5))
    assert world.queries.asked == ("acme", "cup", "a%2Fb", 0, 5, "")
    own = q.StockLock(sku="cup", location="north", lock="k 1", quantity=2, locked_at=NOON, expires_at=NOON)
    of_redemption = q.StockLock(
        sku="cup", location="north", quantity=1, locked_at=NOON, expires_at=NOON, redemption="x 1"
    )
    assert page == q.ListLocksResponse(locks=[own, of_redemption], next_page_token="next", position="1-ff")


async def test_holds_have_their_states_and_their_age(world: World) -> None:
    page = await world.views.ListHolds(q.ListHoldsRequest(programme="acme", member="a/b", min_position="1-2"))
    assert world.queries.asked == ("acme", "a%2Fb", 2, 100, "")
    held = q.PointsHold(
        hold="h 1", member="a/b", state="HOLD_STATE_PARTLY_CAPTURED", unit="PTS", points=9, captured=4, released=1,
        channel="till 7", held_at=NOON, expires_at=NOON,
    )  # fmt: skip
    timed_out = q.PointsHold(
        member="anna", state="HOLD_STATE_TIMED_OUT", unit="PTS", points=5, released=5, redemption="x 1",
        channel="shop", held_at=NOON, expires_at=NOON, ended_at=NOON,
    )  # fmt: skip
    assert page == q.ListHoldsResponse(holds=[held, timed_out], next_page_token="next", position="1-ff")


async def test_what_expires_is_asked_for_by_days(world: World) -> None:
    request = q.ListExpiringRequest(programme="acme", from_date="2026-03-01", to_date="2026-03-31", page_token="there")
    page = await world.views.ListExpiring(request)
    assert world.queries.asked == ("acme", "", date(2026, 3, 1), date(2026, 3, 31), 0, 100, "there")
    points = q.ExpiringPoints(member="a/b", unit="PTS", points=9, expires_at=NOON, last_day="2026-03-30")
    assert page == q.ListExpiringResponse(expiring=[points], next_page_token="next", position="1-ff")


async def test_what_expires_is_asked_for_one_member_without_any_days(world: World) -> None:
    await world.views.ListExpiring(q.ListExpiringRequest(programme="acme", member="anna"))
    assert world.queries.asked == ("acme", "anna", None, None, 0, 100, "")


async def test_totals_are_asked_for_by_dimensions(world: World) -> None:
    request = q.GetTotalsRequest(
        programme="acme",
        from_date="2026-03-01",
        to_date="2026-03-31",
        by=["TOTALS_DIMENSION_STORE", "TOTALS_DIMENSION_CHANNEL", "TOTALS_DIMENSION_STORE"],
    )
    page = await world.views.GetTotals(request)
    by = {Dimension.STORE, Dimension.CHANNEL}
    assert world.queries.asked == ("acme", date(2026, 3, 1), date(2026, 3, 31), by, 0, 100, "")
    totals = q.Totals(
        business_date="2026-03-31", unit="PTS", channel="till 7", store="s 1", source="order", campaign="c 1",
        issued=8, available=7, redeemed=6, expired=5, clawed_back=4, forfeited=3, reinstated=2, outstanding=-8,
    )  # fmt: skip
    assert page == q.GetTotalsResponse(totals=[totals], next_page_token="next", position="1-ff")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"from_date": ""}, "from_date"),
        ({"from_date": "20260301"}, "from_date"),
        ({"to_date": "2026-W09-1"}, "to_date"),
        ({"to_date": "2026-02-30"}, "to_date"),
        ({"to_date": "1969-12-31"}, "to_date"),
        ({"to_date": "9999-01-01"}, "to_date"),
        ({"by": [0]}, "by"),
        ({"by": [99]}, "by"),
        ({"by": [1] * 5}, "by"),
    ],
)
async def test_totals_of_no_range_name_the_field(world: World, fields: dict[str, Any], field: str) -> None:
    asked = {"programme": "acme", "from_date": "2026-03-01", "to_date": "2026-03-31", **fields}
    failure = await fails(world.views.GetTotals(q.GetTotalsRequest(**asked)))
    violations = detail_of(failure, error_details_pb2.BadRequest).field_violations
    assert [violation.field for violation in violations] == [field]
    assert world.queries.times_asked == 0


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (NotFound("member", "a%2Fb"), grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
        (TooFarBehind(), grpc.StatusCode.UNAVAILABLE, "VIEW_BEHIND"),
        (InvalidCommand("page_token", "is malformed"), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        (RuntimeError("secret"), grpc.StatusCode.INTERNAL, "INTERNAL"),
    ],
)
async def test_a_query_that_fails_says_why(world: World, error: Exception, code: grpc.StatusCode, reason: str) -> None:
    world.queries.failure = error
    failure = await fails(world.views.GetBalance(q.GetBalanceRequest(programme="acme", member="a/b")))
    assert (failure.code(), reason_of(failure)) == (code, reason)
    assert "secret" not in str(failure)


@pytest.mark.parametrize("fields", [{"member": ""}, {"min_position": "7"}, {"page_size": -1}, {"programme": "a\tb"}])
async def test_a_bad_query_names_its_field(world: World, fields: dict[str, Any]) -> None:
    failure = await fails(world.views.ListLots(q.ListLotsRequest(**{"programme": "acme", "member": "anna", **fields})))
    violations = detail_of(failure, error_details_pb2.BadRequest).field_violations
    assert [violation.field for violation in violations] == list(fields)


async def test_what_became_of_a_command_can_be_asked(world: World) -> None:
    accepted, refused = uuid7_text(), uuid7_text()
    world.ledger.answers += [Receipt(3), refuse(Reason.SAME_MEMBER, member="anna")]
    await world.commands.Execute(batch(earn(command_id=accepted), earn(command_id=refused)))
    answer = await world.views.GetCommand(q.GetCommandRequest(command_id=accepted))
    assert answer.receipt == answers_pb2.Receipt(position="1-3", repeated=True)
    answer = await world.views.GetCommand(q.GetCommandRequest(command_id=refused))
    assert (answer.refusal.reason, answer.refusal.repeated) == (answers_pb2.REFUSAL_REASON_SAME_MEMBER, True)
    failure = await fails(world.views.GetCommand(q.GetCommandRequest(command_id=uuid7_text())))
    assert failure.code() is grpc.StatusCode.NOT_FOUND


async def test_events_come_in_order_from_a_position_on(world: World) -> None:
    request = events_pb2.SubscribeEventsRequest(
        after="1-a", programme="acme", stream="acme/member/a%2Fb", topics=["member.enrolled.v1"]
    )
    messages = [message async for message in world.views.SubscribeEvents(request)]
    assert world.log.asked == (10, "acme", "acme/member/a%2Fb", ("member.enrolled.v1",), False)
    assert [len(message.events) for message in messages] == [2, 1, 1]
    assert messages[0].events[0] == events_pb2.RecordedEvent(
        position="1-b", programme="acme", stream="acme/member/a%2Fb", version=11, topic="member.enrolled.v1",
        command_id="00010203-0405-0607-0809-0a0b0c0d0e0f", actor="shop", channel="till 7",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", occurred_at=NOON,
        recorded_at=NOON.replace(microsecond=1), business_date="2026-03-31", event="{}", hash=bytes(32),
    )  # fmt: skip

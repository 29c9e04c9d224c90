"""The Python client against a real server in front of fakes: arguments, batches, retries, exceptions, threads."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from adapters.grpc.client import (
    Amount,
    AsyncLedgerClient,
    CommandIdReused,
    InternalError,
    InvalidArgument,
    LedgerClient,
    LedgerClientError,
    Line,
    NotFound,
    Overloaded,
    PointUnit,
    Price,
    Receipt,
    Refused,
    Retries,
    Settings,
    Source,
    Tender,
    TimedOut,
    Unavailable,
    uuid7,
)
from adapters.grpc.server import ServerOptions
from ledger import commands as c
from ledger import errors, quantities
from ledger import events as e
from ledger import settings as st
from ledger.receipts import Receipt as Accepted
from ledger.refusals import Reason, refuse
from loyalty.v1.queries_pb2 import MEMBER_STATUS_FROZEN
from projections import queries
from tests.integration.grpc_world import AT, NOON, World, batch, earn, running

QUICK = Retries(attempts_max=4, first_seconds_max=0.01)
ORDER = Source(type="order", id="A1")
PTS = quantities.Amount("PTS", 100)
PRICE = Price(points=Amount(unit="PTS", value=100), cash=7)


def client_of(world: World, **options: Any) -> AsyncLedgerClient:
    return AsyncLedgerClient(
        world.address, **{"programme": "acme", "channel": "shop", "actor": "tests", "retries": QUICK, **options}
    )


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with running() as world:
        yield world


@pytest_asyncio.fixture
async def client(world: World) -> AsyncIterator[AsyncLedgerClient]:
    async with client_of(world) as client:
        yield client


async def give(client: AsyncLedgerClient, member: str = "anna", **more: Any) -> Receipt:
    return await client.earn(member=member, points=100, unit="PTS", source=ORDER, **more)


SETTINGS = Settings(
    zone="UTC", clock="CLOCK_KIND_WALL", units=[PointUnit(name="PTS")], currency="EUR", earning_unit="PTS",
    earning_rate="1", rounding="ROUNDING_DOWN", point_value="1",
)  # fmt: skip


@pytest.mark.parametrize(
    ("method", "arguments", "command"),
    [
        (
            "open_programme",
            {"settings": SETTINGS},
            c.OpenProgramme(
                st.Settings("UTC", st.ClockKind.WALL, (st.PointUnit("PTS"),), "EUR", 0, "PTS", "1",
                            quantities.Rounding.DOWN, "1", 7 * 86_400, 30 * 86_400)
            ),
        ),
        (
            "change_programme",
            {"settings": SETTINGS, "valid_from": NOON},
            c.ChangeProgramme(
                st.Settings("UTC", st.ClockKind.WALL, (st.PointUnit("PTS"),), "EUR", 0, "PTS", "1",
                            quantities.Rounding.DOWN, "1", 7 * 86_400, 30 * 86_400),
                AT,
            ),
        ),
        ("advance_clock", {"now": NOON}, c.AdvanceClock(AT)),
        ("enrol_member", {"member": "anna"}, c.EnrolMember("anna")),
        (
            "freeze_member",
            {"member": "anna", "reason": "anomaly", "case": "K7"},
            c.FreezeMember("anna", "anomaly", "K7"),
        ),
        (
            "unfreeze_member",
            {"member": "anna", "reason": "cleared", "extend_until": NOON},
            c.UnfreezeMember("anna", "cleared", "", AT),
        ),
        ("close_member", {"member": "anna", "reason": "moved"}, c.CloseMember("anna", "moved")),
        (
            "earn",
            {"member": "anna", "points": 100, "unit": "PTS", "source": ORDER, "funding": "SALE", "expires_at": NOON},
            c.Earn("anna", PTS, e.Source("order", "A1"), e.Funding.SALE, None, AT),
        ),
        (
            "earn",
            {"member": "anna", "points": 100, "unit": "PTS", "source": ORDER, "awaits_activation": True},
            c.Earn("anna", PTS, e.Source("order", "A1"), awaits_activation=True),
        ),
        (
            "record_purchase",
            {"member": "anna", "order": "A1", "lines": [Line(sku="tea", net=5)], "available_at": NOON,
             "awaits_activation": True},
            c.RecordPurchase("anna", "A1", (e.Line("tea", 0, 0, 5),), "", (), AT, True),
        ),
        ("activate", {"member": "anna", "source": ORDER}, c.Activate("anna", e.Source("order", "A1"))),
        ("activate", {"member": "anna", "lots": ["anna:1"]}, c.Activate("anna", lots=("anna:1",))),
        (
            "extend_expiry",
            {"member": "anna", "expires_at": NOON, "reason": "goodwill", "until": NOON, "unit": "PTS"},
            c.ExtendExpiry("anna", AT, "goodwill", (), AT, "PTS"),
        ),
        (
            "record_purchase",
            {"member": "anna", "order": "A1", "lines": [Line(sku="tea", quantity=1, net=5)],
             "tenders": [Tender(type="TENDER_TYPE_CASH", amount=5)]},
            c.RecordPurchase("anna", "A1", (e.Line("tea", 1, 0, 5),), "", (e.Tender(e.TenderType.CASH, 5),)),
        ),
        (
            "define_reward",
            {"reward": "mug", "kind": "GOODS", "price": PRICE, "sku": "cup", "substitutes": ["bowl"]},
            c.DefineReward("mug", e.RewardKind.GOODS, e.Price(PTS, 7), sku="cup", substitutes=("bowl",)),
        ),
        (
            "redeem",
            {"redemption": "x", "member": "anna", "reward": "mug", "expected_price": PRICE},
            c.Redeem("x", "anna", "mug", expected_price=e.Price(PTS, 7)),
        ),
        ("redeem", {"redemption": "x", "member": "anna", "reward": "mug", "destination": "north"},
         c.Redeem("x", "anna", "mug", destination="north")),
        ("fulfil", {"redemption": "x"}, c.Fulfil("x")),
        ("fulfil", {"redemption": "x", "quantity": 2}, c.Fulfil("x", 2)),
        ("cancel", {"redemption": "x"}, c.Cancel("x")),
        ("cancel", {"redemption": "x", "quantity": 1}, c.Cancel("x", 1)),
        (
            "hold",
            {"hold": "h", "member": "anna", "points": 100, "unit": "PTS", "expires_at": NOON},
            c.Hold("h", "anna", PTS, AT),
        ),
        ("release_hold", {"hold": "h", "member": "anna"}, c.ReleaseHold("h", "anna")),
        (
            "transfer",
            {"sender": "anna", "receiver": "bo", "points": 100, "unit": "PTS"},
            c.Transfer("anna", "bo", PTS),
        ),
        ("expire_due", {"cut_off": NOON, "member": "anna"}, c.ExpireDue(AT, "anna")),
    ],
)  # fmt: skip
async def test_arguments_arrive_as_the_ledgers_command(
    world: World, client: AsyncLedgerClient, method: str, arguments: dict[str, Any], command: c.Command
) -> None:
    assert (await getattr(client, method)(**arguments)).position == "1-1"
    ((request,),) = world.ledger.batches
    assert request.commands == (command,)


async def test_a_header_has_defaults_and_takes_what_is_given(world: World, client: AsyncLedgerClient) -> None:
    await give(client)
    command_id = uuid4()
    await give(
        client, command_id=command_id, occurred_at=NOON, channel="till-7", correlation_id="c1", validate_only=True
    )
    ((usual,), (given,)) = world.ledger.batches
    assert (usual.programme, usual.channel, usual.actor) == ("acme", "shop", "tests")
    assert UUID(bytes=usual.id).version == 7
    assert abs(usual.occurred_at / 1e6 - time.time()) < 10
    assert (given.id, given.occurred_at, given.channel) == (command_id.bytes, AT, "till-7")
    assert (given.correlation_id, given.validate_only) == ("c1", True)


async def test_a_time_without_a_zone_is_refused(client: AsyncLedgerClient) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        await give(client, occurred_at=datetime(2026, 3, 31))  # noqa: DTZ001 - that is the point


# Batches


async def test_concurrent_calls_share_batches(world: World, client: AsyncLedgerClient) -> None:
    receipts = await asyncio.gather(*(give(client, f"m{number}") for number in range(1000)))
    assert {receipt.position for receipt in receipts} == {f"1-{number + 1:x}" for number in range(1000)}
    assert [len(requests) for requests in world.ledger.batches] == [250] * 4


async def test_four_batches_are_in_flight_while_the_next_gathers(world: World, client: AsyncLedgerClient) -> None:
    world.ledger.gate.clear()
    calls = []
    for _ in range(4):
        calls.append(asyncio.ensure_future(give(client)))
        await world.ledger.arrivals.get()
    calls += [asyncio.ensure_future(give(client)) for _ in range(50)]
    await asyncio.sleep(0.05)
    assert [len(requests) for requests in world.ledger.batches] == [1] * 4
    world.ledger.gate.set()
    await asyncio.gather(*calls)
    assert [len(requests) for requests in world.ledger.batches] == [1] * 4 + [50]


async def test_a_caller_who_gives_up_does_not_disturb_the_others(world: World, client: AsyncLedgerClient) -> None:
    world.ledger.gate.clear()
    leaver, stayer = asyncio.ensure_future(give(client)), asyncio.ensure_future(give(client))
    await world.ledger.arrivals.get()
    leaver.cancel()
    world.ledger.gate.set()
    assert (await stayer).position == "1-2"
    assert leaver.cancelled()


async def test_closing_waits_for_what_was_submitted(world: World) -> None:
    client = client_of(world)
    calls = [asyncio.ensure_future(give(client)) for _ in range(3)]
    await asyncio.sleep(0)
    await client.close()
    assert all(call.result().position for call in calls)


async def test_a_batch_that_is_already_made_goes_as_it_is(world: World, client: AsyncLedgerClient) -> None:
    world.ledger.failures.append(errors.Unavailable())
    response = await client.execute(batch(earn(), earn("")))
    assert [result.WhichOneof("result") for result in response.results] == ["receipt", "error"]
    assert len(world.ledger.batches) == 2


# Retries


@pytest.mark.parametrize("failure", [errors.Unavailable(), errors.Overloaded(), errors.Fenced()])
async def test_a_failed_call_is_sent_again_with_the_same_ids(
    world: World, client: AsyncLedgerClient, failure: Exception
) -> None:
    world.ledger.failures.append(failure)
    await asyncio.gather(give(client), give(client))
    first, second = world.ledger.batches
    assert first == second


async def test_only_what_failed_within_a_batch_is_sent_again(world: World, client: AsyncLedgerClient) -> None:
    world.ledger.answers += [Accepted(1), errors.Unavailable(), refuse(Reason.SAME_MEMBER), errors.Overloaded()]
    results = await asyncio.gather(*(give(client, member) for member in "abcd"), return_exceptions=True)
    assert [type(result) for result in results] == [Receipt, Receipt, Refused, Receipt]
    first, second = world.ledger.batches
    assert second == [first[1], first[3]]


@pytest.mark.parametrize(("failure", "kind"), [(errors.Unavailable(), Unavailable), (errors.Overloaded(), Overloaded)])
async def test_retries_end(
    world: World, client: AsyncLedgerClient, failure: errors.LedgerError, kind: type[LedgerClientError]
) -> None:
    world.ledger.failures += [failure] * QUICK.attempts_max
    with pytest.raises(kind):
        await give(client)
    world.ledger.answers += [failure] * QUICK.attempts_max
    with pytest.raises(kind):
        await give(client)
    assert len(world.ledger.batches) == 2 * QUICK.attempts_max


async def test_a_client_outlives_a_restart_of_the_server() -> None:
    async with running() as old:
        address = old.address
        client = client_of(old, retries=Retries(attempts_max=30, first_seconds_max=0.1, seconds_max=0.2))
        await give(client)
    call = asyncio.ensure_future(give(client))
    await asyncio.sleep(0.1)
    async with running(ServerOptions(address)) as new:
        assert (await call).position == "1-1"
        assert len(new.ledger.batches) == 1
        await client.close()


async def test_calls_that_a_stopping_server_has_not_taken_yet_are_made_again() -> None:
    """Arrived but never seen by the service, they end as CANCELLED, as if their caller had wanted that.

    https://github.com/grpc/grpc/issues/41785
    """
    patient = Retries(attempts_max=50, seconds_max=0.2)
    with ThreadPoolExecutor(100) as threads:
        async with running() as old:
            client = LedgerClient(old.address, programme="acme", retries=patient)
            asked = [threads.submit(client.get_balance, member="anna") for _ in range(100)]
            time.sleep(0.5)  # noqa: ASYNC251 - they arrive while the server's event loop stands still
        assert old.queries.times_asked < 100
        async with running(ServerOptions(old.address)):
            for answer in asked:
                assert (await asyncio.wrap_future(answer)).status == MEMBER_STATUS_FROZEN
            await asyncio.to_thread(client.close)


# Exceptions


async def test_a_refusal_has_its_reason_and_its_facts(world: World, client: AsyncLedgerClient) -> None:
    world.ledger.answers += [
        refuse(Reason.INSUFFICIENT_POINTS, member="a%2Fb", unit="PTS", wanted=5, spendable=2),
        refuse(Reason.OUT_OF_STOCK, sku="cup", location="n", wanted=2, available=1, substitutes=["b"], quote_points=1,
               quote_unit="PTS", quote_cash=3),
        refuse(Reason.PRICE_CHANGED, points=1, unit="PTS", cash=2, paid=1),
        refuse(Reason.CAP_EXCEEDED, member="anna", unit="PTS", wanted=5, cap=9, used=7, resets_at=AT),
    ]  # fmt: skip
    found = await asyncio.gather(*(give(client) for _ in range(4)), return_exceptions=True)
    assert [(refused.reason, refused.facts) for refused in found if isinstance(refused, Refused)] == [
        ("INSUFFICIENT_POINTS", {"member": "a/b", "unit": "PTS", "wanted": 5, "spendable": 2}),
        (
            "OUT_OF_STOCK",
            {"sku": "cup", "location": "n", "wanted": 2, "available": 1, "substitutes": ["b"], "quote_points": 1,
             "quote_unit": "PTS", "quote_cash": 3},
        ),
        ("PRICE_CHANGED", {"points": 1, "unit": "PTS", "cash": 2, "paid": "1"}),
        ("CAP_EXCEEDED", {"member": "anna", "unit": "PTS", "wanted": 5, "cap": 9, "used": 7, "resets_at": NOON}),
    ]  # fmt: skip


async def test_bad_input_names_its_field(client: AsyncLedgerClient) -> None:
    with pytest.raises(InvalidArgument, match="member: is missing") as caught:
        await give(client, "")
    assert (caught.value.field, caught.value.reason) == ("member", "INVALID_ARGUMENT")
    with pytest.raises(InvalidArgument) as caught:
        await client.get_balance(member="anna", min_position="?")
    assert caught.value.field == "min_position"


async def test_a_command_id_is_for_one_request(client: AsyncLedgerClient) -> None:
    command_id = uuid7()
    await give(client, command_id=command_id, occurred_at=NOON)
    assert (await give(client, command_id=command_id, occurred_at=NOON)).repeated
    with pytest.raises(CommandIdReused):
        await give(client, "bo", command_id=command_id, occurred_at=NOON)


async def test_what_breaks_in_the_service_has_an_id(world: World, client: AsyncLedgerClient) -> None:
    world.ledger.failures.append(RuntimeError("secret"))
    with pytest.raises(InternalError, match="correlation id"):
        await give(client)
    assert len(world.ledger.batches) == 1


async def test_a_call_ends_with_its_time(world: World) -> None:
    async with client_of(world, timeout_seconds=0.05) as client:
        world.ledger.gate.clear()
        with pytest.raises(TimedOut):
            await give(client)
        world.ledger.gate.set()


async def test_a_view_that_lags_is_not_asked_again(world: World, client: AsyncLedgerClient) -> None:
    world.queries.failure = queries.TooFarBehind()
    with pytest.raises(Unavailable) as caught:
        await client.get_balance(member="anna")
    assert (caught.value.reason, world.queries.times_asked) == ("VIEW_BEHIND", 1)


# Queries


async def test_queries_about_the_past_say_both_times(world: World, client: AsyncLedgerClient) -> None:
    asked = []
    for query in (
        client.get_balance(member="anna", as_of=NOON, known_at=NOON),
        client.list_lots(member="anna", known_at=NOON, page_size=7),
        client.get_inventory(sku="cup", location="north", as_of=NOON, known_at=NOON),
        client.list_inventory(as_of=NOON),
    ):
        await query
        asked.append(world.queries.asked)
    assert asked == [
        ("acme", "anna", AT, AT, 0),
        ("acme", "anna", None, AT, 0, 7, ""),
        ("acme", "cup", "north", AT, AT, 0),
        ("acme", "", AT, None, 0, 100, ""),
    ]


async def test_queries_take_the_clients_programme_or_another(world: World, client: AsyncLedgerClient) -> None:
    receipt = await give(client)
    balance = await client.get_balance(member="anna", min_position=receipt.position)
    assert balance.balances[0].open == 5
    assert world.queries.asked == ("acme", "anna", None, None, 1)
    assert (await client.list_lots(member="anna", page_size=7)).next_page_token == "next"
    assert (await client.list_entries(member="anna", programme="other")).entries[0].points == 8
    assert "other" in world.queries.asked
    assert (await client.get_redemption(redemption="x")).redemption.redemption == "x"
    assert (await client.get_inventory(sku="cup", location="north")).item.on_hand == 5
    assert len((await client.list_inventory()).items) == 1
    assert (await client.sweep(limit=3)).commands == 3
    ((request,),) = world.ledger.batches
    assert (await client.get_command(command_id=UUID(bytes=request.id))).receipt.repeated
    with pytest.raises(NotFound):
        await client.get_command(command_id=uuid4())


async def test_events_can_be_followed_and_left(client: AsyncLedgerClient) -> None:
    assert [event.position async for event in client.subscribe_events(follow=False)] == ["1-1", "1-2", "1-3", "1-4"]
    following = client.subscribe_events(after="1-9")
    assert (await anext(following)).position == "1-a"
    await following.aclose()
    with pytest.raises(InvalidArgument):
        await anext(client.subscribe_events(after="?"))


# Threads


async def test_threads_share_the_batches_of_a_blocking_client(world: World) -> None:
    def work() -> list[str]:
        with (
            LedgerClient(world.address, programme="acme", channel="shop", actor="tests") as client,
            ThreadPoolExecutor(32) as pool,
        ):

            def one(number: int) -> str:
                return client.earn(member=f"m{number}", points=1, unit="PTS", source=ORDER).position

            positions = list(pool.map(one, range(200)))
            assert client.get_balance(member="anna").balances[0].open == 5
            assert [event.position for event in client.subscribe_events(follow=False)][-1] == "1-4"
            for event in client.subscribe_events():
                positions.append(event.position)
                break
            with pytest.raises(InvalidArgument):
                client.enrol_member(member="")
            client.close()
            return positions

    positions = await asyncio.to_thread(work)
    assert len(set(positions[:-1])) == 200
    assert len(world.ledger.batches) < 150


def test_ids_grow_and_never_repeat() -> None:
    begin = time.time_ns() // 1_000_000
    ids = [uuid7() for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert {(found.version, found.variant) for found in ids} == {(7, "specified in RFC 4122")}
    assert begin <= ids[0].int >> 80 <= time.time_ns() // 1_000_000 + 1

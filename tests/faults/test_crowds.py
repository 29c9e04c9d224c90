"""Too many at once: a thousand clients, and more commands than the queue takes."""

import asyncio
import time
from collections.abc import Callable
from statistics import median

import grpc
import psycopg
import pytest

from loyalty.v1 import commands_pb2 as c
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from tests.faults.author import Author
from tests.faults.conftest import QUEUE_COMMANDS
from tests.faults.load import Answered
from tests.faults.memory import GROWTH_MIB_MAX, Peaks
from tests.faults.stand import Stand
from tests.integration.service import earn, header

Figure = Callable[[str], None]

CLIENTS = 1_000
ADMITTED_COMMANDS_MAX = 3 * QUEUE_COMMANDS
"""One queue full is committed, one is decided, one waits."""
CALL_COMMANDS = 500
CALLS = 30


def test_a_thousand_clients_connect_at_once(under_test: Stand, figure: Figure) -> None:
    """Each over a connection of its own, all in one moment; every one is answered (O06)."""
    with Peaks(under_test) as memory:
        took = asyncio.run(_connect_all(under_test))
    assert len(took) == CLIENTS
    assert memory.growth() < GROWTH_MIB_MAX
    figure(f"connected and answered after {median(took):.1f} s, {max(took):.1f} s at most; {memory}")
    figure(under_test.check())


async def _connect_all(under_test: Stand) -> list[float]:
    """How long each client took."""
    begin = asyncio.Event()

    async def one(member: str) -> float:
        enrol = c.EnrolMemberRequest(header=header(), member=member)
        batch = c.ExecuteRequest(commands=[c.Command(enrol_member=enrol), c.Command(earn=earn(member, source=member))])
        await begin.wait()
        sent = time.monotonic()
        options = [("grpc.use_local_subchannel_pool", 1)]  # or else channels share one connection
        async with grpc.aio.insecure_channel(under_test.service.address, options) as channel:
            response = await CommandServiceStub(channel).Execute(batch, wait_for_ready=True, timeout=60)
        assert all(result.HasField("receipt") for result in response.results), response
        under_test.journal.append(Answered(batch, response))
        return time.monotonic() - sent

    clients = [asyncio.create_task(one(f"crowd-{number}")) for number in range(CLIENTS)]
    await asyncio.sleep(0)
    begin.set()
    return await asyncio.gather(*clients)


def test_a_flood_is_refused_at_once_and_leaves_no_trace(under_test: Stand, figure: Figure) -> None:
    """RESOURCE_EXHAUSTED comes while no commit can end, so it waits for nothing; the rest is answered afterwards."""
    with Peaks(under_test) as memory:
        refused, accepted, ended_at = asyncio.run(_flood(under_test))
    assert refused + accepted == CALLS
    assert accepted > 0
    assert memory.growth() < GROWTH_MIB_MAX
    figure(f"{refused} of {CALLS} batches of {CALL_COMMANDS} refused at once, {accepted} accepted; {memory}")
    with under_test.load() as load:
        figure(f"answering again after {load.wait_for_answers(ended_at):.2f} s")
    figure(under_test.check())


async def _flood(under_test: Stand) -> tuple[int, int, float]:
    """The calls that were refused while no commit could end, those accepted, and when that was over."""
    batches = [Author(f"flood{number}", number, (CALL_COMMANDS,)).batch() for number in range(CALLS)]
    refused_min = CALLS - ADMITTED_COMMANDS_MAX // CALL_COMMANDS
    async with grpc.aio.insecure_channel(under_test.service.address) as channel:
        stub = CommandServiceStub(channel)
        with psycopg.connect(under_test.database.endpoint().app_dsn) as connection:
            connection.execute("SELECT FROM ledger.shards FOR UPDATE")  # which every commit needs
            calls = [asyncio.ensure_future(stub.Execute(batch, timeout=60)) for batch in batches]
            while sum(call.done() for call in calls) < refused_min:
                await asyncio.wait([call for call in calls if not call.done()], return_when=asyncio.FIRST_COMPLETED)
            with pytest.raises(grpc.aio.AioRpcError) as single:
                await asyncio.gather(
                    *(stub.Earn(earn("nobody", source=str(n)), timeout=60) for n in range(CALL_COMMANDS))
                )
            refused = [call.result() for call in calls if call.done()]
        ended_at = time.monotonic()
        responses = await asyncio.gather(*calls)
    assert single.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert {result.error.reason for response in refused for result in response.results} == {"OVERLOADED"}
    answered = [pair for pair in zip(batches, responses, strict=True) if not pair[1].results[0].HasField("error")]
    for pair in answered:
        under_test.journal.append(Answered(*pair))
    return len(refused), len(answered), ended_at

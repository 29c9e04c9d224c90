"""Too many at once: a thousand clients, and more commands than the queue takes."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import grpc
import pytest

from adapters.ipc.client import SILENCE_SECONDS_MAX
from ledger.writer import Limits
from loyalty.v1 import commands_pb2 as c
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from tests.faults.author import Author
from tests.faults.load import Answered
from tests.faults.memory import Peaks
from tests.faults.stand import Stand, stand
from tests.integration.service import earn, header

Figure = Callable[[str], None]

CLIENTS = 1_000
QUEUE_COMMANDS = 4_000
ADMITTED_COMMANDS_MAX = QUEUE_COMMANDS + 2 * Limits().batch_commands_max
"""What the gateway lets through: the writer's queue, and the two batches that it works on."""
CALL_COMMANDS = 500
CALLS = 60
GROWTH_MIB_MAX = 300
"""More than noise, and less than it would take to keep what is thrown at a process."""


def test_a_thousand_clients_connect_at_once(tmp_path: Path, figure: Figure) -> None:
    """Each over a connection of its own, all in one moment; every one is answered (O06)."""
    with stand(tmp_path) as under_test:
        with Peaks(under_test) as memory:
            took = asyncio.run(_connect_all(under_test))
        assert len(took) == CLIENTS
        figure(f"connected and answered after {median(took):.1f} s, {max(took):.1f} s at most; {memory}")
        assert memory.growth() < GROWTH_MIB_MAX
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


def test_a_flood_is_refused_at_once_and_leaves_no_trace(tmp_path: Path, figure: Figure) -> None:
    """RESOURCE_EXHAUSTED comes while the writer stands still, so it waits for nothing; the rest is answered later."""
    with stand(tmp_path, LOYALTY_QUEUE_COMMANDS_MAX=str(QUEUE_COMMANDS)) as under_test:
        with Peaks(under_test) as memory:
            flood = asyncio.run(_flood(under_test))
        figure(f"{flood.at_once} of {flood.calls} calls refused at once, {flood.accepted} accepted; {memory}")
        assert flood.at_once >= flood.calls - ADMITTED_COMMANDS_MAX // CALL_COMMANDS
        assert flood.single is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert flood.accepted > 0
        assert memory.growth() < GROWTH_MIB_MAX
        with under_test.load() as load:
            figure(f"answering again after {load.wait_for_answers(flood.ended_at):.2f} s")
        figure(under_test.check())


class Flood(NamedTuple):
    """What became of a flood."""

    calls: int
    at_once: int
    """Calls that were refused while the writer stood still."""
    single: grpc.StatusCode
    """How a command by itself was answered meanwhile."""
    accepted: int
    """Calls that were answered when the writer went on."""
    ended_at: float


async def _flood(under_test: Stand) -> Flood:
    batches = [Author(f"flood{number}", number, (CALL_COMMANDS,)).batch() for number in range(CALLS)]
    async with grpc.aio.insecure_channel(under_test.service.address) as channel:
        stub = CommandServiceStub(channel)
        under_test.service.signal(signal.SIGSTOP, "writer")
        calls = [asyncio.ensure_future(stub.Execute(batch, timeout=60)) for batch in batches]
        try:
            await asyncio.wait(calls, timeout=SILENCE_SECONDS_MAX / 2)
            with pytest.raises(grpc.aio.AioRpcError) as single:
                await stub.Earn(earn("nobody", source="single"))
            at_once = [call.result() for call in calls if call.done()]
        finally:
            under_test.service.signal(signal.SIGCONT, "writer")
        ended_at = time.monotonic()
        responses = await asyncio.gather(*calls)
    assert {result.error.reason for response in at_once for result in response.results} == {"OVERLOADED"}
    accepted = 0
    for batch, response in zip(batches, responses, strict=True):
        if not response.results[0].HasField("error"):
            accepted += 1
            under_test.journal.append(Answered(batch, response))
        else:
            assert {result.error.reason for result in response.results} == {"OVERLOADED"}
    return Flood(CALLS, len(at_once), single.value.code(), accepted, ended_at)

"""Clients that never read what they asked for: they take no memory, and nobody else notices."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import psycopg

from loyalty.v1 import commands_pb2 as c
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from loyalty.v1.events_pb2 import SubscribeEventsRequest
from loyalty.v1.queries_pb2_grpc import QueryServiceStub
from tests.faults.author import Author
from tests.faults.load import Answered, plain
from tests.faults.memory import GROWTH_MIB_MAX, Peaks
from tests.faults.stand import Stand

Figure = Callable[[str], None]

READERS = 50
EVENTS_MIN = 5_000
BATCHES = 2_000
"""Far more than fit into the buffers on the way."""
BATCH_COMMANDS = 200
SILENCE_SECONDS = 1.0
OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # or else channels share one connection
    ("grpc.http2.bdp_probe", 0),  # or else buffers grow to megabytes
)


@asynccontextmanager
async def connection(under_test: Stand) -> AsyncIterator[grpc.aio.Channel]:
    """A connection that is shared with nobody."""
    async with grpc.aio.insecure_channel(under_test.service.address, OPTIONS) as channel:
        yield channel


def test_subscribers_that_never_read_are_no_burden(under_test: Stand, figure: Figure) -> None:
    """Fifty of them follow the log and take nothing; then one reads, and nothing is missing."""
    with Peaks(under_test) as memory:
        read = asyncio.run(_subscribe_and_wait(under_test))
    assert read == list(range(1, len(read) + 1))
    assert memory.growth() < GROWTH_MIB_MAX
    figure(f"{READERS} readers, {len(read):,} events; {memory}")
    figure(under_test.check())


async def _subscribe_and_wait(under_test: Stand) -> list[int]:
    """The positions that one of them reads in the end."""
    async with AsyncExitStack() as stack:
        calls = []
        for _ in range(READERS):
            channel = await stack.enter_async_context(connection(under_test))
            calls.append(QueryServiceStub(channel).SubscribeEvents(SubscribeEventsRequest(follow=True)))
            await calls[-1].wait_for_connection()
        last = await asyncio.to_thread(_write, under_test)
        read: list[int] = []
        async for message in calls[-1]:
            read += [int(event.position.rpartition("-")[2], 16) for event in message.events]
            if read[-1] >= last:
                break
        for call in calls:
            call.cancel()
        return read


def _write(under_test: Stand) -> int:
    """Have a load write, until there is more than fits into buffers; returns the last position."""
    with under_test.load() as load, psycopg.connect(under_test.database.endpoint().app_dsn, autocommit=True) as log:
        while True:
            load.wait_for_answers(time.monotonic())
            row = log.execute("SELECT position FROM ledger.shards").fetchone()
            if row is not None and row[0] > EVENTS_MIN:
                return int(row[0])


def test_a_sender_that_never_reads_its_answers_is_held_up(under_test: Stand, figure: Figure) -> None:
    """It sends one batch again and again: not for ever. Others are served meanwhile, and in the end all is answered."""
    with Peaks(under_test) as memory:
        sent = asyncio.run(_send_and_never_read(under_test))
    assert sent < BATCHES, "it was never held up"
    assert memory.growth() < GROWTH_MIB_MAX
    figure(f"held up after {sent} batches of {BATCH_COMMANDS}; {memory}")
    figure(under_test.check())


async def _send_and_never_read(under_test: Stand) -> int:
    """How many times a batch was sent before the sender was held up."""
    batch, sent = Author("deaf", 1, (BATCH_COMMANDS,)).batch(), 0
    async with connection(under_test) as channel:
        call = CommandServiceStub(channel).ExecuteStream()
        enough = asyncio.Event()

        async def send() -> None:
            nonlocal sent
            while not enough.is_set() and sent < BATCHES:
                sent += 1
                await call.write(c.ExecuteStreamRequest(commands=batch.commands))
            await call.done_writing()

        sending = asyncio.create_task(send())
        before = -1
        while before < sent < BATCHES:
            before = sent
            await asyncio.sleep(SILENCE_SECONDS)
        await asyncio.to_thread(_others_are_served, under_test)
        enough.set()
        held_up_after = sent
        responses = [response async for response in call]
        await sending
    assert len(responses) == sent
    assert len({b"".join(map(plain, response.results)) for response in responses}) == 1
    under_test.journal.append(Answered(batch, responses[0]))
    return held_up_after


def _others_are_served(under_test: Stand) -> None:
    with under_test.load(clients=1) as load:
        load.wait_for_answers(time.monotonic())

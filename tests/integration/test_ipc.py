"""A gateway and a writer at the ends of a socket: what each does when the other is slow, silent, strange or gone."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.ipc import client as client_module
from adapters.ipc.client import WriterClient
from adapters.ipc.frames import FRAME_BYTES_MAX, UNSENT_BYTES_MAX
from adapters.ipc.messages import Answer, Job, Lead, encode
from adapters.ipc.server import WriterServer
from ledger.commands import EnrolMember, Request
from ledger.errors import InvalidCommand, LedgerError, Overloaded, Unavailable
from ledger.quantities import Balance
from ledger.receipts import Outcome, Receipt
from tests.contract.across import across_a_socket
from tests.integration.grpc_world import FakeLedger


def joins(number: int, commands: int = 1) -> Request:
    return Request(number.to_bytes(16, "big"), "club", 0, (EnrolMember(f"m{number}"),) * commands, "till", "shop")


def framed(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


class Leads:
    """What a client has told about the writer's lead."""

    def __init__(self, client: WriterClient) -> None:
        self.told: list[bool] = []
        self._changed = asyncio.Event()
        client.on_lead = self._tell

    def _tell(self, leads: bool) -> None:
        self.told.append(leads)
        self._changed.set()

    async def wait(self, *told: bool) -> None:
        """Wait until it has told so much, which must be this."""
        while len(self.told) < len(told):
            self._changed.clear()
            await self._changed.wait()
        assert self.told == list(told)


@asynccontextmanager
async def running(client: WriterClient) -> AsyncIterator[None]:
    task = asyncio.create_task(client.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "writer")


def unknown(answers: Sequence[Answer]) -> bool:
    """Whether all answers say that the outcome is unknown."""
    return all(isinstance(answer, Unavailable) and "outcome unknown" in str(answer) for answer in answers)


async def test_answers_find_those_who_asked_whatever_their_order() -> None:
    class Backwards(FakeLedger):
        """Answers in the reverse order of the questions."""

        async def execute(self, requests: Sequence[Request]) -> Sequence[Answer]:
            await asyncio.sleep(0.1 - requests[0].id[-1] / 1_000)
            return await super().execute(requests)

    async with across_a_socket(Backwards()) as ledger:
        answers = await asyncio.gather(*(ledger.execute([joins(number)]) for number in range(100)))
        ids = [answer.id for (answer,) in answers if isinstance(answer, Outcome)]
        assert ids == [joins(number).id for number in range(100)]


async def test_jobs_reach_the_writer_in_the_order_in_which_they_were_sent() -> None:
    fake = FakeLedger()
    async with across_a_socket(fake) as ledger:
        await asyncio.gather(*(ledger.execute([joins(number)] * (1 + number % 3)) for number in range(50)))
    assert [requests[0] for requests in fake.batches] == [joins(number) for number in range(50)]


async def test_a_job_of_thousands_of_requests_arrives_whole() -> None:
    fake = FakeLedger()
    async with across_a_socket(fake) as ledger:
        requests = [joins(number) for number in range(8_192)]
        answers = await ledger.execute(requests)
    assert fake.batches == [requests]
    assert [answer.id for answer in answers if isinstance(answer, Outcome)] == [request.id for request in requests]


async def test_without_a_writer_nothing_can_be_done(path: str) -> None:
    client = WriterClient(path, 10)
    async with running(client):
        (answer,) = await client.execute([joins(1)])
        assert isinstance(answer, Unavailable)
        assert "unknown" not in str(answer)


async def test_the_lead_travels(path: str) -> None:
    server, client = WriterServer(FakeLedger(), path), WriterClient(path, 10)
    leads = Leads(client)
    await server.start()
    async with running(client):
        server.set_leads(True)
        await leads.wait(True)
        server.set_leads(False)
        await leads.wait(True, False)
        server.set_leads(True)
        await leads.wait(True, False, True)
        await server.stop()
        await leads.wait(True, False, True, False)


async def test_when_the_connection_dies_outcomes_are_unknown_and_the_next_writer_is_found(path: str) -> None:
    """Whatever was on its way may or may not have happened: the same id is to be sent again (edge case 13)."""
    dying, client = FakeLedger(), WriterClient(path, 10)
    dying.gate.clear()
    leads = Leads(client)

    async def die_after_three_jobs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(encode(Lead(True))))
        for _ in range(3):
            await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
        writer.close()

    async with running(client):
        server = await asyncio.start_unix_server(die_after_three_jobs, path)
        await leads.wait(True)
        answers = await asyncio.gather(*(client.execute([joins(number), joins(9)]) for number in range(3)))
        assert [len(each) for each in answers] == [2, 2, 2]
        assert all(unknown(each) for each in answers)
        assert leads.told == [True, False]
        server.close()
        successor = WriterServer(FakeLedger(), path)
        successor.set_leads(True)
        await successor.start()
        await leads.wait(True, False, True)
        (answer,) = await client.execute([joins(0)])
        assert isinstance(answer, Outcome)
        await successor.stop()


async def test_a_writer_that_takes_no_connection_finds_out(path: str) -> None:
    """A socket that failed when memory ran out is closed, while the event loop turns on: no sign of life then."""
    server = WriterServer(FakeLedger(), path)
    await server.start()
    await server.check()
    await asyncio.to_thread(Path(path).unlink)
    with pytest.raises(FileNotFoundError):
        await server.check()
    await server.stop()


async def test_a_writer_that_falls_silent_is_away(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be stopped or hung, and another one may lead by now."""
    monkeypatch.setattr(client_module, "SILENCE_SECONDS_MAX", 0.2)

    async def say_one_word(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(encode(Lead(True))))
        await reader.read()
        writer.close()

    client = WriterClient(path, 10)
    leads = Leads(client)
    server = await asyncio.start_unix_server(say_one_word, path)
    async with running(client):
        await leads.wait(True)
        assert unknown(await client.execute([joins(1)]))
        assert leads.told[:2] == [True, False]
    server.close()


async def test_a_writer_that_is_only_slow_is_not_away(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.ipc.server.SIGN_OF_LIFE_SECONDS", 0.05)
    monkeypatch.setattr(client_module, "SILENCE_SECONDS_MAX", 1.0)
    slow, client = FakeLedger(), WriterClient(path, 10)
    slow.gate.clear()
    leads, server = Leads(client), WriterServer(slow, path)
    server.set_leads(True)
    await server.start()
    async with running(client):
        await leads.wait(True)
        answer = asyncio.create_task(client.execute([joins(1)]))
        await asyncio.sleep(1.5)
        assert not answer.done()
        slow.gate.set()
        assert isinstance((await answer)[0], Outcome)
        assert leads.told == [True]
    await server.stop()


async def test_more_than_a_writer_holds_is_refused_at_once_though_it_does_not_answer() -> None:
    fake = FakeLedger()
    fake.gate.clear()
    async with across_a_socket(fake, commands_max=10) as ledger:
        taken = [asyncio.create_task(ledger.execute([joins(number, commands=2)])) for number in range(5)]
        await asyncio.sleep(0)
        (answer,) = await ledger.execute([joins(6)])
        assert isinstance(answer, Overloaded)
        fake.gate.set()
        assert all(isinstance(answer, Outcome) for (answer,) in await asyncio.gather(*taken))
        assert joins(6) not in [request for batch in fake.batches for request in batch]
        assert isinstance((await ledger.execute([joins(6)]))[0], Outcome)


async def test_callers_that_leave_leave_nothing_behind() -> None:
    """A deadline or a cancelled call: the commands count until the writer is done with them, and no longer."""
    fake = FakeLedger()
    fake.gate.clear()
    async with across_a_socket(fake, commands_max=10) as ledger:
        for number in range(10):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ledger.execute([joins(number)]), 0.001)
        assert isinstance((await ledger.execute([joins(11)]))[0], Overloaded)
        for _ in range(10):
            await fake.arrivals.get()
        fake.gate.set()
        async with asyncio.timeout(10):
            while True:
                answer = (await ledger.execute([joins(12)] * 10))[0]
                if not isinstance(answer, Overloaded):
                    break
                await asyncio.sleep(0.001)
        assert isinstance(answer, Outcome)
        assert {joins(number).id for number in range(10)} <= set(fake.outcomes)


async def test_a_job_that_is_too_large_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FRAME_BYTES_MAX", 1_000)
    async with across_a_socket(FakeLedger(), commands_max=1_000) as ledger:
        answers = await ledger.execute([joins(number) for number in range(100)])
        assert [type(answer) for answer in answers] == [InvalidCommand] * 100
        assert isinstance((await ledger.execute([joins(1)]))[0], Outcome)


async def test_a_defect_of_the_writer_is_answered() -> None:
    fake = FakeLedger()
    fake.failures.append(RuntimeError("secret"))
    async with across_a_socket(fake) as ledger:
        answers = await ledger.execute([joins(1), joins(2)])
        assert [type(answer) for answer in answers] == [LedgerError, LedgerError]
        assert "secret" not in str(answers)
        assert isinstance((await ledger.execute([joins(1)]))[0], Outcome)


@pytest.mark.parametrize(
    "sent", [framed(b"nonsense"), struct.pack(">I", FRAME_BYTES_MAX + 1)], ids=["nonsense", "a frame without end"]
)
async def test_who_talks_nonsense_is_cut_off_and_nobody_else(path: str, sent: bytes) -> None:
    server, client = WriterServer(FakeLedger(), path), WriterClient(path, 10)
    server.set_leads(True)
    await server.start()
    leads = Leads(client)
    async with running(client):
        await leads.wait(True)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(sent)
        assert await reader.read() == framed(encode(Lead(True)))
        writer.close()
        assert isinstance((await client.execute([joins(1)]))[0], Outcome)
        assert leads.told == [True]
    await server.stop()


async def test_a_frame_may_come_byte_by_byte(path: str) -> None:
    server = WriterServer(FakeLedger(), path)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(path)
    lead = framed(encode(Lead(False)))
    assert await reader.readexactly(len(lead)) == lead
    for byte in framed(encode(Job.of(1, [joins(1)]))) * 2:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    first = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
    again = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
    assert len(first) == len(again)
    writer.close()
    await server.stop()


async def test_a_gateway_that_does_not_take_its_answers_is_read_no_more(path: str) -> None:
    """What it sends then waits on its own side; once it reads again, everything is answered."""

    class Wordy:
        taken = 0

        async def execute(self, requests: Sequence[Request]) -> Sequence[Answer]:
            self.taken += 1
            return [Outcome(b"i" * 16, b"h" * 16, Receipt(1, (Balance("m" * 64, "points", 1),) * 1_000))]

    jobs = 100
    job = Request(b"i" * 16, "club", 0, (EnrolMember("m" * 100_000),), "till", "shop")
    wordy = Wordy()
    server = WriterServer(wordy, path)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(path, limit=1_000)

    async def send() -> None:
        for number in range(jobs):
            writer.write(framed(encode(Job.of(number, [job]))))
            await writer.drain()

    sending = asyncio.create_task(send())
    settled = 0
    while wordy.taken > settled or not settled:
        settled = wordy.taken
        await asyncio.sleep(0.2)
    assert UNSENT_BYTES_MAX // 65_000 < settled < jobs // 2
    for _ in range(jobs + 1):  # the lead came first
        await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
    assert wordy.taken == jobs
    await sending
    writer.close()
    await server.stop()


async def test_a_stop_answers_what_was_taken(path: str) -> None:
    fake, client = FakeLedger(), WriterClient(path, 10)
    fake.gate.clear()
    leads, server = Leads(client), WriterServer(fake, path)
    server.set_leads(True)
    await server.start()
    async with running(client):
        await leads.wait(True)
        waiting = asyncio.create_task(client.execute([joins(1)]))
        await fake.arrivals.get()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.01)
        assert not stopping.done()
        fake.gate.set()
        assert isinstance((await waiting)[0], Outcome)
        await stopping
        await leads.wait(True, False)

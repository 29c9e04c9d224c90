"""A load: clients that send until they are told to end, and send again by command id what was not answered.

Whatever was answered is kept in a journal on disk, with its request, so that a long load takes little memory.
"""

import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import grpc

from loyalty.v1 import answers_pb2
from loyalty.v1 import commands_pb2 as c
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from tests.faults.author import Author

TRANSIENT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,  # by a server that stops, where it did not take the call
    }
)
"""After these a client sends the same command ids again."""
TRANSIENT_CODES = {status.value[0] for status in TRANSIENT}
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)
CALL_SECONDS_MAX = 10.0
WAIT_SECONDS_MAX = 120.0
"""For what comes in a second or two, unless the machine is busy with other things."""
RETRY_SECONDS = 0.02
_LENGTHS = struct.Struct(">II")


class Answered(NamedTuple):
    """Commands, and the final answer to each: a receipt or a refusal."""

    request: c.ExecuteRequest
    response: c.ExecuteResponse


class Journal:
    """What was answered, in a file; and what was not, until it is sent again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._lock = threading.Lock()
        self.unanswered: list[c.ExecuteRequest] = []

    def append(self, answered: Answered) -> None:
        """Keep a batch, from any thread, unless nothing of it was answered."""
        if not answered.request.commands:
            return
        parts = [message.SerializeToString() for message in answered]
        with self._lock:
            self._file.write(_LENGTHS.pack(*map(len, parts)) + b"".join(parts))

    def __iter__(self) -> Iterator[Answered]:
        """All batches so far."""
        with self._lock:
            self._file.flush()
        with self._path.open("rb") as file:
            while head := file.read(_LENGTHS.size):
                request, response = (file.read(length) for length in _LENGTHS.unpack(head))
                yield Answered(c.ExecuteRequest.FromString(request), c.ExecuteResponse.FromString(response))

    def empty(self) -> None:
        """Forget what was answered so far."""
        with self._lock:
            self._file.seek(0)
            self._file.truncate()

    def close(self) -> None:
        """Nothing more will be kept."""
        self._file.close()


class Call(NamedTuple):
    """A batch that was answered; seconds of `time.monotonic`."""

    begun: float
    """When it was sent for the first time."""
    sent: float
    """When the attempt was made that succeeded."""
    answered: float


class Load:
    """Clients at work."""

    def __init__(self, address: str, journal: Journal, authors: list[Author], calls_per_second: float = 0) -> None:
        """`calls_per_second`: of each client, at most; 0: as many as get answered."""
        self.journal = journal
        self.calls: list[Call] = []
        self.attempts_failed = 0
        self._address = address
        self._pause_seconds = 1 / calls_per_second if calls_per_second else 0.0
        self._ending = threading.Event()
        self._faults: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(author,)) for author in authors]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let every client send once more what is not answered, and stop. Raises what a client failed with."""
        self._ending.set()
        for thread in self._threads:
            thread.join()
        if self._faults:
            raise self._faults[0]

    def wait_for_answers(self, since: float, seconds: float = WAIT_SECONDS_MAX) -> float:
        """Wait for the answer to a call that was sent after a moment; returns the seconds between."""
        deadline = time.monotonic() + seconds
        seen = max(0, len(self.calls) - 1_000)
        while True:
            assert not self._faults, self._faults
            fresh = self.calls[seen:]
            for call in fresh:
                if call.sent > since:
                    return call.answered - since
            seen += len(fresh)
            assert time.monotonic() < deadline, f"no answers {seconds} s after the fault"
            time.sleep(0.005)

    def _run(self, author: Author) -> None:
        try:
            with grpc.insecure_channel(self._address, OPTIONS) as channel:
                stub = CommandServiceStub(channel)
                due = time.monotonic()
                while not self._ending.is_set():
                    self._send(stub, author.batch())
                    due = max(due + self._pause_seconds, time.monotonic() - 1)
                    self._ending.wait(max(0.0, due - time.monotonic()))
        except BaseException as fault:
            self._faults.append(fault)

    def _send(self, stub: CommandServiceStub, batch: c.ExecuteRequest) -> None:
        begun = time.monotonic()
        while True:
            last = self._ending.is_set()
            sent = time.monotonic()
            answered, left = attempt(stub, batch)
            self.journal.append(answered)
            if not left.commands:
                self.calls.append(Call(begun, sent, time.monotonic()))
                return
            self.attempts_failed += 1
            if last:
                self.journal.unanswered.append(left)
                return
            batch = left
            self._ending.wait(RETRY_SECONDS)


def attempt(stub: CommandServiceStub, batch: c.ExecuteRequest) -> tuple[Answered, c.ExecuteRequest]:
    """Send a batch: what was answered, and what was not. Raises RpcError where retrying is no use."""
    answered, left = Answered(c.ExecuteRequest(), c.ExecuteResponse()), c.ExecuteRequest()
    try:
        response = stub.Execute(batch, timeout=CALL_SECONDS_MAX)
    except grpc.RpcError as error:
        if error.code() not in TRANSIENT:
            raise
        return answered, batch
    for command, result in zip(batch.commands, response.results, strict=True):
        if result.HasField("error"):
            assert result.error.code in TRANSIENT_CODES, result
            left.commands.append(command)
        else:
            answered.request.commands.append(command)
            answered.response.results.append(result)
    return answered, left


def ask(stub: CommandServiceStub, batch: c.ExecuteRequest, seconds: float = WAIT_SECONDS_MAX) -> Iterator[Answered]:
    """Send a batch until all of it is answered."""
    deadline = time.monotonic() + seconds
    left = batch
    while left.commands:
        answered, left = attempt(stub, left)
        yield answered
        if left.commands:
            assert time.monotonic() < deadline, "not answered"
            time.sleep(RETRY_SECONDS)


def send_again(stub: CommandServiceStub, journal: Journal) -> int:
    """Have all that nobody knows the outcome of answered; returns how many commands that were."""
    unanswered, journal.unanswered = journal.unanswered, []
    for batch in unanswered:
        for answered in ask(stub, batch):
            journal.append(answered)
    return sum(len(batch.commands) for batch in unanswered)


def command_id_of(command: c.Command) -> str:
    """The id of a command of whatever kind."""
    kind = command.WhichOneof("command")
    assert kind is not None
    command_id: str = getattr(command, kind).header.command_id
    return command_id


def paired(request: c.ExecuteRequest, response: c.ExecuteResponse) -> Iterator[tuple[c.Command, answers_pb2.Result]]:
    """Each command with its answer."""
    return zip(request.commands, response.results, strict=True)


def plain(result: answers_pb2.Result) -> bytes:
    """An answer, whether it was given before or not."""
    copy = answers_pb2.Result()
    copy.CopyFrom(result)
    for kind in ("receipt", "refusal"):
        if copy.HasField(kind):
            getattr(copy, kind).repeated = False
    return copy.SerializeToString(deterministic=True)


@contextmanager
def under_load(
    address: str,
    journal: Journal,
    name: str,
    *,
    clients: int = 4,
    sizes: tuple[int, ...] = (1, 20, 200),
    calls_per_second: float = 0,
) -> Iterator[Load]:
    """Clients at work until the end of the block; `name` tells their members and goods from those of other loads."""
    authors = [Author(f"{name}-{number}", number, sizes) for number in range(clients)]
    load = Load(address, journal, authors, calls_per_second)
    try:
        yield load
    finally:
        load.end()

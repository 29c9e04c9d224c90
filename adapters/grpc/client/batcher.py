"""Gathers the commands of concurrent callers into batches.

Nothing waits for a timer: what callers submit within one turn of the event loop goes out at once, as long as fewer than
four batches are in flight; otherwise it gathers until one of them is answered.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import grpc

from adapters.grpc.client.errors import LedgerClientError, Overloaded, Refused, of_error, of_status
from adapters.grpc.client.retries import RETRYABLE, Retries
from loyalty.v1.answers_pb2 import Receipt, Result
from loyalty.v1.commands_pb2 import Command, ExecuteRequest, ExecuteResponse

BATCHES_IN_FLIGHT_MAX = 4
BATCH_COMMANDS_MIN = 100
"""Fewer are not shared out: a batch costs about as much as fifty commands."""
BATCH_COMMANDS_MAX = 1_000
"""From here on a larger batch gains nothing."""
BATCH_BYTES_MAX = 4 * 1024 * 1024
"""Purchases can be large; the server takes 16 MiB."""
WAITING_MAX = 100_000
"""More commands than this wait for nobody: the caller has lost control of them."""

Send = Callable[[ExecuteRequest], Awaitable[ExecuteResponse]]
_Waiting = tuple[Command, "asyncio.Future[Receipt]"]


class Batcher:
    """One client's commands, on their way to the ledger."""

    def __init__(self, send: Send, retries: Retries) -> None:
        self._send = send
        self._retries = retries
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._starting = False
        self._in_flight: set[asyncio.Task[None]] = set()

    def submit(self, command: Command) -> "asyncio.Future[Receipt]":
        """The receipt that is to come, or what the client raises instead."""
        if len(self._waiting) >= WAITING_MAX:
            raise Overloaded(f"{WAITING_MAX} commands wait already", "OVERLOADED")
        receipt: asyncio.Future[Receipt] = self._loop.create_future()
        self._waiting.append((command, receipt))
        self._wake()
        return receipt

    async def close(self) -> None:
        """Wait for what was submitted."""
        while self._waiting or self._in_flight:
            await asyncio.wait(self._in_flight) if self._in_flight else await asyncio.sleep(0)

    def _wake(self) -> None:
        if self._waiting and not self._starting and len(self._in_flight) < BATCHES_IN_FLIGHT_MAX:
            self._starting = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._starting = False
        batch = self._take()
        if batch:
            task = self._loop.create_task(self._run(batch))
            self._in_flight.add(task)
            task.add_done_callback(self._end)
        self._wake()

    def _end(self, task: "asyncio.Task[None]") -> None:
        self._in_flight.discard(task)
        self._wake()

    def _take(self) -> list[_Waiting]:
        """A fair share of what waits: with several batches in flight, ledger and callers work at the same time."""
        free = BATCHES_IN_FLIGHT_MAX - len(self._in_flight)
        most = min(max(-(-len(self._waiting) // free), BATCH_COMMANDS_MIN), BATCH_COMMANDS_MAX)
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < most:
            command, receipt = self._waiting[0]
            if not receipt.done():
                size += command.ByteSize()
                if size > BATCH_BYTES_MAX and batch:
                    break
                batch.append((command, receipt))
            self._waiting.popleft()
        return batch

    async def _run(self, batch: list[_Waiting]) -> None:
        """Send a batch until everything in it is answered, or the attempts are used up."""
        for delay in self._retries.delays():
            batch = await self._attempt(batch, last=False)
            if not batch:
                return
            await asyncio.sleep(delay)
        await self._attempt(batch, last=True)

    async def _attempt(self, batch: list[_Waiting], last: bool) -> list[_Waiting]:
        """Send a batch and answer its callers; what may be sent again comes back, unless this was the last attempt."""
        try:
            response = await self._send(ExecuteRequest(commands=[command for command, _ in batch]))
            answers = list(zip(batch, response.results, strict=True))
        except grpc.aio.AioRpcError as failure:
            if not last and failure.code().value[0] in RETRYABLE:
                return batch
            for _, receipt in batch:
                _fail(receipt, of_status(failure))
            return []
        except Exception as error:
            for _, receipt in batch:
                _fail(receipt, LedgerClientError(f"the batch got no answer: {error!r}"))
            return []
        again = []
        for waiting, result in answers:
            if not last and result.error.code in RETRYABLE:
                again.append(waiting)
            else:
                _answer(waiting[1], result)
        return again


def _answer(receipt: "asyncio.Future[Receipt]", result: Result) -> None:
    kind = result.WhichOneof("result")
    if kind == "receipt":
        if not receipt.done():
            receipt.set_result(result.receipt)
    elif kind == "refusal":
        _fail(receipt, Refused(result.refusal))
    else:
        _fail(receipt, of_error(result.error))


def _fail(receipt: "asyncio.Future[Receipt]", error: LedgerClientError) -> None:
    if not receipt.done():
        receipt.set_exception(error)

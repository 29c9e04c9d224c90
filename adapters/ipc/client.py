"""The ledger of a writer in another process: what a gateway has in the place of the writer."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple, NoReturn

from adapters.ipc.frames import FRAME_BYTES_MAX, Frames
from adapters.ipc.messages import Answer, Answers, Job, decode_reply, encode
from ledger.commands import Request
from ledger.errors import InvalidCommand, Overloaded, Unavailable

SILENCE_SECONDS_MAX = 5.0
"""A writer that has said nothing for so long is stopped or hung; it says something every second."""
_RECONNECT_SECONDS = 0.05


class _Waiting(NamedTuple):
    """A job that was sent: where its answers go, and how many commands it has."""

    answers: "asyncio.Future[Sequence[Answer]]"
    requests: int
    commands: int


class WriterClient:
    """A `Ledger` at the other end of a socket. `run` connects, and connects again whenever the connection dies."""

    def __init__(self, path: str, commands_max: int) -> None:
        """`commands_max` commands may be on their way; more are refused at once, even if the writer is stopped."""
        self.on_lead: Callable[[bool], None] = lambda leads: None
        """Called with whether there is a writer that leads, whenever that changes."""
        self._path = path
        self._commands_max = commands_max
        self._commands = 0
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = count(1)
        self._connection: Frames | None = None
        self._leads = False
        self._heard_at = 0.0

    async def execute(self, requests: Sequence[Request]) -> Sequence[Answer]:
        """Have the writer decide and record requests in order; answers come after the commit, one for each request."""
        if not requests:
            return []
        if self._connection is None:
            return [Unavailable("the writer is away; retry with the same command id")] * len(requests)
        commands = sum(len(request.commands) for request in requests)
        if self._commands + commands > self._commands_max:
            return [Overloaded(f"{self._commands} commands are waiting; retry later")] * len(requests)
        number = next(self._numbers)
        message = encode(Job.of(number, requests))
        if len(message) > FRAME_BYTES_MAX:
            return [InvalidCommand("commands", f"have {len(message)} bytes, at most {FRAME_BYTES_MAX} are allowed")] * (
                len(requests)
            )
        # A caller that leaves does not take the job along: the writer has it, and it counts until it is answered.
        waiting = _Waiting(asyncio.get_running_loop().create_future(), len(requests), commands)
        self._waiting[number] = waiting
        self._commands += commands
        self._connection.send(message)
        return await waiting.answers

    async def run(self) -> NoReturn:
        """Stay connected until cancelled."""
        while True:
            with contextlib.suppress(OSError):
                await self._connect()
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _connect(self) -> None:
        """One connection, until it dies or falls silent. Raises OSError where nobody listens."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_unix_connection(lambda: Frames(self._hear), self._path)
        self._heard_at = loop.time()
        try:
            while not connection.lost.done() and loop.time() - self._heard_at < SILENCE_SECONDS_MAX:
                await asyncio.wait({connection.lost}, timeout=SILENCE_SECONDS_MAX / 5)
        finally:
            connection.abort()
            self._lose()

    def _hear(self, connection: Frames, message: bytearray) -> None:
        """The writer speaks; until its first word, by which it says whether it leads, nothing is sent to it."""
        self._heard_at = asyncio.get_running_loop().time()
        reply = decode_reply(message)
        if isinstance(reply, Answers):
            self._settle(self._waiting.pop(reply.job), reply.answers())
        else:
            self._connection = connection
            self._set_leads(reply.leads)

    def _settle(self, waiting: _Waiting, answers: Sequence[Answer]) -> None:
        self._commands -= waiting.commands
        if not waiting.answers.done():
            waiting.answers.set_result(answers)

    def _lose(self) -> None:
        """The writer is away: nobody knows what became of what it has."""
        self._connection = None
        unknown = Unavailable("the writer is away, the outcome unknown; retry with the same command id")
        lost, self._waiting = self._waiting, {}
        for waiting in lost.values():
            self._settle(waiting, [unknown] * waiting.requests)
        self._set_leads(False)

    def _set_leads(self, leads: bool) -> None:
        if leads != self._leads:
            self._leads = leads
            self.on_lead(leads)

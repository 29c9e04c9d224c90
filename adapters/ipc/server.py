"""The socket in front of a writer: takes jobs from gateways, hands them to the ledger, sends its answers back."""

import asyncio
from collections.abc import Sequence

import structlog

from adapters.ipc.frames import Frames
from adapters.ipc.messages import Answers, Lead, decode_job, encode
from ledger.commands import Request
from ledger.errors import LedgerError
from ledger.ports import Ledger

SIGN_OF_LIFE_SECONDS = 1.0
_FLUSH_SECONDS_MAX = 1.0
"""How long a stop waits for a gateway to take its last answers."""

_log = structlog.get_logger(__name__)


class WriterServer:
    """Serves a ledger at a socket, whose directory says who may connect."""

    def __init__(self, ledger: Ledger, path: str) -> None:
        self._ledger = ledger
        self._path = path
        self._leads = False
        self._connections: set[_Connection] = set()
        self._answering: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; a socket that a writer left behind when it died is replaced."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Connection(self), self._path)
        self._living = asyncio.create_task(self._live())

    def set_leads(self, leads: bool) -> None:
        """Tell everybody whether the writer leads."""
        self._leads = leads
        for connection in self._connections:
            connection.send(encode(Lead(leads)))

    async def stop(self) -> None:
        """Take nothing more; end the connections once everything is answered."""
        self._server.close()
        self._living.cancel()
        await asyncio.gather(*self._answering, self._living, return_exceptions=True)
        ending = list(self._connections)
        for connection in ending:
            connection.close()
        if ending:
            await asyncio.wait([connection.lost for connection in ending], timeout=_FLUSH_SECONDS_MAX)
        for connection in ending:
            connection.abort()

    async def check(self) -> None:
        """Connect as a gateway does and hear the first word. Raises OSError where nobody is taken."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            if not await reader.read(1):
                raise ConnectionError("connected, and heard nothing")
        finally:
            writer.close()

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(SIGN_OF_LIFE_SECONDS)
            self.set_leads(self._leads)

    # -- connections

    def _begin(self, connection: "_Connection") -> None:
        """A gateway has connected; the first that it hears is whether the writer leads."""
        self._connections.add(connection)
        connection.send(encode(Lead(self._leads)))

    def _end(self, connection: "_Connection") -> None:
        """A gateway is gone; what it handed over is done all the same."""
        self._connections.discard(connection)

    def _take(self, connection: Frames, message: bytearray) -> None:
        """A gateway hands a job over. Raises a MsgspecError where it is none."""
        job = decode_job(message)
        task = asyncio.create_task(self._answer(connection, job.number, job.requests()))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, connection: Frames, job: int, requests: Sequence[Request]) -> None:
        try:
            reply = encode(Answers.of(job, await self._ledger.execute(requests)))
        except MemoryError:
            raise  # this process is to end: what it knows of the outcome, the next one knows too
        except Exception:
            # A defect, but whoever waits must hear something, even if nothing can be logged.
            failure = LedgerError("the writer failed; its log says why")
            connection.send(encode(Answers.of(job, [failure] * len(requests))))
            _log.exception("ipc.job_failed", requests=len(requests))
        else:
            connection.send(reply)


class _Connection(Frames):
    """A gateway's connection. While its answers pile up, because it does not take them, nothing more is read from it.

    That cannot block both ends for ever, since a gateway always reads.
    """

    def __init__(self, server: WriterServer) -> None:
        super().__init__(server._take)
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server._begin(self)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._server._end(self)

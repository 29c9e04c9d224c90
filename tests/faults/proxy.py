"""A stretch of wire between a service and PostgreSQL that cuts, delays and stalls."""

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class CutAt(Enum):
    """Where the next commit is lost: on its way there, or only its answer on the way back."""

    COMMIT = "the commit never arrives"
    ANSWER = "the commit's answer never arrives"


class Wire:
    """Passes everything on, until it is told otherwise."""

    def __init__(self, socket: str) -> None:
        self.cut_next: CutAt | None = None
        """Cut the connection of the next commit; other connections are left alone."""
        self.delay_seconds = 0.0
        """What is sent waits for so long, in either direction."""
        self.flowing = asyncio.Event()
        """While it is clear, nothing is passed on, and nobody is told."""
        self.flowing.set()
        self._socket = socket
        self._connections: set[asyncio.Task[None]] = set()

    async def connected(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                server, to_server = await asyncio.open_unix_connection(self._socket)
                await self._serve(client, to_client, server, to_server)
        finally:
            self._connections.discard(task)
            _drop(to_client)

    def cut_all(self) -> None:
        """Cut every connection at once."""
        for task in list(self._connections):
            task.cancel()

    async def end(self) -> None:
        """Cut every connection, and wait until they are gone."""
        self.cut_all()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # a transport that is aborted closes its socket a turn later

    async def _serve(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        back = asyncio.create_task(self._pass_on(server, to_client))
        try:
            while data := await client.read(65_536):
                cut = self.cut_next if b"COMMIT" in data else None
                if cut is not None:
                    self.cut_next = None
                if cut is CutAt.COMMIT:
                    break
                if cut is CutAt.ANSWER:
                    back.cancel()
                    await asyncio.wait({back})
                await self._hold_up()
                to_server.write(data)
                if cut is CutAt.ANSWER:
                    await server.read(65_536)
                    break
        finally:
            back.cancel()
            _drop(to_client)
            _drop(to_server)
            await asyncio.wait({back})

    async def _pass_on(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await server.read(65_536):
                await self._hold_up()
                to_client.write(data)
        to_client.close()

    async def _hold_up(self) -> None:
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        await self.flowing.wait()


def _drop(end: asyncio.StreamWriter) -> None:
    """Close one end at once, unless it is closed; a transport that was closed cannot be aborted."""
    if not end.is_closing():
        end.transport.abort()


@contextlib.asynccontextmanager
async def wire(dsn: str) -> AsyncIterator[tuple[str, Wire]]:
    """A DSN that leads over the wire, and the wire. The server is reached over a socket in the file system."""
    parts = conninfo_to_dict(dsn)
    name = f".s.PGSQL.{parts['port']}"
    laid = Wire(f"{parts['host']}/{name}")
    with tempfile.TemporaryDirectory(prefix="wire-") as directory:
        server = await asyncio.start_unix_server(laid.connected, Path(directory) / name)
        async with server:
            yield make_conninfo(dsn, host=directory), laid
            await laid.end()


class WireInThread:
    """A wire with an event loop of its own, for tests that have none."""

    def __init__(self, dsn: str, laid: Wire, loop: asyncio.AbstractEventLoop) -> None:
        self.dsn = dsn
        self._wire = laid
        self._loop = loop

    def cut_all(self) -> None:
        """Cut every connection at once."""
        self._loop.call_soon_threadsafe(self._wire.cut_all)

    def cut_next(self, where: CutAt) -> None:
        """Cut the connection of the next commit."""
        self._wire.cut_next = where

    @contextlib.contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Everything takes so much longer, either way."""
        self._wire.delay_seconds = seconds
        yield
        self._wire.delay_seconds = 0.0

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Nothing arrives, and nobody is told."""
        self._loop.call_soon_threadsafe(self._wire.flowing.clear)
        yield
        self._loop.call_soon_threadsafe(self._wire.flowing.set)


@contextlib.contextmanager
def wire_in_thread(dsn: str) -> Iterator[WireInThread]:
    """The same in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="wire")
    thread.start()
    laying = wire(dsn)
    try:
        led, laid = asyncio.run_coroutine_threadsafe(laying.__aenter__(), loop).result()
        yield WireInThread(led, laid, loop)
        asyncio.run_coroutine_threadsafe(laying.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

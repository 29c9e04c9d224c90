"""A stretch of wire between a store and PostgreSQL that can be cut at a commit."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from enum import Enum
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class CutAt(Enum):
    """Where the next commit is lost: on its way there, or only its answer on the way back."""

    COMMIT = "the commit never arrives"
    ANSWER = "the commit's answer never arrives"


class Wire:
    """Passes everything on, until it is told to cut the next commit. Other connections are left alone."""

    def __init__(self, socket: str) -> None:
        self.cut_next: CutAt | None = None
        self._socket = socket

    async def connected(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(self._socket)
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
                to_server.write(data)
                if cut is CutAt.ANSWER:
                    await server.read(65_536)
                    break
        finally:
            back.cancel()
            to_client.close()
            to_server.close()

    @staticmethod
    async def _pass_on(server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while data := await server.read(65_536):
            to_client.write(data)
        to_client.close()


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

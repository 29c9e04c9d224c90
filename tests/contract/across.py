"""A ledger at the other end of a socket."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.ipc.client import WriterClient
from adapters.ipc.server import WriterServer
from ledger.ports import Ledger


@asynccontextmanager
async def across_a_socket(ledger: Ledger, commands_max: int = 100_000) -> AsyncIterator[WriterClient]:
    """A client of this ledger, once it has heard that the ledger's writer leads."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/writer"
        server, client = WriterServer(ledger, path), WriterClient(path, commands_max)
        server.set_leads(True)
        await server.start()
        leading = asyncio.Event()
        client.on_lead = lambda leads: leading.set()
        connecting = asyncio.create_task(client.run())
        try:
            await leading.wait()
            yield client
        finally:
            connecting.cancel()
            await asyncio.wait({connecting})
            await server.stop()

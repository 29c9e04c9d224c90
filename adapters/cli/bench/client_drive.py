"""Drives a service through the Python client, which batches concurrent calls by itself."""

import asyncio
import time
from collections.abc import Iterator

import uvloop

from adapters.cli.bench.drive import Drive
from adapters.cli.bench.workload import PROGRAMME, UNIT
from adapters.cli.service import client_access
from adapters.grpc.client import AsyncLedgerClient
from loyalty.v1.types_pb2 import Source


def earns(address: str, members: list[str], callers: int) -> Drive:
    """One grant for each of these members, from so many concurrent callers."""
    return uvloop.run(_earns(address, members, callers))


async def _earns(address: str, members: list[str], callers: int) -> Drive:
    work: Iterator[tuple[int, str]] = iter(enumerate(members))
    ends: list[tuple[float, int]] = []
    latencies: list[float] = []
    tls, token = client_access()
    async with AsyncLedgerClient(
        address, programme=PROGRAMME, channel="shop", actor="bench", tls=tls, token=token
    ) as client:
        begin = time.perf_counter()

        async def caller() -> None:
            for place, member in work:
                sent = time.perf_counter()
                await client.earn(member=member, points=100, unit=UNIT, source=Source(type="order", id=f"w3-{place}"))
                now = time.perf_counter()
                ends.append((now - begin, 1))
                latencies.append(now - sent)

        await asyncio.gather(*(caller() for _ in range(callers)))
        seconds = time.perf_counter() - begin
    return Drive(len(ends), seconds, ends, latencies, 0)

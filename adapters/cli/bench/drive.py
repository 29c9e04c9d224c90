"""Drives a service: calls in flight, rates, latencies."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import grpc
import uvloop

from adapters.cli.service import OPTIONS, channel_credentials
from loyalty.v1 import commands_pb2 as c
from loyalty.v1.commands_pb2_grpc import CommandServiceStub


class Drive(NamedTuple):
    """What a run gave: commands, seconds, when each call ended (seconds from the start), and how long it took."""

    commands: int
    seconds: float
    ends: list[tuple[float, int]]
    latencies: list[float]
    refused: int

    @property
    def rate(self) -> float:
        """Commands a second."""
        return self.commands / self.seconds

    def rate_between(self, begin: float, end: float) -> float:
        """Commands a second between two shares of the work, for example its last tenth."""
        marks = []
        for share in (begin, end):
            done = 0
            when = 0.0
            for at, count in self.ends:
                if done >= share * self.commands:
                    break
                done, when = done + count, at
            marks.append((when, done))
        (t0, n0), (t1, n1) = marks
        return (n1 - n0) / (t1 - t0) if t1 > t0 else 0.0


def channel(address: str) -> grpc.aio.Channel:
    """An asyncio channel to a service that is configured as this process is."""
    credentials = channel_credentials()
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=OPTIONS)
    return grpc.aio.secure_channel(address, credentials, options=OPTIONS)


def batches(address: str, requests: Iterable[c.ExecuteRequest], in_flight: int, *, may_refuse: bool = False) -> Drive:
    """Send batches, so many under way at once. Raises RuntimeError at an error, or at a refusal that nobody expects."""
    run = uvloop.run(_batches(address, iter(requests), in_flight))
    if run.refused and not may_refuse:
        raise RuntimeError(f"{run.refused} of {run.commands} commands were refused")
    return run


async def _batches(address: str, requests: Iterator[c.ExecuteRequest], in_flight: int) -> Drive:
    ends: list[tuple[float, int]] = []
    latencies: list[float] = []
    refused = 0
    async with channel(address) as open_channel:
        stub = CommandServiceStub(open_channel)
        begin = time.perf_counter()

        async def caller() -> None:
            nonlocal refused
            for request in requests:
                sent = time.perf_counter()
                response = await stub.Execute(request)
                now = time.perf_counter()
                ends.append((now - begin, len(request.commands)))
                latencies.append(now - sent)
                refused += _count_refused(response)

        await asyncio.gather(*(caller() for _ in range(in_flight)))
        seconds = time.perf_counter() - begin
    return Drive(sum(count for _, count in ends), seconds, ends, latencies, refused)


def _count_refused(response: c.ExecuteResponse) -> int:
    refused = 0
    for result in response.results:
        kind = result.WhichOneof("result")
        if kind == "refusal":
            refused += 1
        elif kind == "error":
            raise RuntimeError(f"a command failed: {result.error}")
    return refused


def unary(address: str, method: str, requests: Iterable[Any], callers: int) -> Drive:
    """Send single calls of one method from so many callers."""
    return uvloop.run(_unary(address, method, iter(requests), callers))


async def _unary(address: str, method: str, requests: Iterator[Any], callers: int) -> Drive:
    ends: list[tuple[float, int]] = []
    latencies: list[float] = []
    async with channel(address) as open_channel:
        call = getattr(CommandServiceStub(open_channel), method)
        begin = time.perf_counter()

        async def caller() -> None:
            for request in requests:
                sent = time.perf_counter()
                await call(request)
                now = time.perf_counter()
                ends.append((now - begin, 1))
                latencies.append(now - sent)

        await asyncio.gather(*(caller() for _ in range(callers)))
        seconds = time.perf_counter() - begin
    return Drive(len(ends), seconds, ends, latencies, 0)

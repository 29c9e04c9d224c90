"""Asks for balances over gRPC, one after the other, and takes the time of each answer."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle

from adapters.cli.service import open_channel
from loyalty.v1.queries_pb2 import GetBalanceRequest
from loyalty.v1.queries_pb2_grpc import QueryServiceStub

PAUSE_SECONDS = 0.01


def ask(address: str, request: GetBalanceRequest, count: int) -> list[float]:
    """Ask the same so many times, after once without a clock; the seconds that each answer took."""
    with open_channel(address) as channel:
        get_balance = QueryServiceStub(channel).GetBalance
        get_balance(request)
        return [_timed(get_balance, request) for _ in range(count)]


@contextmanager
def asking(address: str, requests: list[GetBalanceRequest]) -> Iterator[Callable[[], list[float]]]:
    """Ask in the background, again and again; gives a function that returns what was measured since the last call."""
    stopped = threading.Event()
    seconds: list[float] = []
    failures: list[Exception] = []

    def run() -> None:
        with open_channel(address) as channel:
            get_balance = QueryServiceStub(channel).GetBalance
            get_balance(requests[0])
            try:
                for request in cycle(requests):
                    seconds.append(_timed(get_balance, request))
                    if stopped.wait(PAUSE_SECONDS):
                        return
            except Exception as failure:
                failures.append(failure)

    def take() -> list[float]:
        if failures:
            raise failures[0]
        taken = seconds[:]
        del seconds[: len(taken)]
        return taken

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield take
    finally:
        stopped.set()
        thread.join()


def _timed(get_balance: Callable[[GetBalanceRequest], object], request: GetBalanceRequest) -> float:
    begin = time.perf_counter()
    get_balance(request)
    return time.perf_counter() - begin

"""A service that is stopped and started again while clients of the product's own are at work."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import psycopg
import pytest

from adapters.grpc.client import LedgerClient, Retries, Source
from adapters.postgres.embedded import EmbeddedServer
from loyalty.v1.queries_pb2 import GetBalanceRequest
from tests.integration.service import PROGRAMME, UNIT, Service, earn, enrol, free_port, open_programme, stubs

RESTARTS = 2
CALLERS = 32
PATIENT = Retries(attempts_max=200, seconds_max=0.5)
"""Longer than a restart takes on a busy machine."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """One that comes back at the same port."""
    data_dir = tmp_path / "data"
    made = Service(data_dir, LOYALTY_PORT=str(free_port()))
    try:
        made.start().wait_until_serving()
        with made.channel() as channel:
            commands, queries = stubs(channel)
            open_programme(commands)
            enrol(commands, "anna")
            position = commands.Earn(earn("anna", source="first")).position
            queries.GetBalance(GetBalanceRequest(programme=PROGRAMME, member="anna", min_position=position))
        yield made
    finally:
        made.stop()
        EmbeddedServer(data_dir).destroy()


def test_no_caller_sees_a_restart(service: Service) -> None:
    """Commands and queries under way are made again by the client: none fails, each command is done once."""
    ending = Event()

    def work(ledger: LedgerClient, caller: int) -> list[str]:
        done: list[str] = []
        while not ending.is_set():
            source = Source(type="order", id=f"{caller}-{len(done)}")
            ledger.earn(member="anna", points=1, unit=UNIT, source=source)
            ledger.get_balance(member="anna")
            done.append(source.id)
        return done

    with (
        LedgerClient(service.address, programme=PROGRAMME, channel="till", actor="test", retries=PATIENT) as ledger,
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        working = [callers.submit(work, ledger, caller) for caller in range(CALLERS)]
        for _ in range(RESTARTS):
            time.sleep(1)
            service.stop()
            service.start().wait_until_serving()
        ending.set()
        done = [source for each in working for source in each.result()]
    assert len(done) > CALLERS
    with psycopg.connect(EmbeddedServer(service.data_dir).endpoint().app_dsn) as connection:
        rows = connection.execute(
            "SELECT convert_from(event, 'UTF8')::jsonb -> 'source' ->> 'id' FROM ledger.events"
            " WHERE topic = 'points.earned.v1'"
        ).fetchall()
    assert sorted(source for (source,) in rows) == sorted(["first", *done])

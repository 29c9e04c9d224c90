"""Concurrent clients against the running service, under faults: their histories are linearizable.

Object by object, by a search; and over all objects by the order of the log.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres.embedded import EmbeddedServer
from adapters.postgres.verify import verify
from tests.integration.service import Service
from tests.linearizability import faults
from tests.linearizability.rounds import Tally, run_round
from tests.linearizability.wire import Wire, wire

ROUNDS = 20


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service of its own, since it is going to be killed."""
    data_dir = tmp_path / "data"
    service = Service(data_dir).start()
    try:
        service.wait_until_serving()
        yield service
        assert verify(EmbeddedServer(data_dir).endpoint().app_dsn).problems == []
    finally:
        service.stop()
        EmbeddedServer(data_dir).destroy()


@pytest.fixture
def line(service: Service) -> Iterator[Wire]:
    """The wire that the clients speak over."""
    with wire(service.address) as laid:
        yield laid


def _check_was_tested(tally: Tally) -> None:
    print(tally)
    assert tally.refused > 0
    assert tally.reads > 0
    assert tally.repeated > 0
    assert tally.unknown > 0, "no fault interrupted anything: the test did not test that"


def test_concurrent_commands_and_reads_are_linearizable_under_faults(service: Service, line: Wire) -> None:
    """Edge cases 8, 13 and 30, with a killed writer and PostgreSQL, lost answers and cut connections."""
    some = (faults.kill_writer, faults.lose_answers, faults.kill_postgres, faults.cut_connections)
    _check_was_tested(run_round(service, line, some, seed=1))


@pytest.mark.long
def test_many_rounds_under_random_faults_are_linearizable(service: Service, line: Wire) -> None:
    """Twenty rounds of three random faults each; the seed stands in the output."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    numbers = random.Random(seed)
    tally = Tally()
    for _ in range(ROUNDS):
        tally += run_round(service, line, numbers.choices(faults.FAULTS, k=3), seed=numbers.randrange(2**32))
    _check_was_tested(tally)

"""Whatever bytes arrive at any RPC: a documented answer that names what is wrong, nothing stored, the service lives."""

import time
from collections.abc import Iterator
from types import SimpleNamespace

import grpc
import psycopg
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from adapters.postgres import views
from adapters.postgres.cluster import OWNER
from adapters.postgres.embedded import Endpoint
from tests.conftest import TEMPLATE, Database
from tests.fuzz.checks import check_ended, newly_stored, read
from tests.fuzz.contract import Rpc, rpcs
from tests.fuzz.requests import wires
from tests.fuzz.stage import NOW, MemoryStage, PostgresStage, Stage

DATABASE = "fuzz"
RPCS = list(rpcs())
ENROL = next(rpc for rpc in RPCS if rpc.name == "EnrolMember")
SHORT = settings(
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
"""The same examples on every machine, as many in all however many RPCs; those of `make test-long` are new each time."""
LONG = settings(SHORT, derandomize=False)

every_rpc = pytest.mark.parametrize("rpc", RPCS, ids=[rpc.name for rpc in RPCS])


@pytest.fixture(scope="module")
def memory() -> Iterator[MemoryStage]:
    stage = MemoryStage()
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def postgres(template: Database, server: Endpoint) -> Iterator[PostgresStage]:
    """In the end every view must have folded whatever was accepted."""
    with pytest.MonkeyPatch.context() as patch:
        # Views take the wall clock for the present of a programme; it must be the writer's.
        patch.setattr(views, "time", SimpleNamespace(time_ns=lambda: NOW * 1_000, monotonic=time.monotonic))
        with psycopg.connect(server.superuser_dsn, autocommit=True) as superuser:
            superuser.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE} OWNER {OWNER}".encode())
            stage = PostgresStage(template.named(DATABASE))
            yield stage
            folded = stage.projections()
            stage.close()
            superuser.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())
    assert set(folded.values()) == {("RUNNING", 0)}, folded


@every_rpc
def test_bad_input_is_answered(memory: MemoryStage, rpc: Rpc) -> None:
    fuzz(memory, rpc, settings(SHORT, max_examples=800 // len(RPCS)))


@every_rpc
def test_bad_input_is_answered_on_postgres(postgres: PostgresStage, rpc: Rpc) -> None:
    fuzz(postgres, rpc, settings(SHORT, max_examples=320 // len(RPCS)))


@pytest.mark.long
@every_rpc
def test_much_bad_input_is_answered(memory: MemoryStage, rpc: Rpc) -> None:
    fuzz(memory, rpc, settings(LONG, max_examples=500))


@pytest.mark.long
@every_rpc
def test_much_bad_input_is_answered_on_postgres(postgres: PostgresStage, rpc: Rpc) -> None:
    fuzz(postgres, rpc, settings(LONG, max_examples=200))


def fuzz(stage: Stage, rpc: Rpc, how: settings) -> None:
    """Send examples; one that fails is made small, and shown with a line that replays it."""

    @how
    @given(st.lists(wires(rpc), min_size=1, max_size=3 if rpc.takes_stream else 1))
    def examine(sent: list[bytes]) -> None:
        stage.begin()
        requests = read(rpc, sent)
        for request in requests:
            note(f"{rpc.name}: {request}")
        before = stage.stored()
        ended = stage.call(rpc, sent)
        note(f"answer: {ended.code.name} {ended.message}")
        check_ended(rpc, requests, ended)
        after = stage.stored()
        stored = newly_stored(rpc, requests, ended)
        assert stored is None or after.outcomes == before.outcomes + stored
        assert after == before or stored != 0
        assert stage.good_command(ENROL).code is grpc.StatusCode.OK

    examine()

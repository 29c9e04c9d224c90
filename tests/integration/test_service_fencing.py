"""One writer at a time: a second service stands by, takes over, and fences the first."""

import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc
import psycopg
import pytest

from adapters.postgres.embedded import EmbeddedServer
from adapters.postgres.verify import verify
from loyalty.v1 import commands_pb2 as c
from tests.integration.service import Service, earn, enrol, open_programme, stubs


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Service, Service, str]]:
    """Two services on one database, the first of them leading; and the database."""
    data_dir = tmp_path / "data"
    # A writer that is stopped here is to wake up again, so its supervisor waits.
    first, second = Service(data_dir, LOYALTY_SILENCE_SECONDS_MAX="600"), Service(data_dir)
    try:
        first.start()
        first.wait_until_serving()
        with first.channel() as channel:
            commands, _ = stubs(channel)
            open_programme(commands)
            enrol(commands, "anna")
        second.start()
        yield first, second, EmbeddedServer(data_dir).endpoint().app_dsn
    finally:
        for service in (first, second):
            service.stop()
        EmbeddedServer(data_dir).destroy()


def _send(address: str, count: int, seconds: float = 20) -> set[str]:
    """Single grants one after the other; returns the ids that were acknowledged."""
    acknowledged: set[str] = set()
    with grpc.insecure_channel(address) as channel:
        commands, _ = stubs(channel)
        for _ in range(count):
            command_id = str(uuid.uuid4())
            try:
                commands.Earn(earn("anna", source=command_id, command_id=command_id), timeout=seconds)
            except grpc.RpcError:
                return acknowledged
            acknowledged.add(command_id)
    return acknowledged


def _recorded(dsn: str) -> dict[str, int]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT command_id::text, count(*) FROM ledger.events WHERE topic = 'points.earned.v1' GROUP BY 1"
        ).fetchall()
    return dict(rows)


def test_a_second_service_stands_by_and_takes_over_when_the_first_is_killed(
    pair: tuple[Service, Service, str],
) -> None:
    """Its health says NOT_SERVING, its commands are UNAVAILABLE, until the first one is gone."""
    first, second, dsn = pair
    assert not second.is_serving()
    with second.channel() as channel:
        commands, _ = stubs(channel)
        with pytest.raises(grpc.RpcError) as refused:
            commands.Earn(earn("anna", source="standby"))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    acknowledged = _send(first.address, 20)
    first.kill()
    assert second.wait_until_serving(10) < 10
    acknowledged |= _send(second.address, 20)
    assert len(acknowledged) == 40
    assert _recorded(dsn) == dict.fromkeys(acknowledged, 1)
    assert verify(dsn).problems == []
    first.start()


def test_a_writer_stopped_in_the_middle_and_continued_never_interleaves(pair: tuple[Service, Service, str]) -> None:
    """SIGSTOP under load: the second takes over when the lease is out; the first wakes up, finds out, and stands by."""
    first, second, dsn = pair
    acknowledged: set[str] = set()
    loads = [threading.Thread(target=lambda: acknowledged.update(_send(first.address, 100_000, 15))) for _ in range(4)]
    for load in loads:
        load.start()
    time.sleep(0.5)
    first.signal(signal.SIGSTOP, "writer")
    second.wait_until_serving(30)
    taken_over = _send(second.address, 50)
    first.signal(signal.SIGCONT, "writer")
    for load in loads:
        load.join()
    assert len(taken_over) == 50
    deadline = time.monotonic() + 10
    while first.is_serving() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not first.is_serving()
    recorded = _recorded(dsn)
    assert all(count == 1 for count in recorded.values())
    assert acknowledged | taken_over <= set(recorded)
    assert verify(dsn).problems == []
    with psycopg.connect(dsn) as connection:
        epochs = [row[0] for row in connection.execute("SELECT epoch FROM ledger.batches ORDER BY batch")]
    assert epochs == sorted(epochs), "batches of two writers interleave"
    assert len(set(epochs)) == 2


def test_the_same_command_at_both_services_is_recorded_once(pair: tuple[Service, Service, str]) -> None:
    """A channel that retries at the other service gets the first answer (edge case 13)."""
    first, second, dsn = pair
    command_id = str(uuid.uuid4())
    request = earn("anna", source="twice", command_id=command_id)
    with first.channel() as channel:
        once = stubs(channel)[0].Earn(request)
    first.kill()
    second.wait_until_serving(10)
    with second.channel() as channel:
        again = stubs(channel)[0].Earn(request)
        assert (again.position, again.repeated) == (once.position, True)
        result = stubs(channel)[0].Execute(c.ExecuteRequest(commands=[c.Command(earn=request)])).results[0]
        assert result.receipt.position == once.position
    assert _recorded(dsn) == {command_id: 1}
    first.start()

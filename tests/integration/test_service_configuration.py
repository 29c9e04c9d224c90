"""A service that cannot work as it is configured ends and says what to change; a second one stands by and says so."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres.embedded import EmbeddedServer, ServerState
from tests.integration.service import Service

ENDS_SECONDS_MAX = 60


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A directory for a service, gone afterwards with the server in it."""
    yield tmp_path / "data"
    EmbeddedServer(tmp_path / "data").destroy()


def serve(data_dir: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `loyalty serve` until it ends by itself."""
    environment = {**os.environ, "LOYALTY_DATA_DIR": str(data_dir), **settings}
    command = [sys.executable, "-m", "adapters.cli.main", "serve"]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=ENDS_SECONDS_MAX, check=False
    )


def events(service: Service) -> list[str]:
    """The names of what a service has logged."""
    return [json.loads(line)["event"] for line in service.log.read_text().splitlines() if line.startswith("{")]


def test_a_port_that_is_taken_ends_the_service_with_what_to_change(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = serve(data_dir, LOYALTY_PORT=str(port))
    said = ended.stderr.splitlines()[-1]
    assert ended.returncode == 2
    assert f"127.0.0.1:{port}" in said
    assert "LOYALTY_PORT" in said
    assert "Traceback" not in ended.stderr
    assert EmbeddedServer(data_dir).status() is ServerState.STOPPED


def test_a_certificate_that_is_not_there_ends_the_service_with_its_name(data_dir: Path) -> None:
    files = {"LOYALTY_TLS_CERTIFICATE": "/nowhere/chain.pem", "LOYALTY_TLS_KEY": "/nowhere/key.pem"}
    ended = serve(data_dir, LOYALTY_PORT="0", **files)
    assert ended.returncode == 2
    assert "/nowhere/chain.pem" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_database_out_of_reach_ends_the_service_with_what_to_change(tmp_path: Path) -> None:
    ended = serve(tmp_path, LOYALTY_DSN=f"host={tmp_path} user=nobody dbname=nothing")
    assert ended.returncode == 1
    assert "LOYALTY_DSN" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_service_at_the_same_port_ends_and_leaves_the_first_alone(data_dir: Path) -> None:
    first = Service(data_dir).start()
    try:
        first.wait_until_serving()
        ended = serve(data_dir, LOYALTY_PORT=first.address.rpartition(":")[2])
        assert ended.returncode == 2
        assert "LOYALTY_PORT" in ended.stderr.splitlines()[-1]
        assert first.is_serving()
        assert EmbeddedServer(data_dir).status() is ServerState.READY
    finally:
        first.stop()


def test_a_second_service_at_another_port_says_that_it_stands_by(data_dir: Path) -> None:
    first, second = Service(data_dir), Service(data_dir)
    try:
        first.start().wait_until_serving()
        second.start()
        second.await_logged("store.stand_by")
        second.await_logged("projections.stand_by")
        assert "store.lead" not in events(second)
        assert "store.stand_by" not in events(first)
        first.stop()
        second.wait_until_serving()
        assert "store.lead" in events(second)
    finally:
        first.stop()
        second.stop()

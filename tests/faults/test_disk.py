"""A disk that is full, and then is not."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.embedded import EmbeddedServer, EmbeddedServerError
from tests.faults.load import WAIT_SECONDS_MAX
from tests.faults.rounds import recovery, rounds
from tests.faults.stand import stand

DISK_MIB = 256
BALLAST = "ballast"


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of its own, small, and gone afterwards; skips where none can be mounted."""
    directory = Path(tempfile.mkdtemp(prefix="loyalty-disk-"))
    directory.chmod(0o711)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=711", "tmpfs", str(directory)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        directory.rmdir()
        pytest.skip("there is no mount")
    if mounted.returncode:
        directory.rmdir()
        pytest.skip(f"a small file system takes the right to mount one: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
        directory.rmdir()


def fill(directory: Path) -> None:
    """Leave nothing."""
    with (directory / BALLAST).open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))


def use_up_wal(database: EmbeddedServer) -> None:
    """Begin one segment of the write-ahead log after the other, until there is no room for the next."""
    gone = suppress(psycopg.OperationalError, EmbeddedServerError)
    with gone, psycopg.connect(database.endpoint().superuser_dsn, autocommit=True) as superuser:
        while True:
            superuser.execute("SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()")


@rounds(few=1, many=10)
@pytest.mark.parametrize("panics", [False, True], ids=["tables", "write-ahead log"])
def test_a_full_disk_stops_the_service_until_it_is_freed(
    tmp_path: Path, figure: Callable[[str], None], panics: bool, rounds: int
) -> None:
    """No answer is given that is not on the disk; when there is room again, all goes on without anybody's help.

    Without room for a table PostgreSQL refuses; without room for its log it dies, and cannot be started.
    """
    recoveries = []
    with small_disk() as disk, stand(tmp_path, EmbeddedServer(disk / "data")) as under_test:
        service, database = under_test.service, under_test.database
        with under_test.load() as load:
            for _ in range(rounds):
                load.wait_for_answers(time.monotonic())
                fill(disk)
                failed = load.attempts_failed
                if panics:
                    use_up_wal(database)
                    service.await_logged("database.not_started", WAIT_SECONDS_MAX)
                while load.attempts_failed < failed + 20:
                    assert service.pids().keys() >= {"supervisor", "gateway", "writer", "projections"}
                    time.sleep(0.05)
                (disk / BALLAST).unlink()
                recoveries.append(load.wait_for_answers(time.monotonic()))
        figure(f"{recovery(recoveries)}, from the moment when there was room")
        figure(under_test.check())

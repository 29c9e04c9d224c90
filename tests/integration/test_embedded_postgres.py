"""The embedded PostgreSQL against real processes: starts, crashes, adoption, permissions, passwords."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from adapters.app.settings import Settings
from adapters.cli.service import running_service
from adapters.postgres import server_log
from adapters.postgres.binaries import copy_binaries, find_binaries
from adapters.postgres.cluster import Cluster, find_cluster
from adapters.postgres.embedded import EmbeddedServer, EmbeddedServerError, ServerState, StopMode, temporary_server
from adapters.postgres.host import SystemUser

NOBODY = 65534
PROJECT = Path(__file__).parents[2]

START_AND_DIE = """
import os, signal, sys
from pathlib import Path
from adapters.postgres.embedded import EmbeddedServer
print(EmbeddedServer(Path(sys.argv[1])).start().pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

START_AS_NOBODY = """
import os, sys, tempfile
from pathlib import Path
import psycopg
from adapters.postgres.embedded import EmbeddedServer
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(int(sys.argv[1])), os.setuid(int(sys.argv[1]))
with tempfile.TemporaryDirectory() as directory:
    server = EmbeddedServer(Path(directory) / ("long" * 30), sync_initdb=False)
    try:
        with psycopg.connect(server.start().app_dsn) as connection:
            print((server.data_dir / "pgdata").stat().st_uid == os.getuid(), connection.info.host)
    finally:
        server.destroy()
"""


def run_python(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ask(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def kill_postmaster(server: EmbeddedServer) -> None:
    os.kill(server.endpoint().pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while server.status() is not ServerState.STOPPED:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def shared() -> Iterator[EmbeddedServer]:
    with temporary_server({"work_mem": "5MB"}) as server:
        yield server


@pytest.fixture
def server(shared: EmbeddedServer) -> EmbeddedServer:
    """The shared server, running whatever the test before has done to it."""
    shared.start()
    return shared


@pytest.fixture
def private(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server that has never been started, in a directory that only we can enter."""
    locked_up = tmp_path / "locked-up"
    locked_up.mkdir(mode=0o700)
    server = EmbeddedServer(locked_up / "data", sync_initdb=False)
    yield server
    server.destroy()


def test_the_application_role_owns_nothing_and_the_owner_owns_the_database(server: EmbeddedServer) -> None:
    endpoint = server.endpoint()
    assert ask(endpoint.app_dsn, "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'loyalty_app'::regrole") == 0
    assert ask(endpoint.app_dsn, "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user") is False
    assert ask(endpoint.owner_dsn, "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'loyalty'") == (
        "loyalty_owner"
    )
    with psycopg.connect(endpoint.app_dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE mine ()")
    with psycopg.connect(endpoint.owner_dsn) as connection:
        connection.execute("CREATE TABLE ours ()")
        connection.rollback()
    assert ask(endpoint.superuser_dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("listen_addresses", ""),
        ("shared_buffers", "256MB"),
        ("unix_socket_permissions", "0700"),
        ("work_mem", "5MB"),
    ],
)
def test_settings_are_ours_unless_the_caller_replaces_them(server: EmbeddedServer, name: str, value: str) -> None:
    assert ask(server.endpoint().superuser_dsn, f"SHOW {name}") == value


def test_only_the_owner_may_read_secrets_or_knock_at_the_socket(server: EmbeddedServer) -> None:
    cluster = find_cluster(server.data_dir)
    assert mode_of(cluster.credentials_file) == 0o600
    assert mode_of(cluster.log_file) == 0o600
    assert mode_of(cluster.socket_dir) == 0o700
    assert mode_of(cluster.pgdata) == 0o700
    assert len(set(cluster.passwords().values())) == 3


def test_passwords_are_not_shown_with_the_endpoint_or_logged(server: EmbeddedServer) -> None:
    cluster = find_cluster(server.data_dir)
    shown = repr(server.endpoint()) + cluster.log_file.read_text()
    assert not any(password in shown for password in cluster.passwords().values())


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_refused(server: EmbeddedServer, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.endpoint().app_dsn, password=password)


def test_passwords_are_kept_as_scram_secrets(server: EmbeddedServer) -> None:
    query = "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') FROM pg_authid WHERE rolpassword IS NOT NULL"
    assert ask(server.endpoint().superuser_dsn, query) is True


def test_a_second_start_changes_nothing(server: EmbeddedServer) -> None:
    assert server.start() == server.endpoint() == EmbeddedServer(server.data_dir).adopt()


def test_a_start_writes_no_settings_that_are_there_already(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk they could not be written, and must not be emptied in trying."""

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    server.stop()
    settings = find_cluster(server.data_dir).settings_file.read_text()
    monkeypatch.setattr(Path, "write_text", full)
    server.start()
    server.stop()
    with pytest.raises(OSError, match="No space left"):
        EmbeddedServer(server.data_dir, {"work_mem": "1MB"}).start()
    assert find_cluster(server.data_dir).settings_file.read_text() == settings


def test_anybody_with_the_data_directory_can_stop_it(server: EmbeddedServer) -> None:
    EmbeddedServer(server.data_dir).stop()
    assert server.status() is ServerState.STOPPED
    assert server.adopt() is None
    with pytest.raises(EmbeddedServerError, match="is not running"):
        server.endpoint()
    server.stop()


def test_a_server_outlives_a_killed_starter_and_is_adopted(server: EmbeddedServer) -> None:
    server.stop()
    starter = run_python(START_AND_DIE, server.data_dir)
    printed, _ = starter.communicate()
    assert starter.returncode == -signal.SIGKILL
    endpoint = server.adopt()
    assert endpoint is not None
    assert endpoint.pid == int(printed)
    assert server.start().pid == endpoint.pid
    assert ask(endpoint.app_dsn, "SELECT 1") == 1


def test_two_processes_that_start_at_once_get_one_server(private: EmbeddedServer) -> None:
    starters = [run_python(START_AND_DIE, private.data_dir) for _ in range(2)]
    pids = {int(starter.communicate()[0]) for starter in starters}
    assert pids == {private.endpoint().pid}


def test_committed_rows_survive_a_killed_postmaster(server: EmbeddedServer) -> None:
    endpoint = server.endpoint()
    with psycopg.connect(endpoint.owner_dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    kill_postmaster(server)
    recovered = server.start()
    assert recovered.pid != endpoint.pid
    assert ask(recovered.owner_dsn, "SELECT count(*) FROM kept") == 1000
    assert "automatic recovery in progress" in find_cluster(server.data_dir).log_file.read_text()


def test_a_start_waits_for_a_backend_that_outlives_the_killed_postmaster(server: EmbeddedServer) -> None:
    endpoint = server.endpoint()
    log_file = find_cluster(server.data_dir).log_file
    said_before = log_file.read_text()
    with closing(psycopg.connect(endpoint.app_dsn)) as connection:
        connection.pgconn.send_query(b"SELECT count(n) FROM (SELECT generate_series(1, 30000000) AS n) AS numbers")
        time.sleep(0.1)
        kill_postmaster(server)
        assert ask(server.start().app_dsn, "SELECT 1") == 1
    assert "is still in use" in log_file.read_text().removeprefix(said_before)


def test_a_stranger_with_the_dead_postmasters_id_is_not_taken_for_it(server: EmbeddedServer) -> None:
    cluster = find_cluster(server.data_dir)
    postmaster_file = cluster.pgdata / "postmaster.pid"
    socket_lock = cluster.socket_dir / ".s.PGSQL.5432.lock"
    left_behind = {path: path.read_text().partition("\n")[2] for path in (postmaster_file, socket_lock)}
    server.stop()
    stranger = subprocess.Popen(["sleep", "60"], user=cluster.pgdata.stat().st_uid)
    try:
        for path, rest in left_behind.items():
            path.write_text(f"{stranger.pid}\n{rest}")
        assert server.status() is ServerState.STOPPED
        server.stop(StopMode.IMMEDIATE)
        assert stranger.poll() is None
        assert ask(server.start().app_dsn, "SELECT 1") == 1
    finally:
        stranger.kill()
        stranger.wait()


def test_a_failed_start_shows_what_the_server_said(server: EmbeddedServer) -> None:
    server.stop()
    with pytest.raises(EmbeddedServerError, match=r"did not start(?s:.)*invalid value for parameter \"work_mem\""):
        EmbeddedServer(server.data_dir, {"work_mem": "plenty"}).start()


def test_a_cluster_of_another_major_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    (tmp_path / "pgdata" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 17, .* version 18: .*pg_upgrade"):
        EmbeddedServer(tmp_path).start()


def test_lost_passwords_are_an_error_and_never_a_new_cluster(server: EmbeddedServer) -> None:
    server.stop()
    credentials = find_cluster(server.data_dir).credentials_file
    kept = credentials.read_text()
    credentials.unlink()
    try:
        with pytest.raises(EmbeddedServerError, match="put it back"):
            server.start()
        assert server.status() is ServerState.STOPPED
    finally:
        credentials.write_text(kept)
        credentials.chmod(0o600)


def test_a_data_directory_out_of_reach_of_postgresqls_user(private: EmbeddedServer) -> None:
    assert ask(private.start().app_dsn, "SELECT 1") == 1
    cluster = find_cluster(private.data_dir)
    out_of_reach = os.geteuid() == 0
    assert (cluster.home != cluster.data_dir) is out_of_reach
    assert cluster.note_file.exists() is out_of_reach
    assert mode_of(private.data_dir.parent) == 0o700
    private.destroy()
    assert not cluster.home.exists()


def test_an_ordinary_user_and_a_path_too_long_for_a_socket() -> None:
    binaries = find_binaries(SystemUser(os.geteuid(), os.getegid()))
    if os.geteuid() == 0 and not SystemUser(NOBODY, NOBODY).may(binaries / "postgres", os.X_OK):
        pytest.skip("the binaries lie where only root can read them")
    child = run_python(START_AS_NOBODY, NOBODY)
    printed, errors = child.communicate()
    assert child.returncode == 0, errors
    owned_by_caller, socket_dir = printed.split()
    assert owned_by_caller == "True"
    assert len(socket_dir) < 90
    assert not Path(socket_dir).exists()


def test_a_socket_directory_fits_into_a_socket_address(tmp_path: Path) -> None:
    assert Cluster(tmp_path, Path("/short")).socket_dir == Path("/short/run")
    for home in (Path("/" + "x" * 90), Path("/with,comma"), Path("/with space"), Path("/积分")):
        assert home not in Cluster(tmp_path, home).socket_dir.parents


def test_copied_binaries_run(tmp_path: Path) -> None:
    binaries = find_binaries(SystemUser(os.geteuid(), os.getegid()))
    package = binaries.parents[1]
    copy = copy_binaries(package, tmp_path)
    assert copy == copy_binaries(package, tmp_path)
    for program in ("postgres", "initdb", "pg_ctl", "psql"):
        said = subprocess.check_output([copy / binaries.relative_to(package) / program, "--version"], text=True)
        assert said.split()[-1] == copy.parent.name.removeprefix("postgresql-")


def test_a_temporary_server_leaves_nothing_behind() -> None:
    with temporary_server() as server:
        cluster = find_cluster(server.data_dir)
        assert set(json.loads(cluster.credentials_file.read_text())) == {
            "loyalty_superuser",
            "loyalty_owner",
            "loyalty_app",
        }
    assert not server.data_dir.parent.exists()
    assert not cluster.home.exists()
    assert not cluster.socket_dir.exists()
    assert server.status() is ServerState.STOPPED


def test_a_log_is_rotated_while_the_server_writes_it(server: EmbeddedServer) -> None:
    log_file = find_cluster(server.data_dir).log_file
    provoke(server, "first")
    server_log.rotate(log_file, bytes_max=log_file.stat().st_size)
    assert "first" in log_file.read_text(), "nothing is moved before the log is too large"
    server_log.rotate(log_file, bytes_max=1)
    provoke(server, "second")
    assert "first" in server_log.older(log_file).read_text()
    assert "second" in log_file.read_text()
    assert "first" not in log_file.read_text()
    assert "\0" not in log_file.read_text(), "the server goes on where the file was, and leaves a hole"
    assert mode_of(log_file) == mode_of(server_log.older(log_file)) == 0o600
    server_log.rotate(log_file, bytes_max=1)
    assert "second" in server_log.older(log_file).read_text()
    assert "first" not in server_log.older(log_file).read_text()


def provoke(server: EmbeddedServer, word: str) -> None:
    """Make the server log a word."""
    with psycopg.connect(server.endpoint().superuser_dsn, autocommit=True) as connection:
        connection.execute(f"DO $$ BEGIN RAISE LOG 'said {word} of all'; END $$".encode())


def test_a_start_and_a_service_keep_the_log_small(private: EmbeddedServer) -> None:
    log_file = find_cluster(private.data_dir).log_file
    private.start()
    fill(log_file)
    private.start()
    assert log_file.stat().st_size < server_log.LOG_BYTES_MAX
    with running_service(Settings(data_dir=private.data_dir, port=0)):
        fill(log_file)
        deadline = time.monotonic() + 10
        while log_file.stat().st_size > server_log.LOG_BYTES_MAX:
            assert time.monotonic() < deadline, "the service does not rotate the log"
            time.sleep(0.02)
    assert server_log.older(log_file).stat().st_size > server_log.LOG_BYTES_MAX


def fill(log_file: Path) -> None:
    """As a year of complaints would."""
    with log_file.open("ab") as log:
        log.write(b"a complaint\n" * (server_log.LOG_BYTES_MAX // 12 + 1))

"""A PostgreSQL that needs no installation: starts, adopts, watches and stops the server of a data directory.

The server outlives whoever started it, and any process that may read the data directory can adopt or stop it.
"""

import math
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path

import psutil
from psycopg.conninfo import make_conninfo

from adapters.postgres import server_log
from adapters.postgres.binaries import find_binaries
from adapters.postgres.cluster import APP, DATABASE, OWNER, SUPERUSER, Cluster, find_cluster, make_cluster
from adapters.postgres.host import EmbeddedServerError, locked, owner_of
from adapters.postgres.reader import make_reader
from adapters.postgres.server_settings import PORT, render_settings
from projections.dictionary import READER

__all__ = ["EmbeddedServer", "EmbeddedServerError", "Endpoint", "ServerState", "StopMode", "temporary_server"]

# Recovery reads up to max_wal_size of log again; a minute is not enough on a slow disk.
START_TIMEOUT_SECONDS = 300.0
STOP_TIMEOUT_SECONDS = 300.0

_POLL_SECONDS = 0.02


class ServerState(StrEnum):
    """What a server is doing; the values are PostgreSQL's own words in postmaster.pid."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class StopMode(Enum):
    """How to stop: the signals PostgreSQL gives a meaning to."""

    SMART = signal.SIGTERM  # wait for the clients to leave
    FAST = signal.SIGINT  # roll their transactions back
    IMMEDIATE = signal.SIGQUIT  # as in a crash; the next start recovers


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach a running server: a libpq connection string for each role, and the postmaster's process id."""

    owner_dsn: str = field(repr=False)
    app_dsn: str = field(repr=False)
    superuser_dsn: str = field(repr=False)
    pid: int


@dataclass(frozen=True, slots=True)
class _Postmaster:
    pid: int
    socket_dir: str
    state: ServerState


class EmbeddedServer:
    """The server of one data directory; made, like the directory, at the first start.

    Args:
        data_dir: holds the cluster, its passwords and its log; or a note where the cluster is, see `Cluster`.
        settings: PostgreSQL settings that add to our own or replace them, from the next start on.
        sync_initdb: whether a new cluster is flushed to the disk before its first use.

    Raises:
        PermissionError: by any method, when the data directory belongs to another user.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None, *, sync_initdb: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self._settings = dict(settings or {})
        self._sync_initdb = sync_initdb

    def start(self, timeout_seconds: float = START_TIMEOUT_SECONDS) -> Endpoint:
        """Have the server running and ready, crash recovery included; one that is running already is adopted.

        Raises:
            EmbeddedServerError: it did not start, or not in time; the message ends with the server's last words.
        """
        deadline = time.monotonic() + timeout_seconds
        # Open to PostgreSQL's own user when we are root; what is private in it has mode 0600.
        self.data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        with locked(self.data_dir / "lock", deadline):
            self.rotate_log()
            endpoint = self.adopt(deadline - time.monotonic())
            if endpoint is None:
                self._launch(deadline)
                endpoint = self.endpoint()
        return endpoint

    def adopt(self, timeout_seconds: float = START_TIMEOUT_SECONDS) -> Endpoint | None:
        """The server that is running, once it is ready; None if there is none.

        Raises:
            EmbeddedServerError: it is still starting or stopping after `timeout_seconds`, or of another major version.
        """
        cluster = find_cluster(self.data_dir)
        if not cluster.pgdata.exists():
            return None
        cluster.check_version()
        deadline = time.monotonic() + timeout_seconds
        while (state := self.status()) in (ServerState.STARTING, ServerState.STOPPING):
            if time.monotonic() >= deadline:
                raise _fault(cluster, f"is still {state}: wait, and try again")
            time.sleep(_POLL_SECONDS)
        return self.endpoint() if state is ServerState.READY else None

    def status(self) -> ServerState:
        """What the server is doing now; a server that crashed is stopped."""
        postmaster = _find_postmaster(find_cluster(self.data_dir))
        return postmaster.state if postmaster else ServerState.STOPPED

    def endpoint(self) -> Endpoint:
        """How to reach the server.

        Raises:
            EmbeddedServerError: it is not running, or its passwords are lost.
        """
        cluster = find_cluster(self.data_dir)
        postmaster = _find_postmaster(cluster)
        if postmaster is None or postmaster.state is not ServerState.READY:
            raise _fault(cluster, "is not running: start it")
        passwords = cluster.passwords()
        owner, app, superuser = (
            make_conninfo(host=postmaster.socket_dir, port=PORT, dbname=DATABASE, user=role, password=passwords[role])
            for role in (OWNER, APP, SUPERUSER)
        )
        return Endpoint(owner, app, superuser, postmaster.pid)

    def reader_dsn(self, timeout_seconds: float = START_TIMEOUT_SECONDS) -> str:
        """How to reach the server as the role that may only read; it is made at the first time.

        Raises:
            EmbeddedServerError: the server is not running.
        """
        endpoint = self.endpoint()
        with locked(self.data_dir / "lock", time.monotonic() + timeout_seconds):
            password = find_cluster(self.data_dir).add_password(READER)
            make_reader(endpoint.superuser_dsn, password)
        return make_conninfo(endpoint.app_dsn, user=READER, password=password)

    def stop(self, mode: StopMode = StopMode.FAST, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> None:
        """Stop the server, whoever started it, and wait until it is down. Nothing happens if it is not running.

        Raises:
            EmbeddedServerError: it was not down after `timeout_seconds`.
        """
        cluster = find_cluster(self.data_dir)
        postmaster = _find_postmaster(cluster)
        if postmaster is None:
            return
        deadline = time.monotonic() + timeout_seconds
        os.kill(postmaster.pid, mode.value)
        while (left := _find_postmaster(cluster)) and left.pid == postmaster.pid:
            if time.monotonic() >= deadline:
                raise _fault(cluster, f"did not stop in {timeout_seconds:.0f} s: try again with a harder mode")
            time.sleep(_POLL_SECONDS)

    def rotate_log(self) -> None:
        """Keep the server's log from growing for ever; whoever watches over the server calls this now and then."""
        server_log.rotate(find_cluster(self.data_dir).log_file)

    def destroy(self) -> None:
        """Stop the server and delete everything: its data, its passwords and `data_dir` itself."""
        self.stop(StopMode.IMMEDIATE)
        cluster = find_cluster(self.data_dir)
        for directory in (cluster.socket_dir, cluster.home, self.data_dir):
            if directory.exists():
                shutil.rmtree(directory)

    def _launch(self, deadline: float) -> None:
        cluster = make_cluster(self.data_dir, sync=self._sync_initdb)
        user = owner_of(cluster.pgdata)
        socket_dir = cluster.make_socket_dir(user)
        _keep_settings(cluster.settings_file, render_settings(str(socket_dir), self._settings))
        # PostgreSQL trusts any living process whose id stands in these, be it a zombie or a stranger. We know better,
        # and it still refuses to start while a process of the old server holds the shared memory.
        (cluster.pgdata / "postmaster.pid").unlink(missing_ok=True)
        (socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        pg_ctl = find_binaries(user) / "pg_ctl"
        while True:
            seconds_left = max(1, math.ceil(deadline - time.monotonic()))
            options = ["--silent", "--wait", f"--timeout={seconds_left}", "-D", str(cluster.pgdata)]
            # Not pg_ctl's own --log: our user may write where PostgreSQL's cannot.
            with os.fdopen(os.open(cluster.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
                begin = log.tell()
                if user.run([pg_ctl, "start", *options], cwd=cluster.home, output=log).returncode == 0:
                    return
            if _find_postmaster(cluster):
                raise _fault(cluster, "is not ready yet and goes on starting: wait, and try again")
            # A backend outlived a killed postmaster; it ends with its statement.
            if "is still in use" not in server_log.tail(cluster.log_file, begin) or time.monotonic() >= deadline:
                raise _fault(cluster, "did not start", begin)
            time.sleep(_POLL_SECONDS * 10)


@contextmanager
def temporary_server(settings: Mapping[str, str] | None = None) -> Iterator[EmbeddedServer]:
    """A running server in a temporary directory, with fsync as any other; afterwards it is gone without a trace."""
    parent = Path(tempfile.mkdtemp(prefix="loyalty-postgres-"))
    server = EmbeddedServer(parent / "data", settings, sync_initdb=False)
    try:
        parent.chmod(0o711)
        server.start()
        yield server
    finally:
        server.destroy()
        parent.rmdir()


def _find_postmaster(cluster: Cluster) -> _Postmaster | None:
    """The living postmaster. The lines of its file: id, data, start, port, sockets, addresses, memory, state."""
    try:
        lines = (cluster.pgdata / "postmaster.pid").read_text().split("\n")
        process = psutil.Process(int(lines[0]))
        # After a crash or a reboot the id may be a stranger's, or a zombie's, which has no command line.
        if process.name() != "postgres" or str(cluster.pgdata) not in process.cmdline():
            return None
    except (FileNotFoundError, ValueError, psutil.Error):
        return None
    state = ServerState(lines[7].strip()) if len(lines) > 8 else ServerState.STARTING
    return _Postmaster(process.pid, lines[4] if len(lines) > 5 else "", state)


def _keep_settings(file: Path, text: str) -> None:
    """Write the settings unless they are there: on a full disk a server still starts, and never with half of them."""
    if file.exists() and file.read_text() == text:
        return
    staging = file.with_name(file.name + ".new")
    staging.write_text(text)
    staging.chmod(0o644)
    staging.replace(file)


def _fault(cluster: Cluster, what: str, log_begin: int = 0) -> EmbeddedServerError:
    said = server_log.tail(cluster.log_file, log_begin)
    return EmbeddedServerError(f"PostgreSQL in {cluster.data_dir} {what}. Its log, {cluster.log_file}, ends:\n{said}")

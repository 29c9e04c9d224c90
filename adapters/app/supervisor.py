"""The supervisor: keeps PostgreSQL, gateway, writer and projections running, and stops them in the right order.

Its children end by themselves when it dies, since the pipe to their standard input closes; PostgreSQL lives on and is
adopted by the next one.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import IO

import msgspec
import structlog

from adapters.app.database import Database, close_database, open_database
from adapters.app.process import Start
from adapters.app.settings import Settings
from adapters.postgres.embedded import EmbeddedServerError, ServerState
from adapters.postgres.migrate import migrate

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.1
_RESTART_SECONDS_MIN = 0.2
_RESTART_SECONDS_MAX = 10.0
_HEALTHY_SECONDS = 30.0
_PROCESSES = {
    "all": ("gateway", "writer", "projections"),
    "writer": ("gateway", "writer"),
    "projections": ("projections",),
}
"""What `run` means."""


class Child:
    """One process of the service; started again when it dies, at once the first time, then with a growing pause."""

    def __init__(self, name: str, settings: Settings, on_line: Callable[[str], None]) -> None:
        self.name = name
        self.settings = settings
        """What the process gets at its next start."""
        self._on_line = on_line
        self._process: subprocess.Popen[str] | None = None
        self._started_at = 0.0
        self._pause_seconds = 0.0
        self._start_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def watch(self, start: Start) -> None:
        """Start the process if it does not run and its time has come."""
        if self._process is not None and self._process.poll() is not None:
            lived = time.monotonic() - self._started_at
            grown = max(_RESTART_SECONDS_MIN, min(2 * self._pause_seconds, _RESTART_SECONDS_MAX))
            self._pause_seconds = _RESTART_SECONDS_MIN if lived > _HEALTHY_SECONDS else grown
            log.warning("process.died", name=self.name, status=self._process.returncode)
            self._start_at = time.monotonic() + self._pause_seconds
            self._process = None
        if self._process is None and time.monotonic() >= self._start_at:
            self._start(start)

    def _start(self, start: Start) -> None:
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"adapters.app.{self.name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.settings.environment()},
            start_new_session=True,  # Ctrl-C goes to the supervisor, which stops the children in order.
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # By the pipe and not by the environment: a password has no place where other processes can read it.
        self._process.stdin.write(msgspec.json.encode(start).decode() + "\n")
        self._process.stdin.flush()
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self._on_line(line.rstrip("\n"))

    def stop(self, seconds: float) -> None:
        """Ask the process to end and wait; kill it if it takes too long."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.error("process.killed", name=self.name, seconds=seconds)
            self._process.kill()
            self._process.wait()
        self._process.stdin.close()
        self._process = None


class Supervisor:
    """Runs a service until it is asked to stop."""

    def __init__(self, settings: Settings, on_listening: Callable[[int], None]) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._on_listening = on_listening
        self._gateway = Child("gateway", settings, self._listening)
        # In the order in which they stop: the gateway answers what it accepted, for which it needs the writer; and its
        # last queries may wait for the projections.
        children = (self._gateway, Child("writer", settings, log.info), Child("projections", settings, log.info))
        self._children = [child for child in children if child.name in _PROCESSES[settings.run]]

    def _listening(self, line: str) -> None:
        """The gateway listens; after a crash it comes back at the same port, even if that was free to choose."""
        port = int(line.split()[1])
        self._gateway.settings = self._settings.model_copy(update={"port": port})
        self._on_listening(port)

    def stop(self) -> None:
        """Ask the service to end; `run` returns when it has."""
        self._stop.set()

    def run(self) -> None:
        """Start everything and watch over it. Raises EmbeddedServerError when PostgreSQL does not start at all."""
        database = open_database(self._settings)
        migrate(database.owner_dsn, database.app_dsn)
        log.info("database.ready", embedded=database.server is not None)
        # Made with mode 0700: whoever reaches the writer's socket can say anything.
        with tempfile.TemporaryDirectory(prefix="loyalty-") as directory:
            try:
                while not self._stop.wait(_POLL_SECONDS):
                    database = self._watch_database(database)
                    for child in self._children:
                        child.watch(Start(database.app_dsn, f"{directory}/writer"))
            finally:
                for child in self._children:
                    child.stop(self._settings.stop_seconds + 5)
                close_database(database)

    def _watch_database(self, database: Database) -> Database:
        """Start the embedded server again if it died; the processes connect to it again by themselves."""
        if database.server is None or database.server.status() is not ServerState.STOPPED:
            return database
        log.warning("database.died")
        try:
            return open_database(self._settings)
        except EmbeddedServerError as fault:
            log.error("database.not_started", fault=str(fault))
            time.sleep(_RESTART_SECONDS_MIN)
            return database

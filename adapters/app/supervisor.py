"""The supervisor: keeps PostgreSQL, gateway, writer and projections running, and stops them in the right order.

Its children end by themselves when it dies, since the pipe to their standard input closes; PostgreSQL lives on and is
adopted by the next one.
"""

import tempfile
import threading
import time
from collections.abc import Callable

import structlog

from adapters.app.child import LISTENING, Child, Start
from adapters.app.database import Database, bring_up_to_date, close_database, open_database
from adapters.app.liveness import RESTART_SECONDS_MIN
from adapters.app.settings import Settings
from adapters.postgres.embedded import EmbeddedServerError, ServerState

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.1
_PROCESSES = {
    "all": ("gateway", "writer", "projections"),
    "writer": ("gateway", "writer"),
    "projections": ("projections",),
}
"""What `run` means."""


class Supervisor:
    """Runs a service until it is asked to stop."""

    def __init__(self, settings: Settings, on_listening: Callable[[int], None]) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._on_listening = on_listening
        self._gateway = Child("gateway", settings, self._listening)
        # In the order in which they stop: the gateway answers what it accepted, for which it needs the writer; and its
        # last queries may wait for the projections.
        others = [Child(name, settings, lambda line: None) for name in ("writer", "projections")]
        children = (self._gateway, *others)
        self._children = [child for child in children if child.name in _PROCESSES[settings.run]]

    def _listening(self, line: str) -> None:
        """The gateway listens; after a crash it comes back at the same port, even if that was free to choose."""
        if not line.startswith(LISTENING):
            return
        port = int(line.removeprefix(LISTENING))
        self._gateway.settings = self._settings.model_copy(update={"port": port})
        self._on_listening(port)

    def stop(self) -> None:
        """Ask the service to end; `run` returns when it has."""
        self._stop.set()

    def run(self) -> None:
        """Start everything and watch over it.

        Raises EmbeddedServerError when PostgreSQL does not start at all, Misconfigured when one of the processes cannot
        do its work as it is configured; all others are stopped then.
        """
        database = open_database(self._settings)
        bring_up_to_date(database)
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
        if database.server is None:
            return database
        try:
            database.server.rotate_log()
            if database.server.status() is not ServerState.STOPPED:
                return database
            log.warning("database.died")
            return open_database(self._settings)
        except (EmbeddedServerError, OSError) as fault:  # a full disk may be freed, a wrong permission mended
            log.error("database.not_started", fault=str(fault))
            time.sleep(RESTART_SECONDS_MIN)
            return database

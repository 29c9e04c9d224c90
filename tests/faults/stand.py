"""A test stand: a real service on a database of its own, at a port that stays the same, and what its clients were told.

Whatever is done to it, `check` says whether every promise was kept.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import psutil

from adapters.postgres.embedded import EmbeddedServer, EmbeddedServerError
from loyalty.v1 import commands_pb2 as c
from tests.faults.checks import Checks
from tests.faults.load import WAIT_SECONDS_MAX, Journal, Load, ask, send_again, under_load
from tests.integration.service import Service, free_port, header, settings, stubs

MIB = 1024 * 1024
DAY_SECONDS = 86_400
POSTGRESQL = "PostgreSQL"


class Stand:
    """A service under test. Each load has members and goods of its own; all are checked together."""

    def __init__(self, directory: Path, database: EmbeddedServer, **configuration: str) -> None:
        self.database = database
        settings = {"LOYALTY_PORT": str(free_port()), "LOYALTY_LOG_LEVEL": "info", **configuration}
        self.service = Service(database.data_dir, **settings)
        self.service.log = directory / "service.log"  # never on the disk of the database, which may be full
        self.journal = Journal(directory / "journal")
        self._checks = Checks()
        self._loads = 0

    def open(self) -> None:
        """Start the service and open the programme; nothing in it comes due while a test lasts."""
        self.service.start().wait_until_serving(WAIT_SECONDS_MAX)
        opening = c.OpenProgrammeRequest(header=header(), settings=settings(hold_seconds=DAY_SECONDS))
        batch = c.ExecuteRequest(commands=[c.Command(open_programme=opening)])
        with self.service.channel() as channel:
            for answered in ask(stubs(channel)[0], batch):
                self.journal.append(answered)

    def load(
        self, clients: int = 4, sizes: tuple[int, ...] = (1, 20, 200), calls_per_second: float = 0
    ) -> AbstractContextManager[Load]:
        """Clients at work until the end of the block; see `under_load`."""
        self._loads += 1
        return under_load(
            self.service.address,
            self.journal,
            f"load{self._loads}",
            clients=clients,
            sizes=sizes,
            calls_per_second=calls_per_second,
        )

    def pids(self) -> dict[str, int]:
        """The process ids of the service and of PostgreSQL, as far as they run, by name."""
        pids = self.service.pids()
        with suppress(EmbeddedServerError):
            pids[POSTGRESQL] = self.database.endpoint().pid
        return pids

    def kill(self, name: str) -> float:
        """Kill one process with SIGKILL; returns the moment."""
        os.kill(self.pids()[name], signal.SIGKILL)
        return time.monotonic()

    def memory(self) -> dict[str, float]:
        """What each process of the service takes now, in MiB; PostgreSQL shares its memory with its sessions."""
        taken = {}
        for name, pid in self.service.pids().items():
            with suppress(psutil.Error):  # it died in this very moment
                taken[name] = psutil.Process(pid).memory_info().rss / MIB
        return taken

    def settle(self) -> int:
        """Have everything answered that was not; returns how many commands that were."""
        self.service.wait_until_serving(WAIT_SECONDS_MAX)
        with self.service.channel() as channel:
            return send_again(stubs(channel)[0], self.journal)

    def check(self) -> str:
        """Check what must hold after any fault, of all that happened since the last check; returns what there was."""
        self.settle()
        return self._checks.run(self.service.address, self.database.endpoint().app_dsn, self.journal)


@contextmanager
def stand(directory: Path, database: EmbeddedServer | None = None, **configuration: str) -> Iterator[Stand]:
    """A stand in a directory, in use; a database that is given is the caller's to start."""
    made = Stand(directory, database or EmbeddedServer(directory / "data"), **configuration)
    try:
        made.open()
        yield made
    finally:
        made.service.stop()
        made.journal.close()
        made.database.destroy()

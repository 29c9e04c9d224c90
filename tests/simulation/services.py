"""Services on one database: writers in processes of their own, with clocks of their own."""

from collections import Counter
from collections.abc import Callable
from random import Random

from adapters.memory.store import MemoryStore
from ledger.cache import StateCache
from ledger.calendar import SECOND, Instant
from ledger.commands import Request
from ledger.writer import Limits, Writer
from tests.property.histories import START
from tests.simulation.database import Database, ScriptedStore
from tests.simulation.virtual import Process, VirtualLoop


class Machine:
    """What all share: the loop, the database, the true time, and the list of what happened."""

    def __init__(self, loop: VirtualLoop, random: Random, tell: Callable[[str], None]) -> None:
        self.loop = loop
        self.random = random
        self.happened: Counter[str] = Counter()
        self.database = Database(loop, random, self.happen)
        self.services: list[Service] = []
        self.limits = Limits(
            queue_commands_max=random.choice((30, 65_536)),
            batch_commands_max=random.choice((20, 60, 8_192)),
            memory_bytes_max=random.choice((1, 20_000, 10_000_000)),
        )
        self._tell = tell
        self._date = START

    def happen(self, what: str, about: str) -> None:
        """Count and tell what goes wrong, or otherwise matters."""
        self.happened[what] += 1
        self._tell(f"{self.loop.time():10.4f}  {what}: {about}")

    def wall(self) -> Instant:
        """The true time: that of the latest request, and what passed since the beginning."""
        return self._date + int(self.loop.time() * SECOND)

    def advance(self, date: Instant) -> None:
        self._date = max(self._date, date)

    def start_service(self) -> "Service":
        service = Service(f"service {len(self.services) + 1}", self)
        self.services.append(service)
        self.happen("start", service.name)
        return service


class Service:
    """A writer and its clock."""

    def __init__(self, name: str, machine: Machine) -> None:
        self.name = name
        self.process = Process(name)
        self.behind: Instant = 0
        """How far its clock is behind."""
        self.killed = False
        self.store = ScriptedStore(machine.database, name)
        self.writer = Writer(self.store, self, machine.limits)
        self.writer.on_defect = self._defect
        self.running = machine.loop.spawn(self.process, self.writer.run())
        self._machine = machine

    def _defect(self, request: Request, defect: Exception) -> None:
        self._machine.loop.faults.append(f"{request}: {defect!r}")

    def now(self) -> Instant:
        return self._machine.wall() - self.behind

    @property
    def serves(self) -> bool:
        """Whether it leads, or may come to."""
        return not self.killed and not self.running.done()

    async def check(self) -> None:
        """It has not broken; if it leads, what it keeps in memory is what the log says."""
        if not self.serves:
            if not self.killed:
                self.running.result()
            return
        if self.writer.leads:
            kept = {name: state for name, state in self.writer.cache.loaded.items() if hasattr(state, "image")}
            fresh = StateCache(MemoryStore(self._machine.database.memory), 10**9)
            await fresh.load(kept)
            for name, state in kept.items():
                known = fresh.loaded[name].image()  # type: ignore[attr-defined]
                assert state.image() == known, f"{self.name} has {name} otherwise than the log"

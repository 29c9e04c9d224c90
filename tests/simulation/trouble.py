"""What goes wrong, and when."""

import asyncio
from collections.abc import Callable

from ledger.calendar import HOUR, MINUTE, SECOND
from tests.simulation.callers import Callers
from tests.simulation.database import Connection
from tests.simulation.services import Machine, Service

SERVICES_MAX = 8
"""As many are started in one run at most, one after the other."""
FAULT_RATES = (0.0, 0.01, 0.05, 0.2)
UNRELIABLE = (0.0, 0.05, 0.3)


class Trouble:
    """Breaks something now and then, for as long as `run` is not cancelled; `end` lets things be."""

    def __init__(self, machine: Machine, callers: Callers) -> None:
        self._machine = machine
        self._random = machine.random
        self._callers = callers
        self._pace = self._random.choice((0.1, 0.5, 3.0))
        self._kinds: tuple[Callable[[Service], None], ...] = (
            self._stop,
            self._stop,
            self._kill,
            self._retire,
            self._clock,
            self._cut,
            self._end_session,
            self._unlock,
            self._unlock,
            self._slow,
        )
        machine.database.on_begun = self._stop_in_transaction

    async def run(self) -> None:
        while True:
            self._machine.database.fault_rate = self._random.choice(FAULT_RATES)
            self._callers.unreliable = self._random.choice(UNRELIABLE)
            await asyncio.sleep(self._random.expovariate(1 / self._pace))
            serving = [service for service in self._machine.services if service.serves]
            leading = [service for service in serving if service.writer.leads]
            victim = self._random.choice(leading or serving if self._random.random() < 0.7 else serving)
            self._random.choice(self._kinds)(victim)

    def end(self) -> None:
        """From now on nothing breaks, and whoever is stopped goes on."""
        self._machine.database.fault_rate = self._machine.database.slow_until = self._callers.unreliable = 0.0
        for service in self._machine.services:
            if not service.killed:
                service.process.go_on(self._machine.loop)

    def _stop(self, victim: Service) -> None:
        """A standby takes over after some seconds; then the stopped one wakes up and does not know."""
        if victim.process.stopped:
            return
        self._machine.happen("stop", victim.name)
        victim.process.stop()
        self._machine.loop.call_later(self._random.choice((0.05, 1.0, 5.5, 9.0, 20.0)), self._go_on, victim)

    def _stop_in_transaction(self, connection: Connection) -> None:
        if self._random.random() < self._machine.database.fault_rate:
            for service in self._machine.services:
                if connection in service.store.connections():
                    self._stop(service)

    def _go_on(self, victim: Service) -> None:
        if not victim.killed and victim.process.stopped:
            self._machine.happen("go on", f"{victim.name}, which {'leads' if victim.writer.leads else 'stands by'}")
            victim.process.go_on(self._machine.loop)

    def _kill(self, victim: Service) -> None:
        """The operating system closes its connections; another service is started."""
        if len(self._machine.services) < SERVICES_MAX:
            self._machine.happen("kill", victim.name)
            victim.killed = True
            victim.process.stop()
            for connection in victim.store.connections():
                self._machine.database.hang_up(connection)
            self._machine.start_service()

    def _retire(self, victim: Service) -> None:
        """It is asked to stop, answers what it accepted, and gives up the lead."""
        if len(self._machine.services) < SERVICES_MAX and not victim.process.stopped:
            self._machine.happen("retire", victim.name)
            self._machine.loop.spawn(victim.process, _stop(victim))
            self._machine.start_service()

    def _clock(self, victim: Service) -> None:
        by = self._random.choice((-HOUR, -2 * MINUTE, -SECOND, SECOND, 3 * SECOND, 2 * MINUTE, HOUR))
        self._machine.happen("clock went back" if by > 0 else "clock went ahead", f"{victim.name}, {abs(by)}")
        victim.behind += by

    def _cut(self, victim: Service) -> None:
        if connections := victim.store.connections():
            self._machine.database.cut(self._random.choice(connections), "by somebody")

    def _end_session(self, victim: Service) -> None:
        if connections := victim.store.connections():
            connection = self._random.choice(connections)
            self._machine.happen("session ended", connection.name)
            self._machine.database.end(connection)

    def _unlock(self, victim: Service) -> None:
        self._machine.database.unlock()

    def _slow(self, victim: Service) -> None:
        database = self._machine.database
        database.slow_until = self._machine.loop.time() + self._random.choice((0.1, 1.0, 8.0))


async def _stop(service: Service) -> None:
    service.writer.stop()

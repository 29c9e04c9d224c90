"""One run of the simulation, from its seed to its verdict."""

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any
from unittest.mock import patch

from ledger import cache
from tests.property.histories import history, long_history
from tests.simulation.audit import Audit
from tests.simulation.callers import Callers
from tests.simulation.database import LEASE_SECONDS
from tests.simulation.services import Machine
from tests.simulation.trouble import Trouble
from tests.simulation.virtual import Stuck, VirtualLoop

BOTH = ("zoo", "bar")
OPENING = len(history([], BOTH))
"""So many steps open the programmes."""
RUN_SECONDS_MAX = 3_600.0
PEACE_SECONDS = 3 * LEASE_SECONDS


class World:
    """Services, callers and trouble, all decided by a seed; and an audit of what comes of it."""

    def __init__(self, loop: VirtualLoop, seed: int, tell: Callable[[str], None]) -> None:
        random = Random(seed)
        self.machine = Machine(loop, random, tell)
        self.steps = long_history(seed, random.choice((40, 80, 160)), BOTH)
        self._random = random
        self._over = False
        self._found: asyncio.Future[None] = loop.create_future()
        database = self.machine.database
        self.audit = Audit(database.memory)
        database.on_lead = self._ending(self.audit.led)
        database.on_commit = self._ending(self.audit.committed)
        self._callers = Callers(self.machine, self.audit, self._fail)
        self._trouble = Trouble(self.machine, self._callers)

    async def run(self) -> None:
        """Raises what the audit finds, or Stuck."""
        for _ in range(self._random.choice((2, 2, 3))):
            self.machine.start_service()
        working = asyncio.create_task(self._work())
        try:
            done, _ = await asyncio.wait(
                {working, self._found}, timeout=RUN_SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                raise Stuck(f"somebody was not answered within {RUN_SECONDS_MAX:.0f} seconds")
            self._raise()
            await working
            await asyncio.sleep(PEACE_SECONDS)
            self._raise()
            await self._check()
        finally:
            self._over = True
            for service in self.machine.services:
                service.process.go_on(self.machine.loop)

    async def _work(self) -> None:
        """Open the programmes in peace; then many callers, while things go wrong; peace again for the last ones."""
        await self._callers.call(self.steps[:OPENING])
        rest, count = self.steps[OPENING:], self._random.randrange(2, 9)
        calls = asyncio.gather(*(self._callers.call(rest[place::count]) for place in range(count)))
        trouble = asyncio.create_task(self._trouble.run())
        either: set[asyncio.Future[Any]] = {calls, trouble}
        await asyncio.wait(either, timeout=self._random.uniform(1, 30), return_when=asyncio.FIRST_COMPLETED)
        if trouble.done():
            await trouble
        trouble.cancel()
        self._trouble.end()
        await calls

    async def _check(self) -> None:
        services = self.machine.services
        assert not self.machine.loop.faults, self.machine.loop.faults
        for service in services:
            await service.check()
        leading = [service.name for service in services if service.serves and service.writer.leads]
        assert len(leading) == 1, f"{leading} lead"

    def _raise(self) -> None:
        if self._found.done():
            self._found.result()

    def _fail(self, error: Exception) -> None:
        if not self._over and not self._found.done():
            self._found.set_exception(error)

    def _ending(self, check: Callable[..., None]) -> Callable[..., None]:
        """A check that ends the run where it fails."""

        def checked(*about: object) -> None:
            try:
                if not self._over:
                    check(*about)
            except Exception as error:
                self._fail(error)

        return checked


def simulate(seed: int, tell: Callable[[str], None] = lambda line: None) -> Counter[str]:
    """Run one seed; returns how often what happened. Raises AssertionError, which names how to see it again."""
    with patch.object(cache, "SNAPSHOT_EVENTS_MIN", Random(seed).choice((2, 500))):
        try:
            with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                loop = runner.get_loop()
                assert isinstance(loop, VirtualLoop)
                world = World(loop, seed, tell)
                runner.run(world.run())
            world.audit.replay()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}\n\nsee it again: python -m tests.simulation {seed}") from error
        return world.machine.happened

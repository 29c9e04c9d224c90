"""A store that breaks by chance, and callers who ask again until they are answered."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from random import Random

from adapters.memory.store import Memory, MemoryStore
from ledger.commands import Request
from ledger.errors import Fenced, Unavailable
from ledger.ports import Batch, Head, Snapshot, StoredStream
from ledger.receipts import Outcome
from ledger.writer import Answer, Writer

TRIES_MAX = 500


class FaultyStore(MemoryStore):
    """Fails by chance, in the ways a database behind a network does.

    An append may fail before it took effect, after it, or a while before it: its connection is dead, but the other
    side still works on it. Whoever takes the lead waits for such an append or fences it.
    """

    def __init__(self, memory: Memory, random: Random, rate: float) -> None:
        super().__init__(memory)
        self._random = random
        self._rate = rate
        self._late: set[asyncio.Task[None]] = set()
        self.faults = 0

    async def acquire(self) -> Head:
        await self._pause()
        if self._random.random() < 0.5:
            await asyncio.gather(*self._late, return_exceptions=True)
        head = await super().acquire()
        await self._pause()
        return head

    async def append(self, batch: Batch, previous: Head) -> None:
        await self._pause()
        fault = self._fault(("before", "after", "late", "fenced", "rival"))
        if fault == "before":
            raise Unavailable("the connection died before the commit")
        if fault == "fenced":
            raise Fenced("another writer leads")
        if fault == "rival":
            await MemoryStore(self.memory).acquire()
        if fault == "late":
            late = asyncio.create_task(self._append_late(batch, previous))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            raise Unavailable("the connection died during the commit")
        await super().append(batch, previous)
        await self._pause()
        if fault == "after":
            raise Unavailable("the connection died after the commit")

    async def _append_late(self, batch: Batch, previous: Head) -> None:
        await self._pause()
        with contextlib.suppress(Fenced):
            await super().append(batch, previous)

    async def outcomes(self, ids: Sequence[bytes]) -> dict[bytes, Outcome]:
        await self._look("outcomes")
        return await super().outcomes(ids)

    async def business_keys(self, keys: Sequence[bytes]) -> set[bytes]:
        await self._look("business keys")
        return await super().business_keys(keys)

    async def streams(self, fingerprints: Mapping[str, str]) -> dict[str, StoredStream]:
        await self._look("streams")
        found = await super().streams(fingerprints)
        await self._pause()
        return found

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        await self._pause()
        await super().save_snapshots(snapshots)

    async def _look(self, what: str) -> None:
        await self._pause()
        if self._fault(("look-up",)):
            raise Unavailable(f"the connection died while looking up {what}")

    def _fault(self, kinds: Sequence[str]) -> str:
        if self._random.random() >= self._rate:
            return ""
        self.faults += 1
        return self._random.choice(kinds)

    async def _pause(self) -> None:
        """Let others go on: mostly not at all, now and then for long."""
        for _ in range(self._random.choice((0, 0, 1, 3, 40))):
            await asyncio.sleep(0)


async def ask(writer: Writer, requests: Sequence[Request]) -> list[Answer]:
    """Send requests together; those without an answer again, with the same ids."""
    answers: dict[int, Answer] = {}
    for _ in range(TRIES_MAX):
        left = [place for place in range(len(requests)) if place not in answers]
        if not left:
            return [answers[place] for place in range(len(requests))]
        for place, answer in zip(left, await writer.execute([requests[place] for place in left]), strict=True):
            if not isinstance(answer, Unavailable):
                answers[place] = answer
        await asyncio.sleep(0)
    raise AssertionError(f"no answer after {TRIES_MAX} tries")

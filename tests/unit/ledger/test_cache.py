"""The states in memory."""

import asyncio

from adapters.memory.store import Memory, MemoryStore
from ledger.cache import STREAMS_BETWEEN_YIELDS, StateCache


async def test_loading_many_streams_lets_the_event_loop_turn() -> None:
    """A writer that loads for long still says that it lives."""
    cache = StateCache(MemoryStore(Memory()), 1 << 30)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    await cache.load(f"club/member/m{number}" for number in range(10 * STREAMS_BETWEEN_YIELDS))
    turning.cancel()
    assert len(cache.loaded) == 10 * STREAMS_BETWEEN_YIELDS
    assert turns >= 10

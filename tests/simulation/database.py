"""The database as writers see it: a scripted server with transactions, sessions and connections that die at any point.

It behaves as PostgreSQL does behind `adapters.postgres.store`: the shard's row fences, a session lock tells who leads,
a leader that does not renew loses its session, and a commit whose connection died may still take effect.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import Context
from functools import partial
from random import Random
from typing import Any, TypeVar

from adapters.memory.store import Memory, MemoryStore
from ledger.errors import Fenced, Unavailable
from ledger.ports import Batch, Head, Snapshot, StoredEvent, StoredStream
from ledger.receipts import Outcome
from tests.simulation.virtual import VirtualLoop

Result = TypeVar("Result")

LEASE_SECONDS = 5.0


class Connection:
    """A connection, and the session at its other end; each side may hold the other for alive when it is not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the writer has seen that it is dead."""
        self.ended = False
        """Whether the server has seen it."""
        self.committing = False
        self.serving: set[asyncio.Task[Any]] = set()


class Database:
    """The server. It goes on whatever becomes of its clients."""

    def __init__(self, loop: VirtualLoop, random: Random, happened: Callable[[str, str], None]) -> None:
        self.memory = Memory()
        self.leader: Connection | None = None
        self.fault_rate = 0.0
        self.slow_until = 0.0
        self.on_lead: Callable[[Head], None] = lambda head: None
        self.on_begun: Callable[[Connection], None] = lambda connection: None
        self.on_commit: Callable[[Batch], None] = lambda batch: None
        self._loop = loop
        self._random = random
        self._happened = happened
        self._row = asyncio.Lock()
        self._renewed_at = 0.0

    # -- asking and answering

    def start(self, connection: Connection, work: Callable[[], Coroutine[Any, Any, Result]]) -> asyncio.Task[Result]:
        """Have the server do something. Raises Unavailable when the connection is known to be dead."""
        if connection.cut.done():
            raise Unavailable(f"{connection.name} is dead")
        serving = self._loop.spawn(None, self._serve(connection, work))
        connection.serving.add(serving)
        serving.add_done_callback(connection.serving.discard)
        serving.add_done_callback(lambda done: done.cancelled() or done.exception())
        return serving

    async def answer(self, connection: Connection, serving: asyncio.Task[Result]) -> Result:
        """What it came to. Raises Unavailable when the connection dies first."""
        either: set[asyncio.Future[Any]] = {serving, connection.cut}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done() or serving.cancelled():
            raise Unavailable(f"{connection.name} died")
        return serving.result()

    async def ask(self, connection: Connection, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        return await self.answer(connection, self.start(connection, work))

    async def _serve(self, connection: Connection, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """On the way there, in the server and on the way back: mostly fast, now and then slow, or for nothing."""
        await self._travel(connection)
        result = await work()
        await self._travel(connection)
        return result

    async def _travel(self, connection: Connection) -> None:
        self._chance(connection, "on the way")
        await asyncio.sleep(self._random.choice((0, 0, 0.001, 0.001, 0.004, 0.05)))

    # -- what dies

    def _chance(self, connection: Connection, where: str) -> None:
        if self._random.random() < self.fault_rate:
            self.cut(connection, where)

    def cut(self, connection: Connection, where: str) -> None:
        """A connection dies: the writer sees it now, the server now or much later."""
        if not connection.cut.done():
            self._happened("connection died", f"{connection.name}, {where}")
            self.hang_up(connection, self._random.choice((0.0, 0.0, 0.3, 20.0)))

    def hang_up(self, connection: Connection, noticed_after: float = 0.0) -> None:
        """The writer's end is gone."""
        if not connection.cut.done():
            connection.cut.set_result(None)
        self._loop.call_later(noticed_after, self.end, connection, context=Context())

    def end(self, connection: Connection) -> None:
        """End a session: what it did is rolled back, unless it is too late for that."""
        if connection.ended:
            return
        connection.ended = True
        if self.leader is connection:
            self.leader = None
        if not connection.cut.done():
            connection.cut.set_result(None)
        if connection.committing and self._random.random() < 0.5:
            self._happened("late commit", connection.name)
            return
        for serving in list(connection.serving):
            if serving is not asyncio.current_task():
                serving.cancel()

    def unlock(self) -> None:
        """The lock that tells who leads gets lost, as in a failover or behind a pooler: the row is all that fences."""
        if self.leader is not None:
            self._happened("lock lost", self.leader.name)
            self.leader = None

    # -- what writers ask for

    async def wait_to_ask_again(self) -> None:
        """As long as a standby waits that does not lead yet."""
        await asyncio.sleep(self._random.choice((0.02, 0.5, 1.0)))

    async def try_lead(self, connection: Connection) -> Head | None:
        """Lead under a new epoch if nobody else does; end the session of a leader that is hung."""
        if self.leader is not None:
            if self._loop.time() - self._renewed_at > LEASE_SECONDS:
                self._happened("hung leader", self.leader.name)
                self.end(self.leader)
            return None
        self.leader = connection
        async with self._row:
            head = await MemoryStore(self.memory).acquire()
            self._renewed_at = self._loop.time()
            self.on_lead(head)
        self._happened("lead", f"{connection.name}, epoch {head.epoch}")
        return head

    async def renew(self, epoch: int) -> None:
        await MemoryStore(self.memory).renew(epoch)
        self._renewed_at = self._loop.time()

    async def transact(
        self,
        connection: Connection,
        batch: Batch,
        previous: Head,
        begun: "asyncio.Future[None]",
        commit: "asyncio.Future[None]",
    ) -> None:
        """Lock the shard's row and check it; append when told to, if that is soon."""
        async with self._row:
            if self.memory.head != previous:
                self._happened("fenced", connection.name)
                raise Fenced("another writer appended or leads")
            begun.set_result(None)
            self.on_begun(connection)
            try:
                async with asyncio.timeout(LEASE_SECONDS):
                    await asyncio.shield(commit)
            except TimeoutError:
                self._happened("idle in transaction", connection.name)
                self.end(connection)
                raise Unavailable("idle in transaction for too long") from None
            connection.committing = True
            self._chance(connection, "at the commit")
            if self._random.random() < self.fault_rate:
                self._happened("failed commit", connection.name)
                raise Unavailable("the disk is full")
            await self._flush(connection)
            try:
                await MemoryStore(self.memory).append(batch, previous)
            except Fenced as conflict:
                raise AssertionError(f"{connection.name} leads, and decided what contradicts the log") from conflict
            connection.committing = False
            self._renewed_at = self._loop.time()
            self.on_commit(batch)
            self._chance(connection, "after the commit")

    async def _flush(self, connection: Connection) -> None:
        await asyncio.sleep(self._random.choice((0, 0.002, 0.002, 0.03)))
        if self._loop.time() < self.slow_until:
            self._happened("slow flush", connection.name)
            await asyncio.sleep(self._random.uniform(0, 2 * LEASE_SECONDS))


class ScriptedStore:
    """One writer's way to the database: three connections, as in PostgreSQL."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._connections: dict[str, Connection] = {}

    def connections(self) -> list[Connection]:
        """Those that are open."""
        return list(self._connections.values())

    def _open(self, kind: str) -> Connection:
        self._connections[kind] = Connection(f"{self._name}'s {kind}")
        return self._connections[kind]

    def _to(self, kind: str) -> Connection:
        found = self._connections.get(kind)
        if found is None:
            raise Unavailable("not connected")
        return found

    async def acquire(self) -> Head:
        await self.close()
        while True:
            append = self._connections.get("append") or self._open("append")
            try:
                head = await self._database.ask(append, partial(self._database.try_lead, append))
            except Unavailable:
                await self.close()
                head = None
            if head is not None:
                self._open("look-ups")
                self._open("streams")
                return head
            await self._database.wait_to_ask_again()

    async def renew(self, epoch: int) -> None:
        await self._database.ask(self._to("append"), partial(self._database.renew, epoch))

    async def append(self, batch: Batch, previous: Head) -> None:
        append = self._to("append")
        loop = asyncio.get_running_loop()
        begun, commit = loop.create_future(), loop.create_future()
        transact = partial(self._database.transact, append, batch, previous, begun, commit)
        serving = self._database.start(append, transact)
        await asyncio.wait({begun, serving, append.cut}, return_when=asyncio.FIRST_COMPLETED)
        if begun.done():
            commit.set_result(None)
        await self._database.answer(append, serving)

    async def outcomes(self, ids: Sequence[bytes]) -> dict[bytes, Outcome]:
        return await self._look("look-ups", lambda store: store.outcomes(ids)) if ids else {}

    async def business_keys(self, keys: Sequence[bytes]) -> set[bytes]:
        return await self._look("streams", lambda store: store.business_keys(keys)) if keys else set()

    async def accepted(self, ids: Sequence[bytes]) -> dict[bytes, list[StoredEvent]]:
        return await self._look("streams", lambda store: store.accepted(ids)) if ids else {}

    async def streams(self, fingerprints: Mapping[str, str]) -> dict[str, StoredStream]:
        return await self._look("streams", lambda store: store.streams(fingerprints))

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        try:
            await self._look("look-ups", lambda store: store.save_snapshots(snapshots))
        except Unavailable:
            """Losing one costs time at the next load."""

    async def _look(self, kind: str, work: Callable[[MemoryStore], Coroutine[Any, Any, Result]]) -> Result:
        return await self._database.ask(self._to(kind), partial(work, MemoryStore(self._database.memory)))

    async def close(self) -> None:
        """Hang up. The server may be at a commit, and then finishes it."""
        for connection in self.connections():
            self._database.hang_up(connection)
        self._connections.clear()

"""The writer: one per shard. It drains a bounded queue, decides in order, appends whole batches, and only then answers.

Light load gives small batches and low latency; heavy load gives large batches. One batch is in flight while the next is
decided on top of it. Nothing here knows what the commands mean.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from ledger.cache import StateCache
from ledger.commands import Request, request_hash
from ledger.decisions.dispatch import streams_of
from ledger.draft import Draft, key_of, repeat
from ledger.errors import Fenced, InvalidCommand, LedgerError, Overloaded, Unavailable
from ledger.ports import Batch, Clock, Head, Snapshot, Store
from ledger.receipts import Outcome
from ledger.states.lookup import NotLoaded

Answer = Outcome | LedgerError


class Limits(msgspec.Struct, frozen=True):
    """What the writer takes at most; each with the reason for its default in ledger/README.md."""

    queue_commands_max: int = 65_536
    batch_commands_max: int = 8_192
    memory_bytes_max: int = 1_536 * 1024 * 1024
    decide_commands_between_yields: int = 256
    renew_seconds: float = 1.0
    recovery_seconds_max: float = 2.0


class Job(msgspec.Struct):
    """Requests that came together, and where their answers go."""

    requests: Sequence[Request]
    answers: "asyncio.Future[Sequence[Answer]]"
    interrupted: bool = False
    """Whether a batch with this job failed before; it is tried again once."""


class Work(msgspec.Struct):
    """The jobs of one batch, with what was looked up for them and what was decided."""

    jobs: list[Job]
    requests: list[Request]
    hashes: list[bytes]
    keys: list[bytes]
    """The business key of each request that is a single command."""
    draft: Draft
    answers: list[Answer] = []
    stored: dict[bytes, Outcome] = {}


class _Undecidable(Exception):
    """Raised when deciding a request failed by a defect of the ledger: states may have changed by halves."""


class Writer:
    """The write side of one shard. `execute` is the only way in."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        limits: Limits | None = None,
        shard: int = 1,
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits or Limits()
        self._shard = shard
        self.on_lead: Callable[[bool], None] = lambda leads: None
        """Called with whether this writer leads, whenever that changes."""
        self.on_defect: Callable[[Request, Exception], None] = lambda request, defect: None
        """Called with a request that could not be decided, and what was raised."""
        self._queue: deque[Job] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._leads = False
        self._stopping = asyncio.Event()
        self._flight: tuple[Work, asyncio.Task[None]] | None = None
        self._deciding: Work | None = None
        self._undecidable: set[bytes] = set()
        """The ids of requests in the batch that is decided next, which cannot be decided."""
        self._head = Head(0, 0, b"", 0, b"", 0)
        self._background: set[asyncio.Task[None]] = set()
        self.cache = StateCache(store, self._limits.memory_bytes_max)

    @property
    def leads(self) -> bool:
        """Whether this writer leads the shard: another one may, while this one stands by."""
        return self._leads

    @property
    def queued(self) -> int:
        """Commands waiting to be decided."""
        return self._queued

    async def execute(self, requests: Sequence[Request]) -> Sequence[Answer]:
        """Decide and record requests in order; answers come after the commit, one for each request."""
        if not requests:
            return []
        if not self._leads or self._stopping.is_set():
            return [Unavailable("this writer does not lead the shard now; retry with the same command id")] * len(
                requests
            )
        size = sum(len(request.commands) for request in requests)
        if size > self._limits.batch_commands_max:
            return [InvalidCommand("commands", f"more than {self._limits.batch_commands_max}")] * len(requests)
        if self._queued + size > self._limits.queue_commands_max:
            return [Overloaded(f"{self._queued} commands are waiting; retry later")] * len(requests)
        job = Job(requests, asyncio.get_running_loop().create_future())
        self._queue.append(job)
        self._queued += size
        self._wake.set()
        return await job.answers

    async def run(self) -> None:
        """Lead whenever possible, until `stop`; then finish what was accepted."""
        try:
            while not self._stopping.is_set():
                await self._lead()
                try:
                    await self._drain()
                except (Fenced, Unavailable) as fault:
                    await self._recover(fault)
        finally:
            self._set_leads(False)
            self._fail_all(Unavailable("the writer stopped; retry with the same command id"))
            await asyncio.gather(*self._background, return_exceptions=True)
            await self._store.close()

    def stop(self) -> None:
        """Take nothing more; answer what was accepted, then end `run`."""
        self._stopping.set()
        self._wake.set()

    # -- leading

    async def _lead(self) -> None:
        """Wait for the lead. Commands whose batch was interrupted wait with us, but not for ever."""
        acquiring = asyncio.ensure_future(self._store.acquire())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            done, _ = await asyncio.wait(
                {acquiring, stopping}, timeout=self._limits.recovery_seconds_max, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                self._set_leads(False)
                self._fail_queued(Unavailable("outcome unknown; retry with the same command id"))
                await asyncio.wait({acquiring, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if acquiring.done():
                self._head = acquiring.result()
                self._set_leads(True)
        finally:
            for task in (acquiring, stopping):
                task.cancel()
            await asyncio.gather(acquiring, stopping, return_exceptions=True)

    def _set_leads(self, leads: bool) -> None:
        if leads != self._leads:
            self._leads = leads
            self.on_lead(leads)

    async def _recover(self, fault: LedgerError) -> None:
        """Forget all states; put back what was not answered, so that it is looked up and, if need be, decided again."""
        if self._flight is not None:
            self._flight[1].cancel()
            await asyncio.gather(self._flight[1], return_exceptions=True)
        interrupted = [work for work in (self._flight[0] if self._flight else None, self._deciding) if work]
        self._flight = self._deciding = None
        self.cache.clear()
        for job in reversed([job for work in interrupted for job in work.jobs if not job.answers.done()]):
            if job.interrupted:
                job.answers.set_result(
                    [Unavailable(f"the outcome is unknown ({fault}); retry with the same command id")]
                    * len(job.requests)
                )
            else:
                job.interrupted = True
                self._queue.appendleft(job)
                self._queued += sum(len(request.commands) for request in job.requests)
        if isinstance(fault, Fenced):
            self._set_leads(False)
            self._fail_queued(Unavailable("another writer took over; retry with the same command id"))

    def _fail_all(self, fault: LedgerError) -> None:
        """Answer everybody who still waits: nobody waits for a writer that has ended."""
        interrupted = [work for work in (self._flight[0] if self._flight else None, self._deciding) if work]
        for work in interrupted:
            self._queue.extend(work.jobs)
        self._fail_queued(fault)

    def _fail_queued(self, fault: LedgerError) -> None:
        while self._queue:
            job = self._queue.popleft()
            if not job.answers.done():
                job.answers.set_result([fault] * len(job.requests))
        self._queued = 0

    # -- batches

    async def _drain(self) -> None:
        """Decide and append batch after batch. Raises Fenced or Unavailable with the interrupted work still known."""
        while not (self._stopping.is_set() and not self._queue):
            if not self._queue:
                await self._idle()
                continue
            work = self._take()
            self._deciding = work
            await self._look_up(work)
            try:
                await self._decide(work)
            except _Undecidable:
                await self._begin_again(work)
                continue
            await self._land()
            self._launch(work)
        await self._land()

    async def _idle(self) -> None:
        """Wait for commands, or for the batch in flight; say now and then that the writer lives."""
        self._wake.clear()
        if self._flight is None:
            try:
                async with asyncio.timeout(self._limits.renew_seconds):
                    await self._wake.wait()
            except TimeoutError:
                await self._store.renew(self._head.epoch)
            return
        waking = asyncio.ensure_future(self._wake.wait())
        await asyncio.wait({waking, self._flight[1]}, return_when=asyncio.FIRST_COMPLETED)
        waking.cancel()
        if self._flight[1].done():
            await self._land()

    async def _land(self) -> None:
        """Wait for the batch in flight; raises what it failed with."""
        if self._flight is not None:
            await self._flight[1]
            self._flight = None

    async def _begin_again(self, work: Work) -> None:
        """Forget all states and decide a batch anew, without what cannot be decided: that costs its caller the answer.

        Not the others: if it ended the writer, it would end each one after it, as callers ask again.
        """
        await self._land()
        self._deciding = None
        self.cache.clear()
        self._queue.extendleft(reversed(work.jobs))
        self._queued += sum(len(request.commands) for request in work.requests)

    def _take(self) -> Work:
        jobs: list[Job] = []
        size = 0
        while self._queue:
            commands = sum(len(request.commands) for request in self._queue[0].requests)
            if jobs and size + commands > self._limits.batch_commands_max:
                break
            size += commands
            jobs.append(self._queue.popleft())
        self._queued -= size
        requests = [request for job in jobs for request in job.requests]
        return Work(
            jobs,
            requests,
            [request_hash(request) for request in requests],
            [key_of(request, request.commands[0]) if request.commands else b"" for request in requests],
            Draft(self._shard, self._head, self._clock.now(), self.cache.loaded),
        )

    async def _look_up(self, work: Work) -> None:
        """Which command ids and business keys are known, with one query for the batch each."""
        keys = [key for key in work.keys if key]
        for request in work.requests:
            if len(request.commands) > 1:
                keys += [key for command in request.commands[1:] if (key := key_of(request, command))]
        work.stored, work.draft.keys_stored = await asyncio.gather(
            self._store.outcomes([request.id for request in work.requests if not request.validate_only]),
            self._store.business_keys(keys),
        )

    async def _decide(self, work: Work) -> None:
        """Decide all requests in order, loading cold streams for all that are left whenever one is missing."""
        draft, answers, stored = work.draft, work.answers, work.stored
        flying: dict[bytes, Outcome] = {}
        if self._flight is not None:
            flying, draft.keys_flying = self._flight[0].draft.outcomes, self._flight[0].draft.keys
        for place, request in enumerate(work.requests):
            if place % self._limits.decide_commands_between_yields == 0:
                await asyncio.sleep(0)
            known = draft.outcomes.get(request.id) or flying.get(request.id) or stored.get(request.id)
            if known is not None and not request.validate_only:
                answers.append(repeat(known, work.hashes[place]))
                continue
            if request.id in self._undecidable:
                answers.append(LedgerError("a defect of the ledger: nothing was recorded, its log says more"))
                continue
            while True:
                try:
                    answers.append(draft.decide(request, work.hashes[place], work.keys[place]))
                    break
                except NotLoaded as cold:
                    await self._load(draft, work.requests[place:], cold.stream)
                except MemoryError:
                    raise
                except Exception as defect:
                    self._undecidable.add(request.id)
                    self.on_defect(request, defect)
                    raise _Undecidable from defect
            self.cache.forget_unknown()

    async def _load(self, draft: Draft, requests: Sequence[Request], needed: str) -> None:
        """Load what these requests read, as far as that can be told by now; at least the stream that is needed."""
        streams = {needed: None}  # In the order in which they are named, as that of a set differs from run to run.
        for request in requests:
            states = draft.states(request)
            for command in request.commands:
                streams.update(dict.fromkeys(streams_of(states, command)))
        flying = self._flight[0].draft.recorded if self._flight is not None else {}
        await self.cache.load(streams, (draft.recorded, flying))

    def _launch(self, work: Work) -> None:
        """Send a decided batch off; what comes next is decided on top of it."""
        draft = work.draft
        self.cache.weigh(draft.touched)
        snapshots = self.cache.snapshots_due(draft.touched)
        batch = draft.batch()
        if batch is not None:
            self._head = batch.head
        self._flight = (work, asyncio.create_task(self._commit(work, batch, snapshots)))
        self._deciding = None
        self._undecidable.clear()

    async def _commit(self, work: Work, batch: Batch | None, snapshots: Sequence[Snapshot]) -> None:
        """Append a decided batch; answer only after the commit: a crash before it loses work nobody was told about.

        Where nothing is to be stored, the answers come from memory: only who still leads may give them.
        """
        if batch is not None:
            await self._store.append(batch, work.draft.previous)
        else:
            await self._store.renew(work.draft.previous.epoch)
        answers = iter(work.answers)
        for job in work.jobs:
            own = [next(answers) for _ in job.requests]
            if not job.answers.done():
                job.answers.set_result(own)
        if snapshots:
            task = asyncio.create_task(self._store.save_snapshots(snapshots))
            self._background.add(task)
            task.add_done_callback(self._background.discard)
        deciding = self._deciding.draft.touched if self._deciding else ()
        self.cache.evict((work.draft.touched, deciding))

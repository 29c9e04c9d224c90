"""The store in memory. Several stores share one `Memory`, as several writers share one database."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from ledger.errors import Fenced
from ledger.ports import Batch, Head, Snapshot, StoredEvent, StoredStream
from ledger.receipts import Outcome, Receipt, decode_answer, programme_of
from ledger.records import COLUMNS, GENESIS, OUTCOME_COLUMNS, Record, fields_of, record_of, split_rows


class Memory:
    """What would be on disk."""

    def __init__(self) -> None:
        self.head = Head(0, 0, GENESIS, 0, GENESIS, 0)
        self.records: list[Record] = []
        self.streams: dict[str, list[Record]] = {}
        self.keys: set[bytes] = set()
        self.outcomes: dict[bytes, Outcome] = {}
        self.batches: list[Batch] = []
        self.snapshots: dict[str, Snapshot] = {}
        self.appended = asyncio.Condition()


class MemoryStore:
    """One writer's way to a `Memory`."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._epoch = 0

    async def acquire(self) -> Head:
        head = self.memory.head
        self._epoch = head.epoch + 1
        self.memory.head = Head(self._epoch, head.position, head.hash, head.batch, head.batch_hash, head.recorded_at)
        return self.memory.head

    async def renew(self, epoch: int) -> None:
        if self.memory.head.epoch != epoch:
            raise Fenced("another writer leads")

    async def append(self, batch: Batch, previous: Head) -> None:
        memory = self.memory
        if memory.head != previous:
            raise Fenced("another writer appended")
        records = [record_of(row) for row in split_rows(batch.rows, len(COLUMNS) + 1)]
        outcomes = [_outcome_of(row) for row in split_rows(batch.outcomes, len(OUTCOME_COLUMNS))]
        self._check_unique(records, outcomes)
        for record in records:
            memory.records.append(record)
            memory.streams.setdefault(record.stream, []).append(record)
            if record.business_key:
                memory.keys.add(record.business_key)
        memory.outcomes.update((outcome.id, outcome) for outcome in outcomes)
        memory.batches.append(batch)
        memory.head = batch.head
        async with memory.appended:
            memory.appended.notify_all()

    def _check_unique(self, records: Sequence[Record], outcomes: Sequence[Outcome]) -> None:
        versions: dict[str, int] = {}
        for record in records:
            version = versions.get(record.stream, len(self.memory.streams.get(record.stream, ()))) + 1
            if record.version != version or record.business_key in self.memory.keys:
                raise Fenced(f"{record.stream} has another version than {record.version - 1}")
            versions[record.stream] = version
        keys = [record.business_key for record in records if record.business_key]
        if len(set(keys)) < len(keys):
            raise Fenced("a business key was used twice")
        ids = {outcome.id for outcome in outcomes}
        if len(ids) < len(outcomes) or any(id_ in self.memory.outcomes for id_ in ids):
            raise Fenced("a command id was answered before")

    async def outcomes(self, ids: Sequence[bytes]) -> dict[bytes, Outcome]:
        return {id_: self.memory.outcomes[id_] for id_ in ids if id_ in self.memory.outcomes}

    async def business_keys(self, keys: Sequence[bytes]) -> set[bytes]:
        return self.memory.keys.intersection(keys)

    async def accepted(self, ids: Sequence[bytes]) -> dict[bytes, list[StoredEvent]]:
        found: dict[bytes, list[StoredEvent]] = {}
        for record in self.memory.records:
            if record.command_id in ids:
                event = (record.stream, record.topic, record.occurred_at, record.event)
                found.setdefault(record.command_id, []).append(event)
        return found

    async def streams(self, fingerprints: Mapping[str, str]) -> dict[str, StoredStream]:
        found = {}
        for stream, fingerprint in fingerprints.items():
            records = self.memory.streams.get(stream)
            if records:
                snapshot = self.memory.snapshots.get(stream)
                fits = snapshot is not None and snapshot.fingerprint == fingerprint
                version = snapshot.version if snapshot and fits else 0
                events = [(r.version, r.topic, r.occurred_at, r.event) for r in records[version:]]
                found[stream] = StoredStream(snapshot.state if snapshot and fits else None, version, events)
        return found

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        self.memory.snapshots.update((snapshot.stream, snapshot) for snapshot in snapshots)

    async def close(self) -> None:
        """Nothing to give up."""


class MemoryLog:
    """The log of a `Memory`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def outcome(self, command_id: bytes) -> Outcome | None:
        found = self._memory.outcomes.get(command_id)
        if found is not None and isinstance(found.answer, Receipt) and found.answer.position:
            last = self._memory.records[found.answer.position - 1]
            programme = last.programme if last.command_id == command_id else ""
            return Outcome(found.id, found.request_hash, found.answer, found.repeated, programme)
        return found

    async def records(
        self, after: int, *, programme: str = "", stream: str = "", topics: Sequence[str] = (), follow: bool = True
    ) -> AsyncIterator[Sequence[Record]]:
        while True:
            new = self._memory.records[after:]
            after += len(new)
            wanted = [
                record
                for record in new
                if programme in ("", record.programme)
                and stream in ("", record.stream)
                and (not topics or record.topic in topics)
            ]
            if wanted:
                yield wanted
            elif not new:
                if not follow:
                    return
                async with self._memory.appended:
                    if len(self._memory.records) == after:
                        await self._memory.appended.wait()


def _outcome_of(row: bytes) -> Outcome:
    command_id, request_hash, _, _, answer = fields_of(row)
    return Outcome(command_id, request_hash, decode_answer(answer), programme=programme_of(answer))

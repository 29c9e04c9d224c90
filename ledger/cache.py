"""The states in memory: loaded from the store when needed, the least recently used dropped at a limit in bytes."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, cast

import msgspec

from ledger.events import decode_event
from ledger.ports import Snapshot, Store, StoredStream
from ledger.states.lookup import KINDS, State, command_of, kind_of, programme_of
from ledger.states.reversals import Origin, Reversal

SNAPSHOT_EVENTS_MIN = 500
"""A stream gets a snapshot after so many events, or half as many as its state has parts if that is more."""

STREAMS_BETWEEN_YIELDS = 64
"""Restored in one turn of the event loop: two seconds if each is a member with 10,000 lots, and the writer says that
it lives every second."""


def fingerprint(kind: type[Any]) -> str:
    """What the shape of a state's snapshot is known by; it changes with any field, so an old snapshot is ignored."""
    return sha256(repr(msgspec.inspect.type_info(kind)).encode()).hexdigest()[:16]


_FINGERPRINTS = {name: fingerprint(state.Image) for name, state in KINDS.items() if hasattr(state, "Image")}
_IMAGES = {name: msgspec.msgpack.Decoder(state.Image) for name, state in KINDS.items() if hasattr(state, "Image")}
_pack = msgspec.msgpack.Encoder().encode


class StateCache:
    """States by stream. Only the writer changes them; `loaded` is ordered by use, the least recent first."""

    def __init__(self, store: Store, bytes_max: int) -> None:
        self._store = store
        self._bytes_max = bytes_max
        self.loaded: dict[str, State] = {}
        self._weights: dict[str, int] = {}
        self._snapshots: dict[str, int] = {}
        self._unknown: set[str] = set()
        """Reversals of commands that nobody knows by now: kept for the one decision that needs them."""
        self.bytes = 0

    def clear(self) -> None:
        """Forget everything: what is decided next is decided on what is stored."""
        self.loaded.clear()
        self._weights.clear()
        self._snapshots.clear()
        self._unknown.clear()
        self.bytes = 0

    async def load(self, streams: Iterable[str], recent: Sequence[Mapping[bytes, Origin]] = ()) -> None:
        """Bring these streams into memory, with one query for all that are not there.

        `recent` are the commands of batches that may not be stored yet, by id, with what they led to.
        """
        missing = {stream: _FINGERPRINTS.get(kind_of(stream), "") for stream in streams if stream not in self.loaded}
        if not missing:
            return
        stored = await self._store.streams(missing)
        states = {}
        for place, stream in enumerate(missing):
            if place % STREAMS_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)
            states[stream] = self._restore(stream, stored.get(stream))
        await self._look_up_origins(states, recent)
        # Into memory all at once, and weighed: whoever evicts meanwhile must find nothing by halves.
        self.loaded.update(states)
        self.weigh(states)

    async def _look_up_origins(self, states: Mapping[str, State], recent: Sequence[Mapping[bytes, Origin]]) -> None:
        """What the commands led to that the reversals among these states are about, of the same programme."""
        wanted = {stream: command_of(stream) for stream in states if kind_of(stream) == "reversal"}
        found = {id_: batch[id_] for batch in recent for id_ in wanted.values() if id_ in batch}
        stored = await self._store.accepted([id_ for id_ in wanted.values() if id_ not in found]) if wanted else {}
        for id_, events in stored.items():
            found[id_] = (events[0][2], [(stream, decode_event(topic, event)) for stream, topic, _, event in events])
        for stream, id_ in wanted.items():
            state = cast(Reversal, states[stream])
            origin = found.get(id_)
            if origin is not None and programme_of(origin[1][0][0]) == programme_of(stream):
                state.found(origin)
            else:
                self._unknown.add(stream)

    def forget_unknown(self) -> None:
        """Drop what was not known: a later command may make it known."""
        for stream in self._unknown:
            self.loaded.pop(stream, None)
            self.bytes -= self._weights.pop(stream, 0)
        self._unknown.clear()

    def _restore(self, stream: str, stored: StoredStream | None) -> State:
        name = kind_of(stream)
        kind = KINDS[name]
        if stored is None:
            return kind()  # type: ignore[no-any-return]
        if stored.snapshot is None:
            state: State = kind()
        else:
            state = kind.restore(_IMAGES[name].decode(stored.snapshot))
            self._snapshots[stream] = stored.version
        for _, topic, occurred_at, event in stored.events:
            state.evolve(decode_event(topic, event), occurred_at)
        return state

    def weigh(self, streams: Iterable[str]) -> None:
        """Count the bytes of states that were loaded or changed."""
        for stream in streams:
            weight = self.loaded[stream].weight + len(stream) + 200
            self.bytes += weight - self._weights.get(stream, 0)
            self._weights[stream] = weight

    def evict(self, pinned: tuple[Collection[str], ...]) -> None:
        """Drop the least recently used states over the limit; a stream in flight is never dropped."""
        if self.bytes <= self._bytes_max:
            return
        for stream in list(self.loaded):
            if self.bytes <= self._bytes_max:
                return
            if not any(stream in streams for streams in pinned):
                del self.loaded[stream]
                self.bytes -= self._weights.pop(stream)
                self._snapshots.pop(stream, None)

    def snapshots_due(self, streams: Iterable[str]) -> list[Snapshot]:
        """Snapshots of those streams that have many events since their last one; to be kept once they are committed."""
        due = []
        for stream in streams:
            state: Any = self.loaded[stream]
            since = state.version - self._snapshots.get(stream, 0)
            if since < SNAPSHOT_EVENTS_MIN:
                continue
            name = kind_of(stream)
            if name in _FINGERPRINTS and since >= state.weight // 600:
                self._snapshots[stream] = state.version
                due.append(Snapshot(stream, state.version, _FINGERPRINTS[name], _pack(state.image())))
        return due

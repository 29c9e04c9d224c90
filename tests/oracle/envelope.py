"""The envelope: positions and versions without gaps, times that never go back, and the chain of hashes."""

from dataclasses import dataclass, field

from ledger.events import TOPICS, Fact, PointsEarned, decode_event, encode_event
from ledger.records import GENESIS, Record, chain, image_of
from tests.oracle.facts import Broken


@dataclass
class Envelopes:
    """Where the log stands."""

    shard: int = 1
    position: int = 0
    hash: bytes = GENESIS
    recorded_at: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    keys: set[bytes] = field(default_factory=set)

    def check(self, record: Record) -> Fact:
        """Check one record on top of those before; returns its event."""
        where = f"position {record.position}"
        if record.position != self.position + 1:
            raise Broken(f"{where} follows {self.position}")
        version = self.versions.get(record.stream, 0) + 1
        if record.version != version:
            raise Broken(f"{where}: {record.stream} has version {record.version}, not {version}")
        if record.recorded_at < self.recorded_at:
            raise Broken(f"{where}: recorded_at went back")
        expected = chain(self.hash, image_of(self.shard, record))
        if record.hash != expected:
            raise Broken(f"{where}: the chain of hashes is broken")
        if not record.stream.startswith(f"{record.programme}/"):
            raise Broken(f"{where}: {record.stream} is none of {record.programme}'s streams")
        event = decode_event(record.topic, record.event)
        if TOPICS[type(event)] != record.topic or encode_event(event) != record.event:
            raise Broken(f"{where}: the stored event comes back different")
        granted = isinstance(event, PointsEarned) and not event.approver
        if bool(record.business_key) != granted or record.business_key in self.keys:
            raise Broken(f"{where}: a grant has one business key of its own, except where somebody approved it")
        if record.business_key:
            self.keys.add(record.business_key)
        self.position, self.hash, self.recorded_at = record.position, expected, record.recorded_at
        self.versions[record.stream] = version
        return event

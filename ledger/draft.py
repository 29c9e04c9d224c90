"""A draft: one batch as it is decided, command by command, before it is appended.

Deciding changes the states in memory at once; if the batch then fails to commit, the writer forgets all states.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from ledger import commands as c
from ledger.calendar import Instant
from ledger.decisions.dispatch import decide, source_of
from ledger.errors import CommandIdReused, InvalidCommand, LedgerError
from ledger.events import TOPICS, Fact, PointsEarned, ProgrammeOpened, Source, encode_event
from ledger.policy import Policy
from ledger.ports import Batch, Head
from ledger.quantities import Balance
from ledger.receipts import Outcome, Receipt, encode_answer
from ledger.records import Frame, batch_hash, chain, outcome_image
from ledger.refusals import Reason, Refusal, refuse
from ledger.states.lookup import NotLoaded, State, States
from ledger.states.member import Member

_HASH_LENGTH = b"\x00\x00\x00\x20"


def business_key(programme: str, source: Source) -> bytes:
    """What makes a grant unique in its programme: 16 bytes of SHA-256 over (programme, source, source id, purpose)."""
    text = "\0".join((programme, source.type, source.id, source.purpose))
    return sha256(text.encode()).digest()[:16]


class Draft:
    """The next batch of a shard, on top of `head`."""

    def __init__(self, shard: int, head: Head, recorded_at: Instant, loaded: dict[str, State]) -> None:
        self.previous = head
        self.recorded_at = max(recorded_at, head.recorded_at)
        self.outcomes: dict[bytes, Outcome] = {}
        """The answers decided in this batch, by command id."""
        self.keys: set[bytes] = set()
        """The business keys used in this batch."""
        self.touched: dict[str, State] = {}
        self._shard = shard
        self._loaded = loaded
        self._position = head.position
        self._hash = head.hash
        self._rows: list[bytes] = []
        self._outcome_rows: list[bytes] = []
        self._states: dict[tuple[str, str], States] = {}

    def states(self, request: c.Request) -> States:
        """The states as a request of this programme and channel sees them."""
        key = (request.programme, request.channel)
        states = self._states.get(key)
        if states is None:
            states = self._states[key] = States(self._loaded, request.programme, request.channel)
        return states

    def decide(self, request: c.Request, request_hash: bytes, taken: Iterable[set[bytes]]) -> Outcome | LedgerError:
        """Decide one request; `taken` are the business keys used before. Raises NotLoaded, with nothing changed."""
        try:
            if len(request.commands) == 1 and not request.validate_only:
                answer = self._single(request, request.commands[0], taken)
            else:
                answer = self._group(request, taken)
        except InvalidCommand as fault:
            return fault
        outcome = Outcome(request.id, request_hash, answer)
        if not request.validate_only:
            ordinal = len(self._outcome_rows)
            number = self.previous.batch + 1
            self._outcome_rows.append(outcome_image(request.id, request_hash, number, ordinal, encode_answer(answer)))
            self.outcomes[request.id] = outcome
        return outcome

    def _single(self, request: c.Request, command: c.Command, taken: Iterable[set[bytes]]) -> Receipt | Refusal:
        states = self.states(request)
        decision = decide(states, command, request.occurred_at, self.recorded_at)
        if isinstance(decision, Refusal):
            return decision
        key = b""
        source = source_of(request.channel, command)
        if source is not None:
            key = business_key(request.programme, source)
            if key in self.keys or any(key in keys for keys in taken):
                return refuse(Reason.SOURCE_ALREADY_USED, type=source.type, id=source.id, purpose=source.purpose)
        return self._record(request, states, [(stream, event, key) for stream, event in decision])

    def _group(self, request: c.Request, taken: Iterable[set[bytes]]) -> Receipt | Refusal:
        """Several commands, whole or not at all: decided one on top of the other, then undone if one is refused."""
        states = self.states(request)
        originals: dict[str, State] = {}
        keys: set[bytes] = set()
        events: list[tuple[str, Fact, bytes]] = []
        answer: Refusal | None = None
        try:
            for place, command in enumerate(request.commands):
                decision = decide(states, command, request.occurred_at, self.recorded_at)
                key = b""
                source = source_of(request.channel, command)
                if source is not None and not isinstance(decision, Refusal):
                    key = business_key(request.programme, source)
                    if key in keys or key in self.keys or any(key in others for others in taken):
                        decision = refuse(Reason.SOURCE_ALREADY_USED, type=source.type, id=source.id)
                    keys.add(key)
                if isinstance(decision, Refusal):
                    answer = refuse(decision.reason, **decision.facts, command=place)
                    break
                self._check_loaded(decision)
                for stream, event in decision:
                    if stream not in originals:
                        originals[stream] = self._loaded[stream]
                        self._loaded[stream] = self._loaded[stream].clone()
                    self._loaded[stream].evolve(event, request.occurred_at)
                    events.append((stream, event, key))
            if answer is None and request.validate_only:
                return Receipt(self._position, self._balances(states, dict.fromkeys(originals)))
        finally:
            self._loaded.update(originals)
        return self._record(request, states, events) if answer is None else answer

    def _record(self, request: c.Request, states: States, events: list[tuple[str, Fact, bytes]]) -> Receipt:
        """Write down the events of an accepted request, and change the states by them."""
        self._check_loaded(events)
        at = request.occurred_at
        frame = Frame(
            request.programme,
            request.id,
            request.actor,
            request.channel,
            request.correlation_id,
            request.trace,
            at,
            self.recorded_at,
            self._policy(states, events).calendar.business_date(at),
        )
        touched: dict[str, Any] = {}
        for stream, event, key in events:
            state = self._loaded[stream]
            self._position += 1
            granted = key if key and type(event) is PointsEarned else b""
            image = frame.image(
                self._shard,
                self._position,
                stream,
                state.version + 1,
                TOPICS[type(event)],
                granted,
                encode_event(event),
            )
            self._hash = chain(self._hash, image)
            self._rows += (image, _HASH_LENGTH, self._hash)
            state.evolve(event, at)
            touched[stream] = state
            if granted:
                self.keys.add(granted)
        self.touched.update(touched)
        return Receipt(self._position, self._balances(states, touched))

    def _check_loaded(self, events: Iterable[tuple[Any, ...]]) -> None:
        """Raises NotLoaded before anything is changed."""
        for stream, *_ in events:
            if stream not in self._loaded:
                raise NotLoaded(stream)

    @staticmethod
    def _policy(states: States, events: list[tuple[str, Fact, bytes]]) -> Policy:
        policy = states.programme().policy
        if policy is not None:
            return policy
        opened = events[0][1]
        assert isinstance(opened, ProgrammeOpened)
        return Policy(opened.settings, 1)

    def _balances(self, states: States, streams: Iterable[str]) -> tuple[Balance, ...]:
        """What is left to each member whose stream was touched, at the programme's present."""
        now = states.programme().now(self.recorded_at)
        balances: tuple[Balance, ...] = ()
        for stream in streams:
            state = self._loaded[stream]
            if type(state) is Member:
                balances += state.balances(now)
        return balances

    def batch(self) -> Batch | None:
        """What is to be appended; None when nothing is."""
        if not self._outcome_rows:
            return None
        previous = self.previous
        outcomes = b"".join(self._outcome_rows)
        digest = sha256(outcomes).digest()
        events = self._position - previous.position
        batch = batch_hash(
            previous.batch_hash,
            number=previous.batch + 1,
            epoch=previous.epoch,
            first_position=previous.position + 1,
            events=events,
            commands=len(self._outcome_rows),
            recorded_at=self.recorded_at,
            record_hash=self._hash,
            outcomes_digest=digest,
        )
        head = Head(previous.epoch, self._position, self._hash, previous.batch + 1, batch, self.recorded_at)
        return Batch(
            number=head.batch,
            first_position=previous.position + 1,
            rows=b"".join(self._rows),
            events=events,
            outcomes=outcomes,
            commands=len(self._outcome_rows),
            outcomes_digest=digest,
            head=head,
        )


def repeat(stored: Outcome, request_hash: bytes) -> Outcome | LedgerError:
    """The answer to a command id that was answered before: the same for the same request, for ever."""
    if stored.request_hash != request_hash:
        return CommandIdReused("this command id was used before, for another request")
    return Outcome(stored.id, stored.request_hash, stored.answer, repeated=True)

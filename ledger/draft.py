"""A draft: one batch as it is decided, command by command, before it is appended.

Deciding changes the states in memory at once; if the batch then fails to commit, the writer forgets all states.
"""

from collections.abc import Collection, Sequence
from hashlib import sha256

from ledger import commands as c
from ledger.calendar import Instant
from ledger.decisions.checks import Events
from ledger.decisions.dispatch import decide, source_of
from ledger.decisions.refunds import refunded_by
from ledger.errors import CommandIdReused, InvalidCommand, LedgerError
from ledger.events import EARN, TOPICS, PointsEarned, ProgrammeOpened, encode_event
from ledger.policy import Policy
from ledger.ports import Batch, Head
from ledger.quantities import Balance
from ledger.receipts import Outcome, Receipt, encode_answer
from ledger.records import batch_hash, chain, image, outcome_image
from ledger.refusals import NOT_STORED, Reason, Refusal, refuse
from ledger.states.lookup import NotLoaded, State, States
from ledger.states.member import Member
from ledger.states.reversals import Origin

_HASH_LENGTH = b"\x00\x00\x00\x20"


def key_of(request: c.Request, command: c.Command) -> bytes:
    """What makes a grant unique: 16 bytes of SHA-256 over (programme, source, source id, purpose), or none."""
    source = source_of(request.channel, command)
    if source is None:
        return b""
    name = f"{request.programme}\0{source.type}\0{source.id}\0{source.purpose or EARN}"
    return sha256(name.encode()).digest()[:16]


def _already_used(request: c.Request, command: c.Command) -> Refusal:
    source = source_of(request.channel, command)
    assert source is not None
    return refuse(Reason.SOURCE_ALREADY_USED, type=source.type, id=source.id, purpose=source.purpose or EARN)


class Draft:
    """The next batch of a shard, on top of `head`."""

    def __init__(self, shard: int, head: Head, recorded_at: Instant, loaded: dict[str, State]) -> None:
        self.previous = head
        self.recorded_at = max(recorded_at, head.recorded_at)
        self.outcomes: dict[bytes, Outcome] = {}
        """The answers decided in this batch, by command id."""
        self.recorded: dict[bytes, Origin] = {}
        """What the commands accepted in this batch led to, by command id."""
        self.keys: set[bytes] = set()
        """The business keys used in this batch."""
        self.keys_stored: Collection[bytes] = ()
        self.keys_flying: Collection[bytes] = ()
        """Those of this batch's requests that the store knows, and all of the batch in flight."""
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

    def decide(self, request: c.Request, request_hash: bytes, key: bytes) -> Outcome | LedgerError:
        """Decide one request; `key` is its business key.

        Raises NotLoaded, with nothing changed.
        """
        try:
            if not request.commands:
                raise InvalidCommand("commands", "must not be empty")
            if len(request.commands) == 1 and not request.validate_only:
                answer = self._single(request, request.commands[0], key)
            else:
                answer = self._group(request)
        except InvalidCommand as fault:
            return fault
        outcome = Outcome(request.id, request_hash, answer)
        stale = isinstance(answer, Refusal) and answer.reason in NOT_STORED
        if not request.validate_only and not stale:
            rows = self._outcome_rows
            number = self.previous.batch + 1
            stored = encode_answer(answer, request.programme)
            rows.append(outcome_image(request.id, request_hash, number, len(rows), stored))
            self.outcomes[request.id] = outcome
        return outcome

    def _single(self, request: c.Request, command: c.Command, key: bytes) -> Receipt | Refusal:
        states = self.states(request)
        decision = decide(states, command, request, self.recorded_at)
        if isinstance(decision, Refusal):
            return decision
        if key and self._is_taken(key) and _grants(decision):
            return _already_used(request, command)
        return self._record(request, states, decision, (key,) * len(decision))

    def _is_taken(self, key: bytes) -> bool:
        return key in self.keys or key in self.keys_stored or key in self.keys_flying

    def _group(self, request: c.Request) -> Receipt | Refusal:
        """Several commands, whole or not at all: decided one on top of the other, then undone if one is refused."""
        states = self.states(request)
        originals: dict[str, State] = {}
        keys: list[bytes] = []
        events: Events = []
        answer: Refusal | None = None
        try:
            for place, command in enumerate(request.commands):
                try:
                    decision = decide(states, command, request, self.recorded_at)
                except InvalidCommand as fault:
                    if len(request.commands) == 1:
                        raise
                    raise InvalidCommand(f"commands[{place}].{fault.field}", fault.problem) from None
                key = key_of(request, command)
                if not isinstance(decision, Refusal):
                    key = key if _grants(decision) else b""
                    if key and (key in keys or self._is_taken(key)):
                        decision = _already_used(request, command)
                if isinstance(decision, Refusal):
                    of_group = {"command": place} if len(request.commands) > 1 else {}
                    answer = refuse(decision.reason, **decision.facts, **of_group)
                    break
                self._states_of(decision)
                for stream, event in decision:
                    if stream not in originals:
                        originals[stream] = self._loaded[stream]
                        self._loaded[stream] = self._loaded[stream].clone()
                    self._loaded[stream].evolve(event, request.occurred_at)
                    events.append((stream, event))
                    keys.append(key)
            if answer is None and request.validate_only:
                changed = [self._loaded[stream] for stream in originals]
                return Receipt(self._position, self._balances(states, changed), refunded_by(events))
        finally:
            self._loaded.update(originals)
        return self._record(request, states, events, keys) if answer is None else answer

    def _record(self, request: c.Request, states: States, events: Events, keys: Sequence[bytes]) -> Receipt:
        """Write down the events of an accepted request, and change the states by them."""
        at = request.occurred_at
        targets = self._states_of(events)
        policy = states.programme().policy or _opened(events)
        business_date = policy.terms(at).day
        touched = self.touched
        rows = self._rows
        for (stream, event), state, key in zip(events, targets, keys, strict=True):
            self._position += 1
            kind = type(event)
            granted = key if kind is PointsEarned else b""
            if granted:
                self.keys.add(granted)
            row = image(
                self._shard,
                self._position,
                state.version + 1,
                at,
                self.recorded_at,
                business_date,
                request.id,
                granted,
                request.programme,
                TOPICS[kind],
                request.actor,
                request.channel,
                stream,
                request.correlation_id,
                request.trace,
                encode_event(event),
            )
            self._hash = chain(self._hash, row)
            rows.append(row)
            rows.append(_HASH_LENGTH)
            rows.append(self._hash)
            state.evolve(event, at)
            touched[stream] = state
        if events:
            self.recorded[request.id] = (at, events)
        return Receipt(self._position, self._balances(states, targets), refunded_by(events))

    def _states_of(self, events: Events) -> list[State]:
        """The states that events change. Raises NotLoaded before anything is changed."""
        try:
            return [self._loaded[stream] for stream, _ in events]
        except KeyError as cold:
            raise NotLoaded(cold.args[0]) from None

    def _balances(self, states: States, changed: Sequence[State]) -> tuple[Balance, ...]:
        """What is left to each member whose state was changed, at the programme's present."""
        now = states.programme().now(self.recorded_at)
        if len(changed) == 1:
            state = changed[0]
            return state.balances(now) if type(state) is Member else ()
        members = {id(state): state for state in changed if type(state) is Member}
        return tuple([balance for member in members.values() for balance in member.balances(now)])

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


def _opened(events: Events) -> Policy:
    """The policy of a programme that begins with these events."""
    event = events[0][1]
    assert isinstance(event, ProgrammeOpened)
    return Policy(event.settings, 1)


def _grants(events: Events) -> bool:
    """Whether points are earned: only that uses a source up."""
    return any(type(event) is PointsEarned for _, event in events)


def repeat(stored: Outcome, request_hash: bytes) -> Outcome | LedgerError:
    """The answer to a command id that was answered before: the same for the same request, for ever."""
    if stored.request_hash != request_hash:
        return CommandIdReused("this command id was used before, for another request")
    return Outcome(stored.id, stored.request_hash, stored.answer, repeated=True)

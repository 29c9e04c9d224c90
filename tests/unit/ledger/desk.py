"""The loyalty desk: lines in, observable results out.

Everything goes through the real writer. What a test sees of lots and balances is what the oracle folds from the
recorded events; after every step the oracle has checked all its invariants, and that receipts state its balances.
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from ledger.calendar import Instant
from ledger.commands import ChangeProgramme, Command, OpenProgramme, Request
from ledger.errors import InvalidCommand
from ledger.events import Fact, PointsClawedBack, decode_event
from ledger.quantities import Rounding
from ledger.receipts import Outcome, Receipt
from ledger.records import Record
from ledger.refusals import Refusal
from ledger.settings import ClockKind, PointUnit, Settings
from ledger.writer import Answer, Limits
from tests.oracle.facts import Member
from tests.oracle.model import Oracle
from tests.unit.ledger.lines import UNIT, Lines
from tests.unit.ledger.running import Running, ScriptedClock

PROGRAMME = "club"
OPENING = "2026-01-01 12:00"

Event = TypeVar("Event", bound=Fact)

SETTINGS = Settings(
    zone="Asia/Shanghai",
    clock=ClockKind.WALL,
    units=(PointUnit(UNIT), PointUnit("stars")),
    currency="CNY",
    currency_digits=2,
    earning_unit=UNIT,
    earning_rate="1/100",
    rounding=Rounding.DOWN,
    point_value="1",
    hold_seconds=7 * 86_400,
    backdating_seconds=365 * 86_400,
)
"""A point for every whole yuan, worth a fen; lots never expire unless a line says so."""


def settings(**changes: object) -> Settings:
    """The usual settings, with some of them changed."""
    fields = {name: getattr(SETTINGS, name) for name in SETTINGS.__struct_fields__}
    return Settings(**(fields | changes))


class Then:
    """What came of the last line, and how things stand."""

    def __init__(self, desk: "Desk", answer: Answer, records: Sequence[Record] = ()) -> None:
        self._desk = desk
        self.answer = answer
        self.records = records
        self._events = [decode_event(record.topic, record.event) for record in records]

    # -- the answer

    @property
    def receipt(self) -> Receipt:
        assert isinstance(self.answer, Outcome), self.answer
        assert isinstance(self.answer.answer, Receipt), self.answer.answer
        return self.answer.answer

    @property
    def accepted(self) -> bool:
        return bool(self.receipt)

    def refused(self, reason: str, **facts: object) -> bool:
        """Whether the line was refused for this reason, with at least these facts."""
        assert isinstance(self.answer, Outcome), self.answer
        refusal = self.answer.answer
        assert isinstance(refusal, Refusal), f"accepted: {refusal}"
        told = {name: refusal.facts.get(name, "no such fact") for name in facts}
        assert (refusal.reason.value, told) == (reason, facts), refusal
        assert not self._events
        return True

    def invalid(self, field: str) -> bool:
        """Whether the line was bad input in this field."""
        assert isinstance(self.answer, InvalidCommand), self.answer
        assert self.answer.field == field, self.answer
        assert not self._events
        return True

    # -- what was recorded

    def events(self, kind: type[Event]) -> list[Event]:
        """The events of one kind that the line led to."""
        return [event for event in self._events if isinstance(event, kind)]

    @property
    def story(self) -> list[str]:
        """The names of the events that the line led to."""
        return [type(event).__name__ for event in self._events]

    @property
    def business_dates(self) -> set[str]:
        """The local days that the events were booked on."""
        return {record.business_date.isoformat() for record in self.records}

    @property
    def clawed(self) -> tuple[int, int, int, int]:
        """Of the points that were taken back: those of lots, owed, waived, kept back in money."""
        (event,) = self.events(PointsClawedBack)
        return sum(lot.points for lot in event.lots), event.debt, event.waived, event.deducted

    # -- how things stand

    def lots(self, member: str, unit: str = UNIT) -> list[tuple[int, str]]:
        """The lots that can be spent now, first expiring first: points left, last day."""
        now = self._desk.now
        open_lots = [lot for lot in self._member(member).in_order(unit) if lot.open_at(now)]
        return [(lot.points, self._desk.lines.last_day(lot.expires_at)) for lot in open_lots]

    def balance(self, member: str, unit: str = UNIT) -> int:
        """Open, pending, held and quarantined points."""
        known = self.open(member, unit) + self.pending(member, unit) + self.held(member, unit)
        return known + self.quarantined(member, unit)

    def open(self, member: str, unit: str = UNIT) -> int:
        return self._member(member).open(unit, self._desk.now)

    def pending(self, member: str, unit: str = UNIT) -> int:
        return self._member(member).pending(unit, self._desk.now)

    def held(self, member: str, unit: str = UNIT) -> int:
        return self._member(member).held(unit)

    def debt(self, member: str, unit: str = UNIT) -> int:
        account = self._member(member).accounts.get(unit)
        return account.debt if account else 0

    def quarantined(self, member: str, unit: str = UNIT) -> int:
        return self._member(member).quarantined(unit, self._desk.now)

    def stock(self, item: str) -> tuple[int, int, int]:
        """Units free, locked and shipped of a stock item."""
        stock = self._desk.oracle.stock(PROGRAMME, item)
        return stock.free, stock.locked, stock.shipped

    def value(self, item: str) -> int:
        """What the units on hand of a stock item cost, in cents."""
        return self._desk.oracle.stock(PROGRAMME, item).value

    def _member(self, member: str) -> Member:
        return self._desk.oracle.programmes[PROGRAMME].members.get(member) or Member(member)


class Desk:
    """One programme, its members anna, bo and cai, and a clock on the wall that stands at noon of 2026-01-01."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.lines = Lines(SETTINGS.zone)
        self.running = Running(ScriptedClock(self.lines.moment(OPENING)), limits)
        self.oracle = Oracle()
        self.ids = 0
        self._opened = False

    @property
    def now(self) -> Instant:
        """The programme's present."""
        programme = self.oracle.programmes.get(PROGRAMME)
        return programme.clock if programme and programme.manual else self.running.clock.instant

    def opens(self, *, at: str = OPENING, **changes: object) -> Then:
        """Open the programme with other settings than usual, at another time than usual."""
        opened = settings(**changes)
        self.lines = Lines(opened.zone)
        self.running.clock.instant = self.lines.moment(at)
        self._opened = True
        then = self.send(OpenProgramme(opened))
        if isinstance(then.answer, Outcome):
            for member in ("anna", "bo", "cai"):
                self.given(f"{member} joins")
        return then

    def changes(self, *, since: str | None = None, on: str | None = None, **changes: object) -> Then:
        """Change some of the programme's settings, from a day on; they may lie in the future."""
        self._open()
        newest = self.oracle.programmes[PROGRAMME].settings
        changed = msgspec.structs.replace(newest, **changes)
        valid_from = self.lines.moment(since) if since else None
        return self.send(ChangeProgramme(changed, valid_from), at=self.lines.moment(on) if on else None)

    def given(self, *lines: str) -> Then:
        """Lines that must all be accepted."""
        return [self._accepted(line) for line in lines][-1]

    def _accepted(self, line: str) -> Then:
        then = self.when(line)
        assert then.accepted, line
        return then

    def when(self, *lines: str, number: int | None = None, channel: str = "shop") -> Then:
        """Lines one by one; the answer is the last one's. A number sends the last line under that command id."""
        self._open()
        *before, last = lines
        for line in before:
            self.when(line, channel=channel)
        passing = last.removeprefix("time passes to ")
        if passing != last:
            self.running.clock.instant = self.lines.moment(passing)
            return Then(self, Outcome(b"", b"", Receipt(self.oracle.position)))
        command, at = self.lines.read(last)
        return self.send(command, at=at, number=number, channel=channel)

    def together(self, *lines: str, validate_only: bool = False, number: int | None = None) -> Then:
        """Lines as one group, dated now."""
        self._open()
        return self.send(*(self.lines.read(line)[0] for line in lines), validate_only=validate_only, number=number)

    def send(
        self,
        *commands: Command,
        at: Instant | None = None,
        number: int | None = None,
        channel: str = "shop",
        validate_only: bool = False,
    ) -> Then:
        """Commands as one request."""
        self._open()
        request = self.request(*commands, at=at, number=number, channel=channel, validate_only=validate_only)
        before = len(self.running.memory.records)
        (answer,) = self.running.execute([request])
        new = self.running.memory.records[before:]
        self.oracle.fold(new)
        self.oracle.finish()
        if (
            isinstance(answer, Outcome)
            and isinstance(answer.answer, Receipt)
            and not (validate_only or answer.repeated)
        ):
            self.check_receipt(answer.answer)
        return Then(self, answer, new)

    def request(
        self,
        *commands: Command,
        at: Instant | None = None,
        number: int | None = None,
        channel: str = "shop",
        validate_only: bool = False,
    ) -> Request:
        """A request under the next command id, or under the one of this number."""
        if number is None:
            self.ids += 1
            number = self.ids
        return Request(
            id=number.to_bytes(16, "big"),
            programme=PROGRAMME,
            occurred_at=self.now if at is None else at,
            commands=commands,
            actor="till-1",
            channel=channel,
            validate_only=validate_only,
        )

    def happened(self, kind: type[Event]) -> list[Event]:
        """All events of one kind since the beginning."""
        decoded = (decode_event(record.topic, record.event) for record in self.running.memory.records)
        return [event for event in decoded if isinstance(event, kind)]

    def check_receipt(self, receipt: Receipt) -> None:
        """A receipt states the balances that the oracle reckons."""
        for member in {balance.member for balance in receipt.balances}:
            balances = [b for b in receipt.balances if b.member == member]
            told = [(b.member, b.unit, b.open, b.pending, b.held, b.quarantined, b.debt) for b in balances]
            assert list(dict.fromkeys(told)) == self.oracle.balances(PROGRAMME, member)

    def _open(self) -> None:
        if not self._opened:
            self.opens()

    def close(self) -> None:
        self.running.close()


def stored(desk: Desk) -> Sequence[object]:
    """Everything that a command could leave behind."""
    memory = desk.running.memory
    return list(memory.records), dict(memory.outcomes), list(memory.batches), set(memory.keys), memory.head

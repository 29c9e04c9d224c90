"""The oracle: folds the log record by record and raises `Broken` at the first position where something is wrong."""

from collections.abc import Iterable

from ledger import events as e
from ledger.events import Fact
from ledger.records import Record
from tests.oracle import corrections, goods, lives, points, stock
from tests.oracle.envelope import Envelopes
from tests.oracle.facts import Broken, Programme, Stock
from tests.oracle.loose import Loose, require
from tests.oracle.terms import local_date

_AHEAD = 5 * 60 * 1_000_000
_FOLDS = points.FOLDS | goods.FOLDS | stock.FOLDS | corrections.FOLDS | lives.FOLDS

BalanceRow = tuple[str, str, int, int, int, int, int]
"""Member, unit, open, pending, held, quarantined, debt."""


class Oracle:
    """The ledger as it should be after the records folded so far."""

    def __init__(self, shard: int = 1) -> None:
        self.envelopes = Envelopes(shard)
        self.programmes: dict[str, Programme] = {}
        self._command = b""
        self._loose = Loose()
        self._afterwards = lives.Afterwards()

    @property
    def position(self) -> int:
        """Of the last record folded."""
        return self.envelopes.position

    def fold(self, records: Iterable[Record]) -> None:
        """Fold records in order, checking every invariant at every position. Raises Broken."""
        for record in records:
            if record.command_id != self._command:
                self.finish()
                self._command = record.command_id
            self._fold(record, self.envelopes.check(record))

    def finish(self) -> None:
        """Say that the last command is over. Raises Broken where it left something undone."""
        self._loose.check()
        self._afterwards.check()
        self._command = b""

    def _fold(self, record: Record, event: Fact) -> None:
        if isinstance(event, e.ProgrammeOpened):
            require(record.programme not in self.programmes and record.version == 1, record, "opened twice")
            opened = [(record.occurred_at, event.settings)]
            self.programmes[record.programme] = Programme(record.programme, opened, record.occurred_at)
        programme = self.programmes.get(record.programme)
        require(programme is not None, record, "a programme that was never opened has events")
        assert programme is not None
        day = local_date(programme.settings.zone, record.occurred_at)
        require(record.business_date.isoformat() == day, record, f"the business date is {day}")
        if isinstance(event, e.ClockAdvanced):
            require(programme.manual and event.now >= programme.clock, record, "the clock moved back")
            programme.clock = event.now
        elif not isinstance(event, e.ProgrammeOpened):
            present = self.present(record.programme)
            earliest = present - programme.settings_at(present).backdating_seconds * 1_000_000
            require(earliest <= record.occurred_at <= present + _AHEAD, record, "it is dated outside of the window")
            _FOLDS[type(event)](programme, record, event, self._loose)
            if isinstance(event, e.PurchaseRecorded):
                corrections.bought(programme, record, event)
            elif isinstance(event, e.PointsEarned):
                corrections.moved(programme, record, event.points)
            elif isinstance(event, e.PointsTransferredIn):
                corrections.moved(programme, record, sum(lot.points for lot in event.lots))
            self._afterwards.note(programme, record, event)
        self._check_sums(programme, record)

    def _check_sums(self, programme: Programme, record: Record) -> None:
        """What came less what went is what is there; units that came are on hand or shipped."""
        kind, _, name = record.stream.partition("/")[2].partition("/")
        if kind == "member":
            member = programme.members[name]
            for unit, account in member.accounts.items():
                there = member.left(unit) + member.held(unit)
                moved = account.credits - account.debits - account.expiries
                require(there == moved, record, f"{member.id} owns {there} {unit}, the movements come to {moved}")
        elif kind == "stock":
            item = programme.stocks[name]
            came, known = item.received + item.counted + item.transferred, item.on_hand + item.shipped
            require(known == came, record, f"{known} units are known, {came} came in")
            require(item.on_hand >= 0 and item.value >= 0, record, "less than nothing is there")
            require(item.on_hand > 0 or item.value == 0, record, f"no unit, but a value {item.value}")

    # -- what can be asked

    def present(self, programme: str) -> int:
        """A programme's present: its manual clock, or the time of the last record."""
        found = self.programmes[programme]
        return found.clock if found.manual else self.envelopes.recorded_at

    def balances(self, programme: str, member: str, at: int | None = None) -> list[BalanceRow]:
        """A member's balance in each unit, as a receipt states it: at the present, or at the last event if later."""
        known = self.programmes[programme].members.get(member)
        found = []
        for unit, account in known.accounts.items() if known else ():
            assert known is not None
            when = max(self.present(programme) if at is None else at, account.settled_at)
            owned = (known.open(unit, when), known.pending(unit, when), known.held(unit), known.quarantined(unit, when))
            row = (member, unit, *owned, account.debt)
            late = sum(lot.points for lot in known.lots.values() if lot.unit == unit and lot.expires_at <= when)
            if sum(owned) + late != account.credits - account.debits - account.expiries:
                raise Broken(f"{row} and {late} points past their expiry are not what came less what went")
            found.append(row)
        return found

    def stock(self, programme: str, item: str) -> Stock:
        """A stock item, `sku@location`."""
        return self.programmes[programme].stocks.get(item, Stock())

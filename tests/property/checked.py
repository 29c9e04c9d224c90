"""A writer whose every answer is checked."""

from collections import Counter, deque
from collections.abc import Callable, Sequence

from ledger import commands as c
from ledger.commands import Request, Reverse
from ledger.errors import LedgerError
from ledger.receipts import Receipt
from ledger.records import Record
from ledger.refusals import Reason, Refusal
from ledger.states.member import Member
from ledger.states.stock import Stock as StockState
from ledger.writer import Answer
from tests.oracle.model import Oracle
from tests.property.histories import Step
from tests.unit.ledger.running import Running


class Checked:
    """A writer whose every answer, and memory, is compared with what the oracle makes of the log."""

    def __init__(self, running: Running, log: Callable[[int], Sequence[Record]] | None = None) -> None:
        """`log` reads the records after a position; without it they are in the memory of `running`."""
        self.running = running
        self._log = log or (lambda after: running.memory.records[after:])
        self.oracle = Oracle()
        self.seen: Counter[str] = Counter()

    def send(self, steps: Sequence[Step]) -> Sequence[Answer]:
        """Send steps as one batch; the clock shows the time of the last one."""
        self.running.clock.instant = steps[-1].wall
        requests = [step.request for step in steps]
        answers = self.running.execute(requests)
        self._unread = deque(self._log(self.oracle.position))
        for request, answer in zip(requests, answers, strict=True):
            self.check(request, answer)
        self.oracle.finish()
        assert not self._unread, "events that nobody was told of"
        self.check_states()
        return answers

    def check(self, request: Request, answer: Answer) -> None:
        if isinstance(answer, LedgerError):
            self.seen[type(answer).__name__] += 1
        elif isinstance(answer.answer, Refusal):
            self.seen[answer.answer.reason.value] += 1
            if len(request.commands) == 1 and not answer.repeated:
                self.check_refusal(request, answer.answer)
        elif answer.repeated or request.validate_only:
            self.seen["repeated" if answer.repeated else "tried"] += 1
        else:
            self.seen[type(request.commands[0]).__name__] += 1
            self.check_receipt(request, answer.answer)

    def check_receipt(self, request: Request, receipt: Receipt) -> None:
        """Fold the command's events; the balances it was answered with are those that follow from the log."""
        self.oracle.fold([self._unread.popleft() for _ in range(receipt.position - self.oracle.position)])
        told = dict.fromkeys(
            (b.member, b.unit, b.open, b.pending, b.held, b.quarantined, b.debt) for b in receipt.balances
        )
        members = dict.fromkeys(row[0] for row in told)
        known = [row for member in members for row in self.oracle.balances(request.programme, member)]
        assert list(told) == known
        assert all(b.balance == b.open + b.pending + b.held + b.quarantined - b.debt for b in receipt.balances)

    def check_refusal(self, request: Request, refusal: Refusal) -> None:
        """What is refused for want of something is wanting, and the facts say how much there is."""
        facts = refusal.facts
        programme = self.oracle.programmes[request.programme]
        if refusal.reason is Reason.INSUFFICIENT_POINTS:
            assert facts["spendable"] < facts["wanted"]
            if not isinstance(request.commands[0], Reverse):  # That counts only what is left in the lots it made.
                # Only an adjustment takes from somebody who is frozen, and that takes what is quarantined, too.
                lots = programme.members[facts["member"]].in_order(facts["unit"])
                assert facts["spendable"] == sum(lot.points for lot in lots if lot.open_at(request.occurred_at))
        elif refusal.reason is Reason.OUT_OF_STOCK:
            stock = self.oracle.stock(request.programme, f"{facts['sku']}@{facts['location']}")
            ships = isinstance(request.commands[0], c.Fulfil | c.ShipStock)
            assert facts["available"] == (stock.on_hand if ships else stock.free) < facts["wanted"]
        elif refusal.reason is Reason.STOCK_DISCONTINUED:
            assert not programme.sells(facts["sku"], facts["location"])
        elif refusal.reason is Reason.QUANTITY_EXCEEDED and "redemption" in facts:
            assert facts["left"] == programme.redemptions[facts["redemption"]].open < facts["wanted"]
        elif refusal.reason is Reason.OUT_OF_ORDER:
            assert facts["occurred_at"] == request.occurred_at < facts["earliest"]
        elif refusal.reason in {Reason.IN_THE_FUTURE, Reason.TOO_FAR_BACK}:
            assert facts["now"] == (programme.clock if programme.manual else self.running.clock.instant)

    def check_states(self) -> None:
        """What the writer keeps of members and stock is what the oracle knows: what is owned, held, locked, free."""
        for stream, state in self.running.writer.cache.loaded.items():
            programme, _, name = (*stream.split("/", 2), "")[:3]
            if isinstance(state, Member) and state.version:
                now = self.oracle.present(programme)
                kept = [
                    (b.member, b.unit, b.open, b.pending, b.held, b.quarantined, b.debt) for b in state.balances(now)
                ]
                assert kept == self.oracle.balances(programme, name)
            elif isinstance(state, StockState) and state.version:
                known = self.oracle.stock(programme, name)
                assert (state.on_hand, state.locked, state.available) == (known.on_hand, known.locked, known.free)
                assert state.on_hand + known.shipped == known.received + known.counted + known.transferred

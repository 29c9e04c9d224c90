"""What was bought, what it earned, and what came back of it."""

from collections.abc import Sequence

import msgspec

from ledger.calendar import Instant
from ledger.events.parts import Taken, Tender
from ledger.facts import Fact
from ledger.quantities import Rounding
from ledger.settings import EarningBase


class Discount(Fact, frozen=True):
    """A reduction of a line's list price, in minor units of money."""

    kind: str
    amount: int


class Line(Fact, frozen=True):
    """One line of a purchase; money in minor units of the programme's currency, for the whole line."""

    sku: str
    quantity: int
    list_price: int
    net: int
    """Without tax."""
    gross: int | None = None
    """With tax; None: equal to net."""
    discounts: tuple[Discount, ...] = ()
    tax_rate: str = ""
    """An exact fraction; empty: none."""
    tax_code: str = ""
    standalone_price: int | None = None
    """Stand-alone selling price; None: equal to net."""
    cost: int | None = None
    brand: str = ""
    category: str = ""
    campaign: str = ""
    tags: tuple[str, ...] = ()

    @property
    def due(self) -> int:
        """What the line costs the customer, tax included."""
        return self.net if self.gross is None else self.gross


_COLUMNS_ALWAYS = len(Line.__struct_fields__) - len(Line.__struct_defaults__)
"""The first columns of `Lines` are kept whatever they hold, the others only where a line fills them."""


class Lines(Fact, frozen=True):
    """The lines of a purchase as columns, each with one value a line, or empty where every line has the default.

    Written so, the names of the columns are stored once: ten lines take a third of what ten objects do.
    """

    sku: tuple[str, ...]
    quantity: tuple[int, ...]
    list_price: tuple[int, ...]
    net: tuple[int, ...]
    gross: tuple[int | None, ...] = ()
    discounts: tuple[tuple[Discount, ...], ...] = ()
    tax_rate: tuple[str, ...] = ()
    tax_code: tuple[str, ...] = ()
    standalone_price: tuple[int | None, ...] = ()
    cost: tuple[int | None, ...] = ()
    brand: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    campaign: tuple[str, ...] = ()
    tags: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "Lines":
        """The columns of lines, of which there is at least one."""
        columns = list(zip(*map(msgspec.structs.astuple, lines), strict=True))
        for place, default in enumerate(Line.__struct_defaults__, _COLUMNS_ALWAYS):
            if columns[place].count(default) == len(lines):
                columns[place] = ()
        return cls(*columns)

    def __len__(self) -> int:
        return len(self.sku)

    @property
    def dues(self) -> tuple[int, ...]:
        """What each line costs the customer, tax included."""
        if not self.gross:
            return self.net
        return tuple(net if gross is None else gross for net, gross in zip(self.net, self.gross, strict=True))

    def rows(self) -> tuple[Line, ...]:
        """The lines one by one."""
        values = msgspec.structs.astuple(self)
        given = [place for place, column in enumerate(values) if column]
        names = [Line.__struct_fields__[place] for place in given]
        columns = [values[place] for place in given]
        return tuple(Line(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True))


class Spent(Fact, frozen=True):
    """The lots that paid one tender in points."""

    unit: str
    lots: tuple[Taken, ...]


class Earning(Fact, frozen=True):
    """How a purchase's points were reckoned: the base, the exact product, one rounding, the points of each line."""

    unit: str
    points: int
    base: int
    exact: str
    rate: str
    rounding: Rounding
    rule: str
    rule_version: int
    by_line: tuple[int, ...]
    amounts: EarningBase = EarningBase.GROSS
    """Which amounts of the lines make the base."""


class PurchaseRecorded(Fact, frozen=True):
    """A purchase, with all that refunds, rules and finance need to know of it later."""

    member: str
    order: str
    store: str
    lines: Lines
    tenders: tuple[Tender, ...]
    currency: str
    earning: Earning | None = None
    lot: str = ""
    issued: str = ""
    expires_at: Instant | None = None
    """Business month and expiry of that lot; left out where nothing was earned."""
    spent: tuple[Spent, ...] = ()
    """The lots behind the tenders in points, in their order."""
    period: int = 0
    """The period of activity of that lot; 0: none."""


class ReturnedLines(Fact, frozen=True):
    """Units of lines that came back, as columns; money in minor units, cumulative rounding: all parts sum to the line.

    Version 1 of the event had an object for each line, at three times the bytes.
    """

    line: tuple[int, ...]
    """Each line's place in the purchase, counted from 0."""
    quantity: tuple[int, ...]
    net: tuple[int, ...]
    due: tuple[int, ...]
    """With tax."""


class PurchaseReturned(Fact, frozen=True):
    """Lines of a purchase came back, all or in part."""

    refund: str
    member: str
    order: str
    lines: ReturnedLines
    tenders: tuple[Tender, ...]
    """What goes back of each tender of the purchase, in its order; points go to their own lots."""
    currency: str
    kept: int
    """Points that the kept lines would earn, by the original rate and rounding."""
    clawed_back: int
    """Points to be taken back now: original - kept - taken back before."""
    deducted: int = 0
    """Money kept back of the tenders, for points that are gone; in minor units."""
    reason: str = ""

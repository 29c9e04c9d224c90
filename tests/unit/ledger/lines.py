"""The language of the desk: one readable line, one command.

Names are words in lower case, points whole numbers, money has two places (`9.99`), days are local (`2026-03-31`); a
time of day may follow a day where it matters (`2026-03-31 18:30`), otherwise noon is meant. Any line may end in
`on <day>`: the day on which it happened, where that is not now.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from fractions import Fraction

from ledger import commands as c
from ledger.calendar import NEVER, Calendar, Instant, to_instant
from ledger.commands import Command
from ledger.events import Distance, Line, Price, RewardKind, RewardStatus, Source, Tender, TenderType
from ledger.quantities import Amount

UNIT = "points"
POINTS = r"(?P<points>\d+)(?: (?P<unit>stars))?"
DAY = r"\d{4}-\d\d-\d\d"
TIME = rf"{DAY}(?: \d\d:\d\d)?"
MONEY = r"\d+\.\d\d"
ITEM = r"(?P<sku>\w+)@(?P<place>\w+)"
CASE = r"(?: in case (?P<case>\w+))?"
PAYING = r"(?: paying (?P<paying>.+?))?"
_ON = re.compile(rf"(?P<line>.+?)(?: on (?P<on>{TIME}))?")

Match = re.Match[str]


def cents(money: str) -> int:
    return int(Fraction(money) * 100)


class Lines:
    """Reads lines in one time zone. Sources of grants that are not named get numbers."""

    def __init__(self, zone: str) -> None:
        self.calendar = Calendar(zone)
        self._grants = 0

    def moment(self, text: str) -> Instant:
        """A day at noon, or at the time of day that is given."""
        day, _, time = text.partition(" ")
        return to_instant(datetime.fromisoformat(f"{day}T{time or '12:00'}").replace(tzinfo=self.calendar.zone))

    def end_of(self, day: str) -> Instant:
        return self.calendar.end_of(date.fromisoformat(day))

    def last_day(self, expires_at: Instant) -> str:
        """The last local day of a lot, as lines call it."""
        if expires_at == NEVER:
            return "never"
        return (self.calendar.business_date(expires_at) - timedelta(days=1)).isoformat()

    def read(self, line: str) -> tuple[Command, Instant | None]:
        """The command of a line, and when it happened; None: now."""
        dated = _ON.fullmatch(line)
        assert dated is not None
        for pattern, build in _PATTERNS:
            match = pattern.fullmatch(dated["line"])
            if match is not None:
                return build(self, match), self.moment(dated["on"]) if dated["on"] else None
        raise ValueError(f"the desk does not understand {line!r}")

    def joins(self, line: Match) -> Command:
        return c.EnrolMember(line["member"])

    def earns(self, line: Match) -> Command:
        self._grants += 1
        kind, _, name = (line["source"] or f"visit {self._grants}").partition(" ")
        expires_at = NEVER if line["never"] else self.end_of(line["expiry"]) if line["expiry"] else None
        start = self.calendar.start_of(date.fromisoformat(line["available"])) if line["available"] else None
        return c.Earn(
            line["member"],
            amount(line),
            Source(kind, name),
            available_at=start,
            expires_at=expires_at,
            unit_cost=line["cost"],
            awaits_activation=bool(line["waits"]),
        )

    def activates(self, line: Match) -> Command:
        source = Source(line["type"], line["source"]) if line["type"] else None
        return c.Activate(line["member"], source, tuple((line["lots"] or "").split()))

    def extends(self, line: Match) -> Command:
        until = self.end_of(line["until"]) if line["until"] else None
        ends = NEVER if line["day"] == "for ever" else self.end_of(line["day"])
        named = tuple((line["lots"] or "").split())
        return c.ExtendExpiry(line["member"], ends, line["reason"], named, until, line["unit"] or "")

    def freezes(self, line: Match) -> Command:
        return c.FreezeMember(line["member"], line["reason"], line["case"] or "")

    def unfreezes(self, line: Match) -> Command:
        until = self.end_of(line["until"]) if line["until"] else None
        return c.UnfreezeMember(line["member"], line["reason"], line["case"] or "", until)

    def leaves(self, line: Match) -> Command:
        return c.CloseMember(line["member"], line["reason"], line["case"] or "")

    def gives(self, line: Match) -> Command:
        return c.Transfer(line["member"], line["to"], amount(line))

    def holds(self, line: Match) -> Command:
        return c.Hold(line["id"], line["member"], amount(line), self.moment(line["until"]) if line["until"] else None)

    def captures(self, line: Match) -> Command:
        points = int(line["points"]) if line["points"] else None
        return c.CaptureHold(line["id"], line["member"], points, order="bill")

    def releases(self, line: Match) -> Command:
        return c.ReleaseHold(line["id"], line["member"])

    def buys(self, line: Match) -> Command:
        items = []
        for text in line["items"].split(", "):
            item = re.fullmatch(rf"(?P<sku>\w+)(?: x(?P<n>\d+))? (?P<price>{MONEY})", text)
            assert item is not None, text
            items.append(Line(item["sku"], int(item["n"] or 1), cents(item["price"]), cents(item["price"])))
        start = self.calendar.start_of(date.fromisoformat(line["available"])) if line["available"] else None
        return c.RecordPurchase(
            line["member"],
            line["id"],
            tuple(items),
            tenders=tenders(line["paying"]),
            available_at=start,
            awaits_activation=bool(line["waits"]),
        )

    def returns(self, line: Match) -> Command:
        lines = []
        for text in [] if line["lines"] == "all" else line["lines"].split(", "):
            part = re.fullmatch(r"#(?P<line>\d+)(?: x(?P<n>\d+))?", text)
            assert part is not None, text
            lines.append(c.RefundLine(int(part["line"]), int(part["n"]) if part["n"] else None))
        return c.RefundPurchase(line["id"], line["order"], lines=tuple(lines), reason="returned")

    def adjusts(self, line: Match) -> Command:
        points = amount(line)
        if line["verb"] == "loses":
            points = Amount(points.unit, -points.value)
        lot = f"{line['member']}:{line['lot']}" if line["lot"] else ""
        return c.Adjust(line["member"], points, line["reason"], "manager", lot)

    def reverses(self, line: Match) -> Command:
        points = int(line["points"]) if line["points"] else None
        return c.Reverse(int(line["number"]).to_bytes(16, "big"), "mistake", points)

    def defines(self, line: Match) -> Command:
        return c.DefineReward(
            line["id"],
            RewardKind.GOODS if line["sku"] or line["goods"] else RewardKind.SERVICE,
            Price(amount(line), cents(line["cash"] or "0")),
            status=RewardStatus[(line["status"] or "active").upper()],
            valid_from=self.moment(line["since"]) if line["since"] else None,
            sku=line["sku"] or line["goods"] or "",
            location=line["place"] or "",
            list_price=cents(line["list"] or "0"),
            substitutes=tuple((line["instead"] or "").split()),
        )

    def redeems(self, line: Match) -> Command:
        expected = Price(Amount(UNIT, int(line["expected"])), cents(line["cash"] or "0")) if line["expected"] else None
        return c.Redeem(
            line["id"],
            line["member"],
            line["reward"],
            int(line["n"] or 1),
            line["place"] or "",
            expected_price=expected,
            tenders=tenders(line["paying"]),
            destination=line["to"] or "",
        )

    def ends(self, line: Match) -> Command:
        kind = c.Fulfil if line["end"] == "fulfilled" else c.Cancel
        return kind(line["id"], int(line["n"]) if line["n"] else None)

    def publishes(self, line: Match) -> Command:
        rows = (row.split() for row in line["distances"].split(", ")) if line["distances"] else ()
        distances = tuple(Distance(destination, place, int(far)) for destination, place, far in rows)
        return c.PublishAllocationPolicy(tuple(line["places"].split(", ")), distances)

    def receives(self, line: Match) -> Command:
        return c.ReceiveStock(line["sku"], line["place"], int(line["n"]), cents(line["cost"] or "0"))

    def locks(self, line: Match) -> Command:
        until = self.moment(line["until"]) if line["until"] else None
        return c.LockStock(line["id"], line["sku"], line["place"], int(line["n"]), until)

    def unlocks(self, line: Match) -> Command:
        kind = c.ShipStock if line["verb"] == "ships" else c.ReleaseStock
        return kind(line["id"], line["sku"], line["place"])

    def counts(self, line: Match) -> Command:
        return c.CountStock(line["sku"], line["place"], int(line["n"]), "yearly count", line["id"] or "")

    def discontinues(self, line: Match) -> Command:
        return c.DiscontinueStock(line["sku"], "maker stopped", line["place"] or "")

    def sends(self, line: Match) -> Command:
        return c.TransferStock(line["sku"], line["place"], line["to"], int(line["n"]), line["id"] or "")

    def sweeps(self, line: Match) -> Command:
        return c.ExpireDue(self.moment(line["cut"]), line["member"] or "", line["sku"] or "", line["place"] or "")

    def sets_clock(self, line: Match) -> Command:
        return c.AdvanceClock(self.moment(line["now"]))


def amount(line: Match) -> Amount:
    return Amount(line["unit"] or UNIT, int(line["points"]))


def tenders(text: str | None) -> tuple[Tender, ...]:
    """`cash 5.00, coupon 1.00, 300 points worth 3.00, 200 points of h1 worth 2.00`."""
    found = []
    for part in text.split(", ") if text else ():
        points = re.fullmatch(rf"(\d+) (points|stars)(?: of (\w+))? worth ({MONEY})", part)
        if points is None:
            kind, money = part.rsplit(" ", 1)
            found.append(Tender(TenderType[kind.upper()], cents(money)))
        else:
            value, unit, hold, money = points.groups()
            found.append(Tender(TenderType.POINTS, cents(money), Amount(unit, int(value)), hold or ""))
    return tuple(found)


_MEMBER = r"(?P<member>\w+)"
_ID = r"(?P<id>\w+)"

_PATTERNS: list[tuple[re.Pattern[str], Callable[[Lines, Match], Command]]] = [
    (re.compile(pattern), build)
    for pattern, build in (
        (rf"{_MEMBER} joins", Lines.joins),
        (
            rf"{_MEMBER} earns {POINTS}(?: for (?P<source>\w+ [\w/]+))?(?: costing (?P<cost>[\d./]+))?"
            rf"(?P<waits> waiting)?(?: available (?P<available>{DAY}))?"
            rf"(?: (?P<never>never) expiring| expiring (?P<expiry>{DAY}))?",
            Lines.earns,
        ),
        (rf"(?P<type>\w+) (?P<source>[\w/]+) of {_MEMBER} is activated(?P<lots>)", Lines.activates),
        (rf"(?P<type>)(?P<source>)lots (?P<lots>[\w: ]+) of {_MEMBER} are activated", Lines.activates),
        (
            rf"(?:lots (?P<lots>[\w: ]+)|all (?P<unit>points|stars)?) ?of {_MEMBER}(?: up to (?P<until>{DAY}))?"
            rf" live (?:until )?(?P<day>{DAY}|for ever) for (?P<reason>\w+)",
            Lines.extends,
        ),
        (rf"{_MEMBER} is frozen for (?P<reason>\w+){CASE}", Lines.freezes),
        (rf"{_MEMBER} is free again for (?P<reason>\w+){CASE}(?: until (?P<until>{DAY}))?", Lines.unfreezes),
        (rf"{_MEMBER} leaves for (?P<reason>\w+){CASE}", Lines.leaves),
        (rf"{_MEMBER} gives {POINTS} to (?P<to>\w+)", Lines.gives),
        (rf"{_MEMBER} holds {POINTS} as {_ID}(?: until (?P<until>{TIME}))?", Lines.holds),
        (rf"{_MEMBER} captures (?:(?P<points>\d+) of )?{_ID}", Lines.captures),
        (rf"{_MEMBER} releases {_ID}", Lines.releases),
        (rf"(?P<lines>all|#.+?) of (?P<order>\w+) comes back as {_ID}", Lines.returns),
        (
            rf"{_MEMBER} (?P<verb>gets|loses) {POINTS}(?: of lot (?P<lot>\d+))? because of (?P<reason>\w+)",
            Lines.adjusts,
        ),
        (r"(?:(?P<points>\d+) of )?command (?P<number>\d+) is reversed", Lines.reverses),
        (
            rf"{_MEMBER} buys (?P<items>.+?) as {_ID}(?P<waits> waiting)?(?: available (?P<available>{DAY}))?{PAYING}",
            Lines.buys,
        ),
        (
            rf"reward {_ID} costs {POINTS}(?: and (?P<cash>{MONEY}))?(?: from {ITEM}| of (?P<goods>\w+))?"
            rf"(?: listed at (?P<list>{MONEY}))?"
            r"(?: instead (?P<instead>[\w ]+?))?(?: is (?P<status>suspended|discontinued))?"
            rf"(?: since (?P<since>{DAY}))?",
            Lines.defines,
        ),
        (
            rf"{_MEMBER} redeems (?P<reward>\w+)(?: x(?P<n>\d+))? as {_ID}(?: from (?P<place>\w+))?(?: to (?P<to>\w+))?"
            rf"(?: expecting (?P<expected>\d+)(?: and (?P<cash>{MONEY}))?)?{PAYING}",
            Lines.redeems,
        ),
        (rf"(?:(?P<n>\d+) of )?{_ID} (?:is|are) (?P<end>fulfilled|cancelled)", Lines.ends),
        (r"goods come from (?P<places>\w+(?:, \w+)*)(?:, far: (?P<distances>.+))?", Lines.publishes),
        (rf"{ITEM} receives (?P<n>\d+)(?: at (?P<cost>{MONEY}))?", Lines.receives),
        (rf"{ITEM} locks (?P<n>\d+) as {_ID}(?: until (?P<until>{TIME}))?", Lines.locks),
        (rf"{ITEM} (?P<verb>ships|releases) {_ID}", Lines.unlocks),
        (rf"{ITEM} counts (?P<n>\d+)(?: as {_ID})?", Lines.counts),
        (rf"{ITEM} sends (?P<n>\d+) to (?P<to>\w+)(?: as {_ID})?", Lines.sends),
        (r"(?P<sku>\w+)(?:@(?P<place>\w+))? is discontinued", Lines.discontinues),
        (rf"what is due (?:for {_MEMBER}|at {ITEM}) by (?P<cut>{TIME}) is posted", Lines.sweeps),
        (rf"the clock is set to (?P<now>{TIME})", Lines.sets_clock),
    )
]

"""What is stored of events and hashed of requests: it depends on what they say, not on how they came about."""

from typing import Any

import msgspec
import pytest

from ledger import commands as c
from ledger import events as e
from ledger.calendar import NEVER
from ledger.commands import Request, request_hash
from ledger.events import TOPICS, Funding, Part, Source, decode_event, encode_event
from ledger.quantities import Amount
from ledger.settings import Activity, FixedDate, Inactivity, LotAge, NoExpiry, PointUnit
from tests.unit.ledger.desk import SETTINGS

SOURCE = Source("visit", "1")
PART = Part("anna:1", 5, "anna:1", "2026-01", Funding.SALE, NEVER - 1, "1/100")
LINE = e.Line("tea", 1, 500, 450, 500, (e.Discount("sale", 50),), "0.13", "A1", 480, 300, "acme", "tea", "may", ("x",))
TAKEN = e.Taken("anna:1", 5, "bo:1", "2026-01", Funding.SALE, 9, 7, 8, SOURCE, "1/100")
SPENT = (e.Spent("points", (TAKEN,)),)
BARE = e.Line("tea", 1, 500, 450)
TENDERS = (e.Tender(e.TenderType.CASH, 400), e.Tender(e.TenderType.POINTS, 100, Amount("points", 100), "h1"))
RETURNED = e.ReturnedLines((0,), (1,), (450,), (500,))
PRICE = e.Price(Amount("points", 60), 500)
EARNING = e.Earning("points", 4, 400, "4/1", "1/100", SETTINGS.rounding, "base", 1, (4,))

ALL_SETTINGS = msgspec.structs.replace(
    SETTINGS,
    units=(
        PointUnit("points"),
        PointUnit("stars", 2, FixedDate(2, 29, 3)),
        PointUnit("miles", 0, LotAge(36)),
        PointUnit("gems", 0, NoExpiry()),
    ),
    expiry=Inactivity(12, tuple(Activity)),
    transfer_caps=(Amount("points", 5_000),),
)

EVENTS: list[e.Fact] = [
    e.ProgrammeOpened(SETTINGS),
    e.ProgrammeOpened(ALL_SETTINGS),
    e.ProgrammeChanged(ALL_SETTINGS, 7, 2),
    e.ClockAdvanced(7),
    e.MemberEnrolled("anna"),
    e.MemberFrozen("anomaly", 3, "c7"),
    e.MemberUnfrozen("cleared", "c7"),
    e.MemberClosed("moved", "c7"),
    e.PointsEarned("anna:1", "points", 5, "2026-01", SOURCE, 9, Funding.SALE, 7, "base", 1, "may", "bank", "1/100"),
    e.PointsEarned("anna:1", "points", 5, "2026-01", SOURCE, 9, available_at=NEVER, awaits_activation=True, period=2),
    e.PointsActivated("points", (e.ActivatedLot("anna:1", 5, NEVER),), 8),
    e.ExpiryExtended("points", 9, (e.ExtendedPeriod(2, 7, 1, 5, 3),), activity=Activity.PURCHASE),
    e.ExpiryExtended("points", 9, lots=(e.ExtendedLot("anna:1", 7, 5, 3, 2),), reason="goodwill"),
    e.PointsHeld("h1", "points", (PART,), 9, "r1"),
    e.PointsReleased("h1", "points", (PART,)),
    e.PointsRedeemed("points", (PART,), e.RedeemKind.OFFSET, "h1", "r1", "shop/o1", 100, "may"),
    e.PointsExpired("points", (PART,), 9),
    e.PointsExpired("points", (PART,), 9, e.ExpiryReason.CLOSED),
    e.PointsTransferredOut("points", (PART,), "bo"),
    e.PointsTransferredOut("points", (PART,), "bo", day="2026-01-05"),
    e.PointsTransferredIn(
        "points",
        (e.ChildLot("bo:1", 5, "anna:1", "anna:1", 7, 8, "2026-01", Funding.SALE, SOURCE, 9, "1/100"),),
        "anna",
    ),
    e.PointsClawedBack("points", TAKEN, (TAKEN,), 1, 2, 3, "shop/o1", "f1", "00", "returned", "manager"),
    e.PointsReinstated("points", (TAKEN,), 1, TAKEN, "shop/o1", "f1", "00"),
    e.PointsForfeited("points", (TAKEN,), "error", "manager", "00"),
    e.DebtRepaid("points", (TAKEN,)),
    e.PurchaseReturned("f1", "anna", "o1", RETURNED, TENDERS, "CNY", 0, 4, 2, "returned"),
    e.CommandReversed("00", 5, "mistake"),
    e.CommandReinstated("00", 5, "mistake"),
    e.PurchaseRecorded("anna", "o1", "s1", e.Lines.of((LINE,)), TENDERS, "CNY", EARNING, "anna:1", "2026-01", 9, SPENT),
    e.RewardDefined("mug", e.RewardKind.GOODS, PRICE, e.RewardStatus.ACTIVE, 7, "mug", "shop", 900, "A1", ("cup",)),
    e.RedemptionPlaced("r1", "anna", "mug", 2, e.RewardKind.GOODS, PRICE, "redemption:r1", 9, "mug", "shop", 900),
    e.OutboundOpened("out-r1", "mug", "shop", 2),
    e.RedemptionFulfilled("r1", "anna", "mug", 2, e.RewardKind.GOODS, Amount("points", 60), tenders=TENDERS, cost=7),
    e.RedemptionCancelled("r1", "anna", e.CancelReason.TIMED_OUT, 9),
    e.StockReceived("mug", "shop", 2, 100),
    e.StockLocked("k1", "mug", "shop", 2, 9, "r1"),
    e.StockReleased("k1", "mug", "shop", 2, e.CancelReason.REQUESTED),
    e.StockShipped("k1", "mug", "shop", 2, 200, "r1"),
    e.AllocationPolicyPublished(3, ("shop", "depot"), (e.Distance("beijing", "depot", 20),)),
    e.StockCounted("mug", "shop", 7, 9, -2, -200, "yearly count", "inv7", 1),
    e.StockDiscontinued("mug", "maker stopped", "shop"),
    e.StockTransferredOut("mug", "shop", 2, 200, "depot", "t1"),
    e.StockTransferredIn("mug", "depot", 2, 200, "shop", "t1"),
]


def test_every_event_has_a_topic_of_its_own_with_a_version() -> None:
    assert {type(event) for event in EVENTS} == set(TOPICS)
    assert len(set(TOPICS.values())) == len(TOPICS)
    assert all(topic.rpartition(".v")[2].isdigit() for topic in TOPICS.values())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was_stored(event: e.Fact) -> None:
    stored = encode_event(event)
    again = decode_event(TOPICS[type(event)], stored)
    assert (again, encode_event(again)) == (event, stored)


@pytest.mark.parametrize("lines", [(LINE,), (BARE, LINE, BARE), (BARE, BARE)])
def test_lines_come_back_from_their_columns(lines: tuple[e.Line, ...]) -> None:
    columns = e.Lines.of(lines)
    assert (columns.rows(), len(columns)) == (lines, len(lines))


def test_a_column_that_no_line_fills_is_not_stored() -> None:
    stored = encode_event(e.Lines.of((BARE, msgspec.structs.replace(BARE, cost=0))))
    assert stored == b'{"sku":["tea","tea"],"quantity":[1,1],"list_price":[500,500],"net":[450,450],"cost":[null,0]}'


def test_a_topic_that_nobody_declared_is_no_event() -> None:
    with pytest.raises(KeyError):
        decode_event("points.invented.v1", b"{}")


def rebuilt(value: Any) -> Any:
    """The same value, made of new objects: as it comes back from a snapshot, or from another process."""
    if isinstance(value, msgspec.Struct):
        return type(value)(**{name: rebuilt(getattr(value, name)) for name in value.__struct_fields__})
    if isinstance(value, tuple):
        return tuple(rebuilt(item) for item in value)
    if type(value) is str:
        return "".join(list(value))
    return int(str(value)) if type(value) is int else value


@pytest.mark.parametrize(
    "event",
    [Part("anna:1", 5, "anna:1", "2026-01", Funding.SALE, NEVER), Source("visit", "1", "EARN"), SETTINGS, ALL_SETTINGS],
    ids=lambda event: type(event).__name__,
)
def test_equal_events_are_stored_as_equal_bytes(event: e.Fact) -> None:
    """A value that equals a field's default is left out, whichever object holds it."""
    assert rebuilt(event) == event
    assert encode_event(rebuilt(event)) == encode_event(event)


@pytest.mark.parametrize(
    "command",
    [
        c.Earn("anna", Amount("points", 5), Source("visit", "1", "EARN")),
        c.OpenProgramme(SETTINGS),
        c.OpenProgramme(ALL_SETTINGS),
        c.Redeem("r1", "anna", "mug", 1),
        c.Fulfil("r1", 2),
        c.PublishAllocationPolicy(("shop",), (e.Distance("beijing", "shop", 20),)),
    ],
    ids=lambda command: type(command).__name__,
)
def test_equal_requests_have_one_hash(command: c.Command) -> None:
    """Edge case 13: a retry is known again, also when another process made it out of other objects."""
    request = Request(b"x" * 16, "club", 7, (command,), "till-1", "shop")
    assert rebuilt(request) == request
    assert request_hash(rebuilt(request)) == request_hash(request)

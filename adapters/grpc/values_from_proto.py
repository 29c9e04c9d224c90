"""The parts that requests are made of: settings, prices, tenders and the lines of a purchase."""

from collections.abc import Sequence

from adapters.grpc.enums import ACTIVITY, CLAWBACK, CLOCK_KIND, EARNING_BASE, ROUNDING, TENDER_TYPE
from adapters.grpc.fields import (
    amount,
    at_most,
    choice,
    fraction,
    ident,
    label,
    number,
    optional_ident,
)
from ledger.errors import InvalidCommand
from ledger.events import Discount, Line, Price, Tender
from ledger.settings import Expiry, FixedDate, Inactivity, LotAge, NoExpiry, PointUnit, Settings
from loyalty.v1 import types_pb2 as pb

UNITS_MAX = 32
LINES_MAX = 1_000
TENDERS_MAX = 64
DISCOUNTS_MAX = 64
TAGS_MAX = 64

_HOLD_SECONDS = 7 * 86_400
_BACKDATING_SECONDS = 30 * 86_400


def settings(message: pb.Settings, field: str) -> Settings:
    """A programme's settings; whether they make sense together is the ledger's to say."""
    units = at_most(message.units, UNITS_MAX, f"{field}.units")
    return Settings(
        label(message.zone, f"{field}.zone"),
        choice(CLOCK_KIND, message.clock, f"{field}.clock"),
        tuple(_unit(unit, f"{field}.units[{place}]") for place, unit in enumerate(units)),
        label(message.currency, f"{field}.currency"),
        message.currency_digits,
        label(message.earning_unit, f"{field}.earning_unit"),
        fraction(message.earning_rate, f"{field}.earning_rate"),
        choice(ROUNDING, message.rounding, f"{field}.rounding"),
        fraction(message.point_value, f"{field}.point_value"),
        message.hold_seconds if message.HasField("hold_seconds") else _HOLD_SECONDS,
        message.backdating_seconds if message.HasField("backdating_seconds") else _BACKDATING_SECONDS,
        choice(EARNING_BASE, message.earning_base, f"{field}.earning_base"),
        message.lot_months,
        message.pending_days,
        choice(CLAWBACK, message.clawback, f"{field}.clawback"),
        number(message.debt_limit, f"{field}.debt_limit") if message.HasField("debt_limit") else None,
        _expiry(message.expiry, f"{field}.expiry") if message.HasField("expiry") else None,
        tuple(
            amount(cap, f"{field}.transfer_caps[{place}]")
            for place, cap in enumerate(at_most(message.transfer_caps, UNITS_MAX, f"{field}.transfer_caps"))
        ),
        message.refund_grace_days,
    )


def _unit(message: pb.PointUnit, field: str) -> PointUnit:
    expiry = _expiry(message.expiry, f"{field}.expiry") if message.HasField("expiry") else None
    return PointUnit(label(message.name, f"{field}.name"), message.digits, expiry)


def _expiry(message: pb.Expiry, field: str) -> Expiry:
    match message.WhichOneof("policy"):
        case "lot_age":
            return LotAge(message.lot_age.months)
        case "fixed_date":
            fixed = message.fixed_date
            return FixedDate(fixed.month, fixed.day, fixed.months)
        case "inactivity":
            activities = at_most(message.inactivity.activities, len(ACTIVITY), f"{field}.inactivity.activities")
            return Inactivity(
                message.inactivity.months,
                tuple(choice(ACTIVITY, activity, f"{field}.inactivity.activities") for activity in activities),
            )
        case "never":
            return NoExpiry()
    raise InvalidCommand(field, "is missing")


def price(message: pb.Price, field: str) -> Price:
    """What one unit of a reward costs."""
    return Price(amount(message.points, f"{field}.points"), number(message.cash, f"{field}.cash"))


def tenders(messages: Sequence[pb.Tender]) -> tuple[Tender, ...]:
    """The parts of a bill's payment."""
    if not messages:
        return ()
    return tuple(
        _tender(message, f"tenders[{place}]") for place, message in enumerate(at_most(messages, TENDERS_MAX, "tenders"))
    )


def _tender(message: pb.Tender, field: str) -> Tender:
    return Tender(
        choice(TENDER_TYPE, message.type, f"{field}.type"),
        number(message.amount, f"{field}.amount"),
        amount(message.points, f"{field}.points") if message.HasField("points") else None,
        optional_ident(message.hold, f"{field}.hold"),
    )


def lines(messages: Sequence[pb.Line]) -> tuple[Line, ...]:
    """The lines of a purchase."""
    if not messages:
        raise InvalidCommand("lines", "is missing")
    at_most(messages, LINES_MAX, "lines")
    decoded = []
    try:
        for message in messages:
            decoded.append(_line(message))
    except InvalidCommand as error:
        raise InvalidCommand(f"lines[{len(decoded)}].{error.field}", error.problem) from None
    return tuple(decoded)


def _line(message: pb.Line) -> Line:
    """Raises InvalidCommand, its field without the line's place: a path is made only where it is needed."""
    discounts, tax_rate, tax_code, tags = message.discounts, message.tax_rate, message.tax_code, message.tags
    brand, category, campaign = message.brand, message.category, message.campaign
    return Line(
        ident(message.sku, "sku"),
        number(message.quantity, "quantity"),
        number(message.list_price, "list_price"),
        number(message.net, "net"),
        number(message.gross, "gross") if message.HasField("gross") else None,
        _discounts(discounts) if discounts else (),
        fraction(tax_rate, "tax_rate") if tax_rate else "",
        label(tax_code, "tax_code") if tax_code else "",
        number(message.standalone_price, "standalone_price") if message.HasField("standalone_price") else None,
        number(message.cost, "cost") if message.HasField("cost") else None,
        label(brand, "brand") if brand else "",
        label(category, "category") if category else "",
        ident(campaign, "campaign") if campaign else "",
        tuple(label(tag, "tags") for tag in at_most(tags, TAGS_MAX, "tags")) if tags else (),
    )


def _discounts(messages: Sequence[pb.Discount]) -> tuple[Discount, ...]:
    return tuple(
        Discount(label(message.kind, f"discounts[{place}].kind"), number(message.amount, f"discounts[{place}].amount"))
        for place, message in enumerate(at_most(messages, DISCOUNTS_MAX, "discounts"))
    )

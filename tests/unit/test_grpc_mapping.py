"""The mapping between the contract and the ledger: every command, every check of a field, every kind of answer."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters.grpc.from_proto import COMMANDS_MAX, DECODERS, decode_batch
from adapters.grpc.views_to_proto import traceparent
from ledger import commands as c
from ledger import events as e
from ledger.calendar import to_instant
from ledger.commands import Request
from ledger.errors import InvalidCommand
from ledger.ids import decode_id
from ledger.quantities import Amount, Rounding
from ledger.settings import (
    Activity,
    Clawback,
    ClockKind,
    EarningBase,
    FixedDate,
    Inactivity,
    LotAge,
    NoExpiry,
    PointUnit,
    Settings,
)
from loyalty.v1 import commands_pb2 as pb
from loyalty.v1 import types_pb2 as t

README = Path(__file__).parents[2] / "protos" / "README.md"
NOON = datetime(2026, 3, 31, 12, 0, 0, 250, tzinfo=UTC)
LATER = datetime(2026, 12, 31, tzinfo=UTC)
AT, THEN = to_instant(NOON), to_instant(LATER)
COMMAND_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
HEADER = t.Header(
    command_id=str(COMMAND_ID), programme="acme", occurred_at=NOON, actor="till software 3", channel="till-7"
)
PTS = t.Amount(unit="PTS", value=100)
PRICE = t.Price(points=t.Amount(unit="PTS", value=500), cash=1000)


def decoded(command: pb.Command) -> Request:
    (request,) = decode_batch([command])
    if isinstance(request, InvalidCommand):
        raise request
    return request


def earn(**fields: Any) -> pb.Command:
    fields = {"member": "anna", "points": PTS, "source": t.Source(type="order", id="A1"), **fields}
    return pb.Command(earn=pb.EarnRequest(**{"header": HEADER, **fields}))


def purchase(**line: Any) -> pb.Command:
    lines = [t.Line(sku="tea", quantity=1, list_price=500, net=400), t.Line(**{"sku": "cup", **line})]
    return pb.Command(record_purchase=pb.RecordPurchaseRequest(header=HEADER, member="anna", order="A1", lines=lines))


SETTINGS = t.Settings(
    zone="Asia/Shanghai",
    clock="CLOCK_KIND_MANUAL",
    units=[t.PointUnit(name="PTS"), t.PointUnit(name="积分", digits=2)],
    currency="CNY",
    currency_digits=2,
    earning_unit="PTS",
    earning_rate="1/100",
    rounding="ROUNDING_HALF_UP",
    point_value="1",
    clawback="CLAWBACK_WITHIN_BALANCE",
    debt_limit=50,
)
ALL_SETTINGS = t.Settings(
    zone="Asia/Shanghai",
    clock="CLOCK_KIND_MANUAL",
    units=[
        t.PointUnit(name="PTS", expiry=t.Expiry(lot_age=t.Expiry.LotAge(months=36))),
        t.PointUnit(name="积分", digits=2, expiry=t.Expiry(fixed_date=t.Expiry.FixedDate(month=12, day=31, months=3))),
        t.PointUnit(name="gems", expiry=t.Expiry(never=t.Expiry.Never())),
    ],
    currency="CNY",
    currency_digits=2,
    earning_unit="PTS",
    earning_rate="1/100",
    rounding="ROUNDING_HALF_UP",
    point_value="1",
    earning_base="EARNING_BASE_NET",
    pending_days=14,
    hold_seconds=3_600,
    backdating_seconds=86_400,
    expiry=t.Expiry(
        inactivity=t.Expiry.Inactivity(
            months=12, activities=["ACTIVITY_PURCHASE", "ACTIVITY_REDEEM", "ACTIVITY_EARN", "ACTIVITY_TRANSFER"]
        )
    ),
    transfer_caps=[t.Amount(unit="PTS", value=5_000)],
    refund_grace_days=30,
)
LINE = t.Line(
    sku="tea", quantity=2, list_price=500, net=400, gross=452, discounts=[t.Discount(kind="member", amount=48)],
    tax_rate="13/100", tax_code="1030", standalone_price=480, cost=200, brand="Acme", category="茶 叶",
    campaign="spring", tags=["new", "hot"],
)  # fmt: skip
TENDERS = [
    t.Tender(type="TENDER_TYPE_POINTS", amount=100, points=PTS, hold="h1"),
    t.Tender(type="TENDER_TYPE_CASH", amount=352),
]

COMMANDS: list[tuple[str, Any, c.Command]] = [
    (
        "open_programme",
        pb.OpenProgrammeRequest(settings=SETTINGS),
        c.OpenProgramme(
            Settings("Asia/Shanghai", ClockKind.MANUAL, (PointUnit("PTS"), PointUnit("积分", 2)), "CNY", 2,
                     "PTS", "1/100", Rounding.HALF_UP, "1", 7 * 86_400, 30 * 86_400,
                     clawback=Clawback.WITHIN_BALANCE, debt_limit=50)
        ),
    ),
    (
        "change_programme",
        pb.ChangeProgrammeRequest(settings=ALL_SETTINGS, valid_from=LATER),
        c.ChangeProgramme(
            Settings("Asia/Shanghai", ClockKind.MANUAL,
                     (PointUnit("PTS", 0, LotAge(36)), PointUnit("积分", 2, FixedDate(12, 31, 3)),
                      PointUnit("gems", 0, NoExpiry())),
                     "CNY", 2, "PTS", "1/100", Rounding.HALF_UP, "1", 3_600, 86_400, EarningBase.NET, 0, 14,
                     expiry=Inactivity(12, (Activity.PURCHASE, Activity.REDEEM, Activity.EARN, Activity.TRANSFER)),
                     transfer_caps=(Amount("PTS", 5_000),), refund_grace_days=30),
            THEN,
        ),
    ),
    ("advance_clock", pb.AdvanceClockRequest(now=LATER), c.AdvanceClock(THEN)),
    ("enrol_member", pb.EnrolMemberRequest(member="anna"), c.EnrolMember("anna")),
    (
        "freeze_member",
        pb.FreezeMemberRequest(member="anna", reason="too many points", case="K/7"),
        c.FreezeMember("anna", "too many points", "K%2F7"),
    ),
    (
        "unfreeze_member",
        pb.UnfreezeMemberRequest(member="anna", reason="cleared", case="K7", extend_until=LATER),
        c.UnfreezeMember("anna", "cleared", "K7", THEN),
    ),
    ("close_member", pb.CloseMemberRequest(member="anna", reason="moved"), c.CloseMember("anna", "moved")),
    (
        "activate",
        pb.ActivateRequest(member="anna", source=t.Source(type="order", id="till-7/A1", purpose="EARN")),
        c.Activate("anna", e.Source("order", "till-7/A1")),
    ),
    ("activate", pb.ActivateRequest(member="anna", lots=["anna:1"]), c.Activate("anna", None, ("anna:1",))),
    (
        "extend_expiry",
        pb.ExtendExpiryRequest(member="anna", expires_at=LATER, reason="goodwill", lots=["anna:1", "anna:2"]),
        c.ExtendExpiry("anna", THEN, "goodwill", ("anna:1", "anna:2")),
    ),
    (
        "extend_expiry",
        pb.ExtendExpiryRequest(member="anna", expires_at=LATER, reason="goodwill", until=NOON, unit="积分"),
        c.ExtendExpiry("anna", THEN, "goodwill", (), AT, "积分"),
    ),
    (
        "earn",
        pb.EarnRequest(
            member="anna", points=PTS, source=t.Source(type="order", id="A1", purpose="GIFT"), funding="FUNDING_SALE",
            available_at=NOON, expires_at=LATER, rule="r1", campaign="spring", partner="bank", unit_cost="0.01",
            awaits_activation=True,
        ),
        c.Earn("anna", Amount("PTS", 100), e.Source("order", "A1", "GIFT"), e.Funding.SALE, AT, THEN, "r1", "spring",
               "bank", "0.01", True),
    ),
    (
        "record_purchase",
        pb.RecordPurchaseRequest(member="anna", order="A1", lines=[LINE], store="s1", tenders=TENDERS,
                                 available_at=LATER, awaits_activation=True),
        c.RecordPurchase(
            "anna", "A1",
            (e.Line("tea", 2, 500, 400, 452, (e.Discount("member", 48),), "13/100", "1030", 480, 200, "Acme", "茶 叶",
                    "spring", ("new", "hot")),),
            "s1",
            (e.Tender(e.TenderType.POINTS, 100, Amount("PTS", 100), "h1"), e.Tender(e.TenderType.CASH, 352)),
            THEN,
            True,
        ),
    ),
    (
        "refund_purchase",
        pb.RefundPurchaseRequest(
            refund="f1", order="A1", order_channel="shop", lines=[pb.RefundLine(line=2), pb.RefundLine(quantity=1)],
            reason="broken",
        ),
        c.RefundPurchase("f1", "A1", "shop", (c.RefundLine(2), c.RefundLine(0, 1)), "broken"),
    ),
    (
        "adjust",
        pb.AdjustRequest(member="anna", points=t.Amount(unit="PTS", value=-5), reason="error", approver="desk",
                         lot="anna:3"),
        c.Adjust("anna", Amount("PTS", -5), "error", "desk", "anna:3"),
    ),
    (
        "adjust",
        pb.AdjustRequest(member="anna", points=PTS, reason="goodwill", approver="desk", expires_at=LATER),
        c.Adjust("anna", Amount("PTS", 100), "goodwill", "desk", "", THEN),
    ),
    (
        "reverse",
        pb.ReverseRequest(target=str(COMMAND_ID), reason="mistake", points=7),
        c.Reverse(COMMAND_ID.bytes, "mistake", 7),
    ),
    (
        "define_reward",
        pb.DefineRewardRequest(
            reward="mug", kind="REWARD_KIND_GOODS", price=PRICE, status="REWARD_STATUS_SUSPENDED", valid_from=LATER,
            sku="cup", location="north", list_price=3000, tax_code="1030", substitutes=["bowl", "cup/2"],
        ),
        c.DefineReward("mug", e.RewardKind.GOODS, e.Price(Amount("PTS", 500), 1000), e.RewardStatus.SUSPENDED, THEN,
                       "cup", "north", 3000, "1030", ("bowl", "cup%2F2")),
    ),
    (
        "redeem",
        pb.RedeemRequest(
            redemption="x1", member="anna", reward="mug", quantity=2, location="north", expected_price=PRICE,
            tenders=[TENDERS[1]], order="A1", campaign="spring", destination="北京",
        ),
        c.Redeem("x1", "anna", "mug", 2, "north", e.Price(Amount("PTS", 500), 1000),
                 (e.Tender(e.TenderType.CASH, 352),), "A1", "spring", "%E5%8C%97%E4%BA%AC"),
    ),
    ("fulfil", pb.FulfilRequest(redemption="x1"), c.Fulfil("x1")),
    ("fulfil", pb.FulfilRequest(redemption="x1", quantity=2), c.Fulfil("x1", 2)),
    ("cancel", pb.CancelRequest(redemption="x1"), c.Cancel("x1")),
    ("cancel", pb.CancelRequest(redemption="x1", quantity=0), c.Cancel("x1", 0)),
    (
        "hold",
        pb.HoldRequest(hold="h1", member="anna", points=PTS, expires_at=LATER),
        c.Hold("h1", "anna", Amount("PTS", 100), THEN),
    ),
    (
        "capture_hold",
        pb.CaptureHoldRequest(hold="h1", member="anna", points=30, kind="REWARD_KIND_SERVICE", order="A1", amount=300,
                              campaign="spring"),
        c.CaptureHold("h1", "anna", 30, e.RedeemKind.SERVICE, "A1", 300, "spring"),
    ),
    ("capture_hold", pb.CaptureHoldRequest(hold="h1", member="anna"), c.CaptureHold("h1", "anna")),
    ("release_hold", pb.ReleaseHoldRequest(hold="h1", member="anna"), c.ReleaseHold("h1", "anna")),
    (
        "transfer",
        pb.TransferRequest(sender="anna", receiver="bo", points=PTS),
        c.Transfer("anna", "bo", Amount("PTS", 100)),
    ),
    ("expire_due", pb.ExpireDueRequest(cut_off=LATER, member="anna"), c.ExpireDue(THEN, "anna")),
    (
        "expire_due",
        pb.ExpireDueRequest(cut_off=LATER, sku="cup", location="north"),
        c.ExpireDue(THEN, "", "cup", "north"),
    ),
    (
        "receive_stock",
        pb.ReceiveStockRequest(sku="cup", location="north", quantity=10, unit_cost=900),
        c.ReceiveStock("cup", "north", 10, 900),
    ),
    (
        "lock_stock",
        pb.LockStockRequest(lock="k1", sku="cup", location="north", quantity=3, expires_at=LATER),
        c.LockStock("k1", "cup", "north", 3, THEN),
    ),
    (
        "release_stock",
        pb.ReleaseStockRequest(lock="k1", sku="cup", location="north"),
        c.ReleaseStock("k1", "cup", "north"),
    ),
    ("ship_stock", pb.ShipStockRequest(lock="k1", sku="cup", location="north"), c.ShipStock("k1", "cup", "north")),
    (
        "publish_allocation_policy",
        pb.PublishAllocationPolicyRequest(
            locations=["north", "south/2"],
            distances=[t.Distance(destination="北京", location="south/2", distance=2100)],
        ),
        c.PublishAllocationPolicy(("north", "south%2F2"), (e.Distance("%E5%8C%97%E4%BA%AC", "south%2F2", 2100),)),
    ),
    (
        "count_stock",
        pb.CountStockRequest(sku="cup", location="north", counted=7, reason="yearly count", document="D1"),
        c.CountStock("cup", "north", 7, "yearly count", "D1"),
    ),
    (
        "discontinue_stock",
        pb.DiscontinueStockRequest(sku="cup", location="north", reason="maker stopped"),
        c.DiscontinueStock("cup", "maker stopped", "north"),
    ),
    ("discontinue_stock", pb.DiscontinueStockRequest(sku="cup", reason="recall"), c.DiscontinueStock("cup", "recall")),
    (
        "transfer_stock",
        pb.TransferStockRequest(sku="cup", sender="north", receiver="south", quantity=4, document="D2"),
        c.TransferStock("cup", "north", "south", 4, "D2"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "command"), COMMANDS)
def test_every_command_arrives_as_it_was_sent(kind: str, body: Any, command: c.Command) -> None:
    body.header.CopyFrom(HEADER)
    sent = pb.Command.FromString(pb.Command(**{kind: body}).SerializeToString())
    assert decoded(sent) == Request(COMMAND_ID.bytes, "acme", AT, (command,), "till software 3", "till-7")


def test_every_command_of_the_ledger_is_in_the_contract() -> None:
    in_contract = {field.name for field in pb.Command.DESCRIPTOR.oneofs_by_name["command"].fields} - {"group"}
    assert in_contract == set(DECODERS) == {kind for kind, _, _ in COMMANDS}
    assert in_contract == {kind.__struct_config__.tag for kind in c.Command.__subclasses__()}
    assert {field.name for field in pb.Group.DESCRIPTOR.fields} == {"header", "commands"}


def test_what_is_left_out_has_the_ledgers_defaults() -> None:
    assert decoded(earn()).commands == (c.Earn("anna", Amount("PTS", 100), e.Source("order", "A1")),)
    redeem = pb.RedeemRequest(header=HEADER, redemption="x1", member="anna", reward="mug")
    assert decoded(pb.Command(redeem=redeem)).commands == (c.Redeem("x1", "anna", "mug"),)
    reward = pb.DefineRewardRequest(header=HEADER, reward="mug", kind="REWARD_KIND_GOODS", price=PRICE)
    price = e.Price(Amount("PTS", 500), 1000)
    assert decoded(pb.Command(define_reward=reward)).commands == (c.DefineReward("mug", e.RewardKind.GOODS, price),)
    bought = decoded(purchase()).commands[0]
    assert isinstance(bought, c.RecordPurchase)
    assert bought.lines == (e.Line("tea", 1, 500, 400), e.Line("cup", 0, 0, 0))


def test_a_quantity_of_zero_is_not_one() -> None:
    redeem = pb.RedeemRequest(header=HEADER, redemption="x1", member="anna", reward="mug", quantity=0)
    assert decoded(pb.Command(redeem=redeem)).commands == (c.Redeem("x1", "anna", "mug", 0),)


def test_the_rest_of_the_header_arrives() -> None:
    command = earn()
    header = command.earn.header
    header.correlation_id, header.validate_only = "batch 12", True
    header.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request = decoded(command)
    assert (request.correlation_id, request.validate_only) == ("batch 12", True)
    assert request.trace.hex() == "000af7651916cd43dd8448eb211c80319cb7ad6b716920333101"
    assert traceparent(request.trace) == header.traceparent


@pytest.mark.parametrize("written", ["anna", "10001", "a.b_c~d-e", "x" * 64, "王芳", "a/b", "a:b@c", "50%", "%2F"])
def test_ids_are_encoded_on_the_way_in_and_decoded_on_the_way_out(written: str) -> None:
    command = decoded(earn(member=written)).commands[0]
    assert isinstance(command, c.Earn)
    assert re.fullmatch(r"[A-Za-z0-9._~%-]+", command.member)
    assert decode_id(command.member) == written


@pytest.mark.parametrize(("written", "kept"), [("A1", "A1"), ("till-7/A1", "till-7/A1"), ("till 7/A1", "till%207/A1")])
def test_a_source_can_be_the_order_of_a_channel(written: str, kept: str) -> None:
    command = decoded(earn(source=t.Source(type="order", id=written))).commands[0]
    assert isinstance(command, c.Earn)
    assert (command.source.id, decode_id(command.source.id)) == (kept, written)


def header(**fields: Any) -> pb.Command:
    command = earn()
    for name, value in fields.items():
        setattr(command.earn.header, name, value)
    return command


def without(field: str) -> pb.Command:
    command = earn()
    command.earn.header.ClearField(field)
    return command


def at(seconds: int, nanos: int = 0) -> pb.Command:
    command = earn()
    command.earn.header.occurred_at.seconds, command.earn.header.occurred_at.nanos = seconds, nanos
    return command


def settings(**fields: Any) -> pb.Command:
    body = pb.OpenProgrammeRequest(header=HEADER, settings=SETTINGS)
    body.settings.MergeFrom(t.Settings(**fields))
    return pb.Command(open_programme=body)


def policy(**fields: Any) -> pb.Command:
    request = pb.PublishAllocationPolicyRequest(header=HEADER, **fields)
    return pb.Command(publish_allocation_policy=request)


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (pb.Command(), "command"),
        (pb.Command(earn=pb.EarnRequest(member="anna", points=PTS)), "source.type"),
        (earn(header=None), "header.command_id"),
        (without("command_id"), "header.command_id"),
        (without("programme"), "header.programme"),
        (without("occurred_at"), "header.occurred_at"),
        (without("actor"), "header.actor"),
        (without("channel"), "header.channel"),
        (header(command_id=COMMAND_ID.hex), "header.command_id"),
        (header(command_id="{01890a5d-ac96-774b-bcce-b302099a805}"), "header.command_id"),
        (header(command_id="01890a5d-ac96-774b-bcce-b302099a805g"), "header.command_id"),
        (header(command_id="01890a5d-ac96-774b-bcce-b302099a80 7"), "header.command_id"),
        (header(command_id="01890a5d-ac96-774b-bcce-b30209-a8057"), "header.command_id"),
        (header(command_id="0189-a5d-ac96-774b-bcce-b302099a8057"), "header.command_id"),
        (header(programme="x" * 65), "header.programme"),
        (header(actor="x" * 65), "header.actor"),
        (header(actor="a\nb"), "header.actor"),
        (header(correlation_id="x" * 129), "header.correlation_id"),
        (at(-1), "header.occurred_at"),
        (at(253_370_764_800), "header.occurred_at"),
        (at(1, -1), "header.occurred_at"),
        (at(1, 1_000_000_000), "header.occurred_at"),
        (earn(member=""), "member"),
        (earn(member="x" * 65), "member"),
        (earn(member="an\x00na"), "member"),
        (earn(member="an\x85na"), "member"),
        (earn(points=None), "points.unit"),
        (earn(points=t.Amount(unit="P" * 65, value=1)), "points.unit"),
        (earn(points=t.Amount(unit="PTS", value=10**15 + 1)), "points.value"),
        (earn(points=t.Amount(unit="PTS", value=-(10**15) - 1)), "points.value"),
        (earn(source=t.Source(type="order")), "source.id"),
        (earn(source=t.Source(type="order", id="x" * 130)), "source.id"),
        (earn(funding=9), "funding"),
        (earn(unit_cost="abc"), "unit_cost"),
        (earn(rule="\t"), "rule"),
        (settings(clock="CLOCK_KIND_UNSPECIFIED", rounding=7), "settings.rounding"),
        (settings(earning_rate="1e9"), "settings.earning_rate"),
        (settings(point_value="1/0"), "settings.point_value"),
        (settings(units=[t.PointUnit(name="U")] * 31), "settings.units"),
        (settings(expiry=t.Expiry()), "settings.expiry"),
        (settings(units=[t.PointUnit(name="U", expiry=t.Expiry())]), "settings.units[2].expiry"),
        (settings(expiry=t.Expiry(inactivity=t.Expiry.Inactivity(activities=["ACTIVITY_UNSPECIFIED"]))),
         "settings.expiry.inactivity.activities"),
        (settings(transfer_caps=[t.Amount(unit="U", value=10**15 + 1)]), "settings.transfer_caps[0].value"),
        (pb.Command(open_programme=pb.OpenProgrammeRequest(header=HEADER)), "settings.zone"),
        (pb.Command(freeze_member=pb.FreezeMemberRequest(header=HEADER, member="anna")), "reason"),
        (pb.Command(close_member=pb.CloseMemberRequest(header=HEADER, member="anna", reason="a\nb")), "reason"),
        (pb.Command(activate=pb.ActivateRequest(header=HEADER, member="a", source=t.Source(type="x"))), "source.id"),
        (pb.Command(activate=pb.ActivateRequest(header=HEADER, member="a", lots=["a:1", ""])), "lots[1]"),
        (pb.Command(activate=pb.ActivateRequest(header=HEADER, member="a", lots=["a:1"] * 1_001)), "lots"),
        (pb.Command(extend_expiry=pb.ExtendExpiryRequest(header=HEADER, member="a", reason="x")), "expires_at"),
        (pb.Command(advance_clock=pb.AdvanceClockRequest(header=HEADER)), "now"),
        (pb.Command(record_purchase=pb.RecordPurchaseRequest(header=HEADER, member="a", order="o")), "lines"),
        (purchase(sku=""), "lines[1].sku"),
        (purchase(net=10**15 + 1), "lines[1].net"),
        (purchase(gross=-(10**15) - 1), "lines[1].gross"),
        (purchase(tax_rate="13%"), "lines[1].tax_rate"),
        (purchase(discounts=[t.Discount(kind="member"), t.Discount()]), "lines[1].discounts[1].kind"),
        (purchase(tags=["x"] * 65), "lines[1].tags"),
        (pb.Command(expire_due=pb.ExpireDueRequest(header=HEADER, cut_off=NOON)), "member"),
        (pb.Command(expire_due=pb.ExpireDueRequest(header=HEADER, cut_off=NOON, sku="a")), "location"),
        (pb.Command(expire_due=pb.ExpireDueRequest(header=HEADER, cut_off=NOON, sku="a", member="b")), "member"),
        (pb.Command(define_reward=pb.DefineRewardRequest(header=HEADER, reward="mug", price=PRICE)), "kind"),
        (pb.Command(fulfil=pb.FulfilRequest(header=HEADER, redemption="x", quantity=10**15 + 1)), "quantity"),
        (pb.Command(count_stock=pb.CountStockRequest(header=HEADER, sku="a", location="b")), "reason"),
        (pb.Command(discontinue_stock=pb.DiscontinueStockRequest(header=HEADER, sku="a")), "reason"),
        (pb.Command(transfer_stock=pb.TransferStockRequest(header=HEADER, sku="a", sender="b")), "receiver"),
        (policy(locations=["x"] * 101), "locations"),
        (policy(locations=["x", ""]), "locations[1]"),
        (policy(locations=["x"], distances=[t.Distance(destination="y", location="x")] * 10_001), "distances"),
        (policy(locations=["x"], distances=[t.Distance(location="x")]), "distances[0].destination"),
        (
            pb.Command(redeem=pb.RedeemRequest(header=HEADER, redemption="x", member="a", reward="b",
                                               tenders=[TENDERS[1], t.Tender(amount=1)])),
            "tenders[1].type",
        ),
    ],
)  # fmt: skip
def test_bad_input_names_its_field(command: pb.Command, field: str) -> None:
    with pytest.raises(InvalidCommand) as caught:
        decoded(command)
    assert caught.value.field == field
    assert caught.value.problem


def test_one_bad_command_does_not_stop_the_others() -> None:
    good, bad, other = decode_batch([earn(), earn(member=""), earn(member="bo")])
    assert isinstance(good, Request)
    assert isinstance(other, Request)
    assert isinstance(bad, InvalidCommand)


def group(*commands: pb.Command, head: t.Header | None = HEADER) -> pb.Command:
    return pb.Command(group=pb.Group(header=head, commands=commands))


def member(**fields: Any) -> pb.Command:
    return earn(header=None, **fields)


def test_a_group_is_one_request_with_one_id() -> None:
    request = decoded(group(member(), member(member="bo")))
    assert request.id == COMMAND_ID.bytes
    assert [command.member for command in request.commands if isinstance(command, c.Earn)] == ["anna", "bo"]


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (group(), "commands"),
        (group(member(), head=None), "header.command_id"),
        (group(member(), member(member="")), "commands[1].earn.member"),
        (group(member(), earn()), "commands[1].earn.header"),
        (group(member(), group(member())), "commands[1]"),
        (group(pb.Command()), "commands[0]"),
    ],
)
def test_a_bad_group_names_its_member(command: pb.Command, field: str) -> None:
    with pytest.raises(InvalidCommand) as caught:
        decoded(command)
    assert caught.value.field == field


def test_a_batch_takes_8192_commands_those_in_groups_counted() -> None:
    assert len(decode_batch([earn()] * COMMANDS_MAX)) == COMMANDS_MAX == 8192
    full = group(*[member()] * (COMMANDS_MAX - 1))
    assert len(decode_batch([earn(), full])) == 2
    for batch in ([earn()] * (COMMANDS_MAX + 1), [earn(), earn(), full]):
        with pytest.raises(InvalidCommand) as caught:
            decode_batch(batch)
        assert caught.value.field == "commands"

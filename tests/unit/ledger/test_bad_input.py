"""Bad input: the field is named, nothing is stored, no id is used up, and the writer goes on."""

from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.errors import InvalidCommand
from ledger.events import Line, Source, Tender, TenderType
from ledger.quantities import VALUE_MAX, Amount
from ledger.receipts import Outcome
from ledger.settings import PointUnit
from tests.unit.ledger.desk import SETTINGS, Desk, settings, stored
from tests.unit.ledger.running import Running, ScriptedClock

NOW: Instant = 1_767_240_000_000_000
"""Noon of 2026-01-01 in Shanghai, when the desk opens."""

P = Amount("points", 5)
VISIT = Source("visit", "1")
TEA = Line("tea", 1, 100, 100)
TOO_MUCH = VALUE_MAX + 1


def earn(**fields: Any) -> c.Command:
    known: dict[str, Any] = {"member": "anna", "points": P, "source": VISIT}
    return c.Earn(**(known | fields))


def buy(*lines: Line, tenders: tuple[Tender, ...] = ()) -> c.Command:
    return c.RecordPurchase("anna", "o1", lines, tenders=tenders)


def tea(**fields: Any) -> c.Command:
    return buy(TEA, msgspec.structs.replace(TEA, **fields))


def reward(**fields: Any) -> c.Command:
    known: dict[str, Any] = {"reward": "mug", "kind": e.RewardKind.GOODS, "price": e.Price(P), "sku": "mug"}
    return c.DefineReward(**(known | fields))


BAD: list[tuple[str, c.Command, str]] = [
    ("no points", earn(points=Amount("points", 0)), "points.value"),
    ("negative points", earn(points=Amount("points", -1)), "points.value"),
    ("too many points", earn(points=Amount("points", TOO_MUCH)), "points.value"),
    ("unknown unit", earn(points=Amount("miles", 5)), "points.unit"),
    ("available before earned", earn(available_at=NOW - 1), "available_at"),
    ("expired before available", earn(available_at=NOW + 9, expires_at=NOW + 9), "expires_at"),
    ("cost in words", earn(unit_cost="cheap"), "unit_cost"),
    ("cost below nothing", earn(unit_cost="-1/100"), "unit_cost"),
    ("cost over nothing", earn(unit_cost="1/0"), "unit_cost"),
    ("no lines", buy(), "lines"),
    ("too many lines", buy(*[TEA] * 1_001), "lines"),
    ("negative quantity", tea(quantity=-1), "lines[1].quantity"),
    ("negative net", tea(net=-1), "lines[1].net"),
    ("negative list price", tea(list_price=-1), "lines[1].list_price"),
    ("gross too high", tea(gross=TOO_MUCH), "lines[1].gross"),
    ("gross below net", tea(gross=99), "lines[1].gross"),
    ("negative cost", tea(cost=-1), "lines[1].cost"),
    ("negative standalone price", tea(standalone_price=-1), "lines[1].standalone_price"),
    ("negative discount", tea(discounts=(e.Discount("sale", -1),)), "lines[1].discounts[0].amount"),
    ("tax rate in words", tea(tax_rate="much"), "lines[1].tax_rate"),
    ("lines too dear together", buy(*[msgspec.structs.replace(TEA, net=VALUE_MAX)] * 2), "lines"),
    ("negative tender", buy(TEA, tenders=(Tender(TenderType.CASH, -1),)), "tenders[0].amount"),
    ("tenders too small", buy(TEA, tenders=(Tender(TenderType.CASH, 99),)), "tenders"),
    ("reward without price", reward(price=e.Price(Amount("points", 0))), "price.points.value"),
    ("reward in unknown unit", reward(price=e.Price(Amount("miles", 5))), "price.points.unit"),
    ("reward with negative cash", reward(price=e.Price(P, -1)), "price.cash"),
    ("reward with negative list price", reward(list_price=-1), "list_price"),
    ("no reward redeemed", c.Redeem("r1", "anna", "mug", 0), "quantity"),
    ("too many rewards redeemed", c.Redeem("r1", "anna", "mug", 10**9 + 1), "quantity"),
    ("reward without location", c.Redeem("r1", "anna", "nowhere"), "location"),
    ("nothing held", c.Hold("h1", "anna", Amount("points", 0)), "points.value"),
    ("hold in unknown unit", c.Hold("h1", "anna", Amount("miles", 5)), "points.unit"),
    ("hold that ends now", c.Hold("h1", "anna", P, NOW), "expires_at"),
    ("hold too long", c.Hold("h1", "anna", P, NOW + 8 * 86_400_000_000), "expires_at"),
    ("nothing captured", c.CaptureHold("h1", "anna", 0), "points"),
    ("capture below nothing", c.CaptureHold("h1", "anna", amount=-1), "amount"),
    ("nothing given", c.Transfer("anna", "bo", Amount("points", 0)), "points.value"),
    ("debt given", c.Transfer("anna", "bo", Amount("points", -5)), "points.value"),
    ("sweep of the future", c.ExpireDue(NOW + 1, "anna"), "cut_off"),
    ("sweep of nothing", c.ExpireDue(NOW), "member"),
    ("policy without locations", c.PublishAllocationPolicy(()), "locations"),
    ("nothing fulfilled", c.Fulfil("r1", 0), "quantity"),
    ("less than nothing cancelled", c.Cancel("r1", -1), "quantity"),
    ("less than nothing counted", c.CountStock("mug", "shop", -1, "count"), "counted"),
    ("nothing transferred", c.TransferStock("mug", "shop", "depot", 0), "quantity"),
    ("nothing received", c.ReceiveStock("mug", "shop", 0), "quantity"),
    ("too much received", c.ReceiveStock("mug", "shop", 10**9 + 1), "quantity"),
    ("received below cost", c.ReceiveStock("mug", "shop", 1, -1), "unit_cost"),
    ("nothing locked", c.LockStock("k1", "mug", "shop", 0), "quantity"),
    ("lock that ends now", c.LockStock("k1", "mug", "shop", 1, NOW), "expires_at"),
]


@pytest.mark.parametrize(("command", "field"), [pytest.param(bad, field, id=name) for name, bad, field in BAD])
def test_bad_input_names_its_field_and_leaves_no_trace(desk: Desk, command: c.Command, field: str) -> None:
    desk.given("anna earns 100", "mug@shop receives 5", "reward mug costs 5 from mug@shop")
    desk.send(c.DefineReward("nowhere", e.RewardKind.GOODS, e.Price(P), sku="mug"))
    assert desk.now == NOW
    before = stored(desk)
    assert desk.send(command, number=900).invalid(field)
    group = desk.send(desk.lines.read("anna earns 1")[0], command, number=900)
    assert isinstance(group.answer, InvalidCommand)
    assert stored(desk) == before
    assert desk.when("anna gives 100 to bo", number=900).accepted


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"units": ()}, "units"),
        ({"units": SETTINGS.units * 2}, "units"),
        ({"units": (*SETTINGS.units, PointUnit("", 0))}, "units[2]"),
        ({"units": (*SETTINGS.units, PointUnit("gems", 7))}, "units[2]"),
        ({"earning_unit": "miles"}, "earning_unit"),
        ({"currency": ""}, "currency"),
        ({"currency_digits": -1}, "currency"),
        ({"earning_rate": "fast"}, "earning_rate"),
        ({"earning_rate": "-1"}, "earning_rate"),
        ({"point_value": "1/0"}, "point_value"),
        ({"lot_months": -1}, "lot_months"),
        ({"lot_months": 1_201}, "lot_months"),
        ({"pending_days": 3_661}, "pending_days"),
        ({"refund_grace_days": -1}, "refund_grace_days"),
        ({"refund_grace_days": 3_661}, "refund_grace_days"),
        ({"debt_limit": -1}, "debt_limit"),
        ({"hold_seconds": 0}, "hold_seconds"),
        ({"backdating_seconds": -1}, "backdating_seconds"),
        # Points would end before they open: nobody could ever spend them.
        ({"lot_months": 1, "pending_days": 60}, "pending_days"),
    ],
)
def test_settings_that_make_no_sense_open_no_programme(changes: dict[str, object], field: str) -> None:
    with Running(ScriptedClock(NOW)) as running:
        request = c.Request(b"p" * 16, "club", NOW, (c.OpenProgramme(settings(**changes)),), "till-1", "shop")
        (answer,) = running.execute([request])
        assert isinstance(answer, InvalidCommand)
        assert answer.field == f"settings.{field}"
        assert not running.memory.outcomes


def test_a_hold_must_match_the_tender_that_names_it(desk: Desk) -> None:
    desk.given("anna earns 100", "anna holds 40 as h1")
    before = stored(desk)
    for points, field in ((39, "tenders[0].points"), (41, "tenders[0].points")):
        assert desk.when(f"anna buys tea 0.{points} as o1 paying {points} points of h1 worth 0.{points}").invalid(field)
    assert stored(desk) == before


# -- any invalid command at all

outside = st.one_of(st.integers(VALUE_MAX + 1, 2**63 - 1), st.integers(-(2**63), 0))
negative = st.integers(-(2**63), -1)
any_bad = st.one_of(
    st.builds(lambda value: earn(points=Amount("points", value)), outside),
    st.builds(
        lambda unit: earn(points=Amount(unit, 5)), st.text().filter(lambda unit: unit not in {"points", "stars"})
    ),
    st.builds(lambda text: earn(unit_cost=text), st.text(alphabet="ab/-. ")),
    st.builds(lambda early: earn(available_at=NOW + early), negative.filter(lambda early: early > -(2**62))),
    st.builds(lambda value: c.Transfer("anna", "bo", Amount("points", value)), outside),
    st.builds(lambda value: c.Hold("h1", "anna", Amount("stars", value)), outside),
    st.builds(
        lambda value: c.Redeem("r1", "anna", "mug", value), st.one_of(st.integers(10**9 + 1, 2**63 - 1), negative)
    ),
    st.builds(lambda value: c.ReceiveStock("mug", "shop", 1, value), negative),
    st.builds(lambda value: c.LockStock("k1", "mug", "shop", value), negative),
    st.builds(lambda late: c.ExpireDue(NOW + late, "anna"), st.integers(1, 2**62)),
    st.builds(lambda value: tea(net=value), negative),
    st.builds(lambda value: tea(net=100, gross=value), negative),
    st.builds(
        lambda paid: buy(TEA, tenders=(Tender(TenderType.CASH, paid),)),
        st.integers(-100, 99) | st.integers(101, 2**63 - 1),
    ),
)


@hypothesis.settings(max_examples=60)
@given(st.lists(any_bad, min_size=1, max_size=5), st.booleans())
def test_no_invalid_command_changes_anything(bad: list[c.Command], together: bool) -> None:
    desk = Desk()
    try:
        desk.given("anna earns 100", "mug@shop receives 5", "reward mug costs 5 from mug@shop")
        before = stored(desk)
        groups = [(desk.lines.read("anna gives 7 to bo")[0], *bad)] if together else [(command,) for command in bad]
        for place, commands in enumerate(groups):
            assert isinstance(desk.send(*commands, number=900 + place).answer, InvalidCommand)
            assert stored(desk) == before
        then = desk.when("anna gives 100 to bo", number=900)
        assert isinstance(then.answer, Outcome)
        assert then.balance("bo") == 100
    finally:
        desk.close()

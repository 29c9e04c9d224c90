"""Settings that change: from when on, for which decisions, and what cannot change."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.calendar import DAY
from ledger.commands import ChangeProgramme, Earn
from ledger.events import PointsEarned, PointsHeld, ProgrammeChanged, ProgrammeOpened, PurchaseRecorded, Source
from ledger.quantities import Amount, Rounding
from ledger.settings import Activity, ClockKind, FixedDate, Inactivity, LotAge, NoExpiry, PointUnit
from ledger.states.programme import Programme
from tests.unit.ledger.desk import SETTINGS, Desk, settings

UNITS = SETTINGS.units


def rates(desk: Desk) -> list[tuple[str, int]]:
    """The rate and the number of the settings that each purchase so far was reckoned by."""
    bought = desk.happened(PurchaseRecorded)
    return [(event.earning.rate, event.earning.rule_version) for event in bought if event.earning is not None]


def test_a_change_counts_from_its_time_on(desk: Desk) -> None:
    """Edge case 12: settings are made ahead; a decision goes by those in force at its own time."""
    assert desk.changes(earning_rate="1/50", since="2026-02-01").accepted
    desk.given("anna buys tea 10.00 as o1", "time passes to 2026-02-02", "anna buys tea 10.00 as o2")
    assert rates(desk) == [("1/100", 1), ("1/50", 2)]


def test_a_late_sale_goes_by_the_settings_of_its_own_day(desk: Desk) -> None:
    """Edge cases 9 and 12: a till that was off line reports what it sold before the change."""
    desk.changes(earning_rate="1/50", since="2026-02-01")
    desk.given("time passes to 2026-02-10", "anna buys tea 10.00 as o1 on 2026-01-31 23:59")
    desk.given("anna buys tea 10.00 as o2 on 2026-02-01 12:00")
    assert rates(desk) == [("1/100", 1), ("1/50", 2)]


def test_a_change_without_a_time_counts_at_once(desk: Desk) -> None:
    (changed,) = desk.changes(hold_seconds=3_600).events(ProgrammeChanged)
    assert (changed.valid_from, changed.version) == (desk.now, 2)
    desk.given("anna earns 10")
    (held,) = desk.when("anna holds 10 as h1").events(PointsHeld)
    assert held.expires_at == desk.lines.moment("2026-01-01 13:00")


def test_lots_that_exist_keep_what_they_were_given(desk: Desk) -> None:
    """Edge case 12: nothing is re-rated by a change."""
    desk.opens(lot_months=12)
    desk.given("anna earns 10")
    desk.changes(lot_months=1)
    assert desk.given("anna earns 20").lots("anna") == [(20, "2026-02-01"), (10, "2027-01-01")]


def test_settings_change_again_and_again(desk: Desk) -> None:
    for month, rate in ((2, "1/50"), (3, "1/20"), (4, "0"), (5, "1/10")):
        assert desk.changes(earning_rate=rate, since=f"2026-0{month}-01").accepted
    desk.given("time passes to 2026-06-01")
    for month in (6, 1, 5, 2, 4, 3):
        desk.given(f"anna buys tea 10.00 as o{month} on 2026-0{month}-01")
    assert rates(desk) == [("1/10", 5), ("1/100", 1), ("1/10", 5), ("1/50", 2), ("1/20", 3)]


def test_a_change_for_the_same_time_takes_the_place_of_the_one_before(desk: Desk) -> None:
    """A change that lies ahead can be taken back: by one for the same time."""
    desk.changes(earning_rate="1/50", since="2026-02-01")
    assert desk.changes(earning_rate="1/20", since="2026-02-01").accepted
    desk.given("time passes to 2026-02-02", "anna buys tea 10.00 as o1")
    assert rates(desk) == [("1/20", 3)]


def test_nothing_changes_before_the_last_change(desk: Desk) -> None:
    """Edge case 12: versions follow each other, none is inserted."""
    desk.changes(earning_rate="1/50", since="2026-02-01")
    last = desk.lines.moment("2026-02-01")
    then = desk.changes(earning_rate="1/20", since="2026-01-31")
    assert then.refused("LATER_CHANGE_EXISTS", programme="club", valid_from=last)
    assert desk.changes(earning_rate="1/20").refused("LATER_CHANGE_EXISTS", valid_from=last)


def test_a_change_does_not_begin_before_it_was_made(desk: Desk) -> None:
    assert desk.changes(earning_rate="1/20", since="2025-12-31").invalid("valid_from")
    assert desk.changes(earning_rate="1/20", since="2026-01-01", on="2025-12-31").accepted


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"zone": "Europe/Berlin"}, "zone"),
        ({"clock": ClockKind.MANUAL}, "clock"),
        ({"currency": "EUR"}, "currency"),
        ({"currency_digits": 0}, "currency_digits"),
        ({"units": UNITS[:1]}, "units[1]"),
        ({"units": UNITS[::-1]}, "units[0]"),
        ({"units": (PointUnit("points", 2), UNITS[1])}, "units[0]"),
        ({"units": (UNITS[0], PointUnit("gems"))}, "units[1]"),
    ],
)
def test_what_amounts_and_days_on_record_depend_on_cannot_change(
    desk: Desk, changes: dict[str, Any], field: str
) -> None:
    """Edge case 6: a business date is never computed again."""
    assert desk.changes(**changes).invalid(f"settings.{field}")


def test_a_unit_may_be_added_and_the_expiry_of_one_changed(desk: Desk) -> None:
    units = (PointUnit("points", 0, LotAge(1)), UNITS[1], PointUnit("gems", 2))
    assert desk.changes(units=units).accepted
    assert desk.given("anna earns 5").lots("anna") == [(5, "2026-02-01")]
    then = desk.send(Earn("anna", Amount("gems", 5), Source("visit", "g")))
    assert then.balance("anna", "gems") == 5


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lot_months": 1_201}, "lot_months"),
        ({"lot_months": 12, "expiry": LotAge(12)}, "lot_months"),
        ({"expiry": LotAge(0)}, "expiry.lot_age.months"),
        ({"expiry": LotAge(1_201)}, "expiry.lot_age.months"),
        ({"expiry": Inactivity(0, (Activity.EARN,))}, "expiry.inactivity.months"),
        ({"expiry": Inactivity(12, ())}, "expiry.inactivity.activities"),
        ({"expiry": Inactivity(12, (Activity.EARN, Activity.EARN))}, "expiry.inactivity.activities"),
        ({"expiry": FixedDate(0, 1)}, "expiry.fixed_date.month"),
        ({"expiry": FixedDate(13, 1)}, "expiry.fixed_date.month"),
        ({"expiry": FixedDate(2, 30)}, "expiry.fixed_date.day"),
        ({"expiry": FixedDate(4, 31)}, "expiry.fixed_date.day"),
        ({"expiry": FixedDate(12, 31, -1)}, "expiry.fixed_date.months"),
        ({"units": (UNITS[0], PointUnit("stars", 0, LotAge(0)))}, "units[1].expiry.lot_age.months"),
        ({"expiry": FixedDate(12, 31), "pending_days": 1}, "pending_days"),
        ({"expiry": Inactivity(1, (Activity.EARN,)), "pending_days": 28}, "pending_days"),
        ({"transfer_caps": (Amount("miles", 5),)}, "transfer_caps[0].unit"),
        ({"transfer_caps": (Amount("points", 5), Amount("points", 6))}, "transfer_caps[1].unit"),
        ({"transfer_caps": (Amount("points", -1),)}, "transfer_caps[0].value"),
        ({"transfer_caps": (Amount("points", 5),), "backdating_seconds": 367 * 86_400}, "backdating_seconds"),
    ],
)
def test_settings_that_make_no_sense_name_their_field(desk: Desk, changes: dict[str, Any], field: str) -> None:
    assert desk.changes(**changes).invalid(f"settings.{field}")
    before = len(desk.running.memory.records)
    assert desk.when("anna earns 5").accepted
    assert len(desk.running.memory.records) == before + 1


def test_how_far_back_a_command_may_be_dated_goes_by_the_present(desk: Desk) -> None:
    """A limit that was tightened holds at once, also for days on which it was wider."""
    assert desk.when("anna earns 5 on 2025-12-01").accepted
    desk.changes(backdating_seconds=86_400)
    assert desk.when("anna earns 5 on 2025-12-01").refused("TOO_FAR_BACK", now=desk.now)


def test_a_group_goes_on_with_the_settings_that_it_makes(desk: Desk) -> None:
    desk.opens(lot_months=12)
    change = ChangeProgramme(settings(lot_months=1))
    earn = desk.lines.read("anna earns 5")[0]
    assert desk.send(change, earn).lots("anna") == [(5, "2026-02-01")]


def test_a_change_that_is_only_tried_leaves_no_trace(desk: Desk) -> None:
    desk.opens(lot_months=12)
    assert desk.send(ChangeProgramme(settings(lot_months=1)), validate_only=True).accepted
    assert desk.given("anna earns 5").lots("anna") == [(5, "2027-01-01")]


def test_settings_are_known_again_after_a_restart(desk: Desk) -> None:
    desk.changes(earning_rate="1/50", since="2026-02-01")
    desk.running.restart()
    desk.given("time passes to 2026-02-02", "anna buys tea 10.00 as o1", "anna buys tea 10.00 as o2 on 2026-01-20")
    assert rates(desk) == [("1/50", 2), ("1/100", 1)]


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(-9, 40))
def test_the_settings_in_force_are_the_newest_of_those_that_go_by_then(steps: Sequence[int], day: int) -> None:
    """Edge case 12, against a list that is searched from end to end."""
    programme = Programme()
    programme.evolve(ProgrammeOpened(SETTINGS), 0)
    known = [(0, 1)]
    for version, step in enumerate(steps, 2):
        since = known[-1][0] + step * DAY
        programme.evolve(ProgrammeChanged(settings(rounding=Rounding.UP), since, version), 0)
        known.append((since, version))
    expected = max((version for since, version in known if since <= day * DAY), default=1)
    assert programme.policy_at(day * DAY).version == programme.clone().policy_at(day * DAY).version == expected


def test_a_unit_goes_by_its_own_expiry_before_the_programmes(desk: Desk) -> None:
    """X01: a policy for each programme and unit."""
    units = (PointUnit("points"), PointUnit("stars", 0, NoExpiry()))
    desk.opens(units=units, expiry=FixedDate(12, 31))
    desk.given("anna earns 5", "anna earns 5 stars")
    granted = {event.unit: desk.lines.last_day(event.expires_at) for event in desk.happened(PointsEarned)}
    assert granted == {"points": "2026-12-31", "stars": "never"}

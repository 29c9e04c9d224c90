"""Where goods come from if nobody says so: the allocation policy (I04)."""

import pytest

from ledger.commands import PublishAllocationPolicy, Redeem
from ledger.events import AllocationPolicyPublished, Distance, RedemptionPlaced
from ledger.receipts import Outcome, Receipt
from tests.unit.ledger.desk import Desk, Then

REWARD = ("reward mug costs 5 of mug listed at 9.00 instead cup", "anna earns 1000")
STOCKED = (*REWARD, "mug@beijing receives 2", "mug@foshan receives 9", "mug@hefei receives 5")
POLICY = (
    "goods come from beijing, foshan, hefei, far: tianjin beijing 130, tianjin hefei 900, tianjin foshan 2100,"
    " canton foshan 30, canton hefei 1200"
)


def place(then: Then) -> tuple[str, int]:
    """The location chosen, and the version of the policy that chose it."""
    (placed,) = then.events(RedemptionPlaced)
    return placed.location, placed.allocation_version


def test_goods_come_from_the_nearest_location(desk: Desk) -> None:
    """I04: a customer in the north gets goods from the north."""
    desk.given(*STOCKED, POLICY)
    then = desk.when("anna redeems mug as r1 to tianjin")
    (placed,) = then.events(RedemptionPlaced)
    assert (place(then), placed.destination) == (("beijing", 1), "tianjin")
    assert then.stock("mug@beijing") == (1, 1, 0)
    assert place(desk.when("anna redeems mug as r2 to canton")) == ("foshan", 1)


def test_the_nearest_location_that_has_enough(desk: Desk) -> None:
    desk.given(*STOCKED, POLICY)
    assert place(desk.when("anna redeems mug x3 as r1 to tianjin")) == ("hefei", 1)
    assert place(desk.when("anna redeems mug x3 as r2 to tianjin")) == ("foshan", 1)
    assert place(desk.when("anna redeems mug x2 as r3 to tianjin")) == ("beijing", 1)


def test_a_location_at_no_known_distance_comes_last(desk: Desk) -> None:
    desk.given(*REWARD, "mug@beijing receives 9", "mug@hefei receives 1", POLICY)
    assert place(desk.when("anna redeems mug as r1 to canton")) == ("hefei", 1)
    assert place(desk.when("anna redeems mug as r2 to canton")) == ("beijing", 1)


@pytest.mark.parametrize("destination", ["", " to paris"])
def test_without_a_known_destination_goods_come_from_where_most_are(desk: Desk, destination: str) -> None:
    desk.given(*STOCKED, POLICY)
    assert place(desk.when(f"anna redeems mug as r1{destination}")) == ("foshan", 1)


def test_of_equally_near_locations_the_fullest_then_the_first_by_name(desk: Desk) -> None:
    desk.given(*REWARD, "mug@west receives 3", "mug@east receives 3", "mug@north receives 2")
    desk.given("goods come from west, north, east, far: x west 5, x north 5, x east 5")
    names = [place(desk.when(f"anna redeems mug as r{number} to x"))[0] for number in range(8)]
    assert names == ["east", "west", "east", "north", "west", "east", "north", "west"]
    assert desk.when("anna redeems mug as r9 to x").refused("OUT_OF_STOCK", available=0)


def test_what_the_caller_or_the_reward_names_goes_before_the_policy(desk: Desk) -> None:
    """I04: the caller may name a location."""
    desk.given(*STOCKED, "cup@hefei receives 1", "reward cup costs 5 from cup@hefei", POLICY)
    assert place(desk.when("anna redeems mug as r1 from foshan to tianjin")) == ("foshan", 0)
    assert place(desk.when("anna redeems cup as r2 to tianjin")) == ("hefei", 0)


def test_without_a_policy_somebody_has_to_name_a_location(desk: Desk) -> None:
    desk.given(*STOCKED)
    assert desk.when("anna redeems mug as r1 to tianjin").invalid("location")
    assert desk.when("anna redeems mug as r1 from hefei to tianjin").accepted


def test_where_no_location_has_enough_the_refusal_tells_of_the_one_that_has_most(desk: Desk) -> None:
    """I02: so many could be had from there; and what else could be had."""
    desk.given(*STOCKED, POLICY)
    then = desk.when("anna redeems mug x10 as r1 to tianjin")
    assert then.refused(
        "OUT_OF_STOCK",
        sku="mug",
        location="foshan",
        wanted=10,
        available=9,
        substitutes=["cup"],
        quote_points=50,
        quote_cash=9000 - 50,
    )


def test_a_discontinued_location_is_passed_over(desk: Desk) -> None:
    """I05."""
    desk.given(*STOCKED, POLICY, "mug@beijing is discontinued")
    assert place(desk.when("anna redeems mug as r1 to tianjin")) == ("hefei", 1)
    assert desk.when("anna redeems mug x20 as r2 to tianjin").refused("OUT_OF_STOCK", location="foshan")
    desk.given("mug@foshan is discontinued", "mug@hefei is discontinued")
    assert desk.when("anna redeems mug as r3 to tianjin").refused("STOCK_DISCONTINUED", substitutes=["cup"])


def test_a_new_version_counts_for_all_that_is_decided_after_it(desk: Desk) -> None:
    """Also for what is reported late: it locks the stock that is there now. What was chosen before stays."""
    desk.given(*STOCKED, POLICY, "anna redeems mug as r1 to tianjin", "time passes to 2026-01-03")
    (event,) = desk.given("goods come from hefei").events(AllocationPolicyPublished)
    assert event == AllocationPolicyPublished(2, ("hefei",))
    desk.running.restart()
    assert place(desk.when("anna redeems mug as r2 to tianjin on 2026-01-02")) == ("hefei", 2)
    assert desk.when("r1 is fulfilled").stock("mug@beijing") == (1, 0, 1)


def test_a_choice_takes_earlier_commands_of_its_group_into_account(desk: Desk) -> None:
    desk.given(*STOCKED, POLICY)
    then = desk.together("anna redeems mug x2 as r1 to tianjin", "anna redeems mug as r2 to tianjin")
    assert [placed.location for placed in then.events(RedemptionPlaced)] == ["beijing", "hefei"]


A, B = Distance("x", "a", 1), Distance("x", "b", 2)


@pytest.mark.parametrize(
    ("locations", "distances", "field"),
    [
        ((), (), "locations"),
        (tuple(f"l{number}" for number in range(101)), (), "locations"),
        (("a", "b", "a"), (), "locations"),
        (("a",), (A, B), "distances[1].location"),
        (("a", "b"), (A, B, A), "distances[2]"),
        (("a",), (Distance("x", "a", -1),), "distances[0].distance"),
        (("a",), (Distance("x", "a", 10**15 + 1),), "distances[0].distance"),
        (("a",), tuple(Distance(f"x{number}", "a", 1) for number in range(10_001)), "distances"),
    ],
)
def test_a_policy_that_makes_no_sense_is_bad_input(
    desk: Desk, locations: tuple[str, ...], distances: tuple[Distance, ...], field: str
) -> None:
    assert desk.send(PublishAllocationPolicy(locations, distances)).invalid(field)


def test_nothing_is_oversold_across_locations(desk: Desk) -> None:
    """I03, I06, edge case 8: a hundred ask for eight units at three locations, all at once."""
    desk.given(*REWARD, "mug@beijing receives 1", "mug@foshan receives 4", "mug@hefei receives 3", POLICY)
    requests = [desk.request(Redeem(f"r{number}", "anna", "mug", destination="tianjin")) for number in range(100)]
    answers = desk.running.execute_apart(requests)
    accepted = [a for a in answers if isinstance(a, Outcome) and isinstance(a.answer, Receipt)]
    desk.oracle.fold(desk.running.memory.records[desk.oracle.position :])
    stocks = [desk.oracle.stock("club", f"mug@{location}") for location in ("beijing", "foshan", "hefei")]
    assert (len(accepted), [(stock.free, stock.locked) for stock in stocks]) == (8, [(0, 1), (0, 4), (0, 3)])

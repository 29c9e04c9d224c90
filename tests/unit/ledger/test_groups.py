"""Groups: several commands that commit whole or not at all."""

from typing import Any

from ledger.commands import Earn, EnrolMember, OpenProgramme, Request
from ledger.errors import CommandIdReused, InvalidCommand
from ledger.events import Source
from ledger.quantities import Amount, Balance
from ledger.receipts import Outcome, Receipt
from ledger.refusals import Reason, refuse
from tests.unit.ledger.desk import Desk, settings, stored
from tests.unit.ledger.running import Running, ScriptedClock

STOCKED = ("mug@shop receives 3 at 4.00", "reward mug costs 30 from mug@shop", "anna earns 100 expiring 2026-03-31")


def picture(desk: Desk) -> dict[str, object]:
    """What the writer has in memory of each stream that has events."""
    found = {}
    for stream, state in desk.running.writer.cache.loaded.items():
        known: Any = state
        if known.version:
            slots = type(known).__slots__
            found[stream] = known.image() if hasattr(known, "image") else [getattr(known, name) for name in slots]
    return found


def test_a_group_commits_whole_under_one_id(desk: Desk) -> None:
    desk.given(*STOCKED)
    then = desk.together("anna gives 20 to bo", "anna redeems mug as r1", "bo gives 5 to cai")
    assert then.accepted
    assert {record.command_id for record in then.records} == {desk.ids.to_bytes(16, "big")}
    assert (then.balance("anna"), then.held("anna"), then.balance("bo"), then.balance("cai")) == (80, 30, 15, 5)
    assert desk.running.memory.batches[-1].commands == 1


def test_each_command_of_a_group_sees_what_the_ones_before_did(desk: Desk) -> None:
    desk.given("anna earns 100")
    assert desk.together("anna gives 100 to bo", "bo gives 100 to cai", "cai gives 100 to anna").balance("anna") == 100
    assert desk.together("dee joins", "dee earns 5", "dee gives 5 to bo").balance("bo") == 5


def test_a_refused_group_leaves_everything_exactly_as_it_was(desk: Desk) -> None:
    """Streams, states in memory, business keys: as if the group had never come."""
    desk.given(*STOCKED, "anna holds 10 as h1")
    before, events = picture(desk), list(desk.running.memory.records)
    then = desk.together(
        "anna earns 7 for review 77",
        "anna redeems mug x2 as r1",
        "anna gives 30 to bo",
        "anna releases h1",
        "mug@shop locks 1 as k1",
        "anna buys tea 5.00 as o1",
        "bo gives 31 to cai",
    )
    assert then.refused("INSUFFICIENT_POINTS", member="bo", wanted=31, spendable=30, command=6)
    assert (picture(desk), desk.running.memory.records) == (before, events)
    assert desk.given("anna earns 7 for review 77", "anna buys tea 5.00 as o1").balance("anna") == 112


def test_a_writer_that_saw_a_refused_group_goes_on_like_one_that_never_did() -> None:
    rest = (
        "anna earns 3 for review 3",
        "anna gives 95 to bo",
        "anna redeems mug as r1",
        "r1 is cancelled",
        "bo gives 9 to cai",
    )
    logs = []
    for groups in ([], [("anna earns 50", "anna redeems mug x3 as r9", "cai gives 1 to bo")]):
        desk = Desk()
        try:
            desk.given(*STOCKED)
            for group in groups:
                assert desk.together(*group).refused("INSUFFICIENT_POINTS", command=2)
            for number, line in enumerate(rest):
                desk.when(line, number=100 + number)
            logs.append(desk.running.memory.records)
        finally:
            desk.close()
    assert logs[0] == logs[1]


def test_a_groups_refusal_names_the_command_that_failed(desk: Desk) -> None:
    desk.given("anna earns 100")
    assert desk.together("anna gives 10 to bo", "anna gives 10 to nemo").refused("MEMBER_NOT_FOUND", command=1)
    assert desk.together("anna gives 101 to bo", "anna gives 10 to bo").refused("INSUFFICIENT_POINTS", command=0)


def test_a_groups_refusal_is_stored_and_repeated(desk: Desk) -> None:
    """Edge case 13: a group is one command with its own id."""
    lines = ("anna earns 10 for review 1", "anna gives 50 to bo")
    assert desk.together(*lines).refused("INSUFFICIENT_POINTS", command=1)
    number = desk.ids
    desk.given("anna earns 100")
    again = desk.together(*lines, number=number)
    assert again.refused("INSUFFICIENT_POINTS", spendable=10, command=1)
    assert isinstance(again.answer, Outcome)
    assert again.answer.repeated
    assert isinstance(desk.together(*reversed(lines), number=number).answer, CommandIdReused)


def test_a_group_is_answered_again_like_any_command(desk: Desk) -> None:
    """Edge case 13."""
    lines = ("anna earns 10 for review 1", "anna gives 5 to bo")
    first = desk.together(*lines)
    again = desk.together(*lines, number=desk.ids)
    assert (again.receipt, again.story) == (first.receipt, [])


def test_one_source_grants_once_within_a_group(desk: Desk) -> None:
    """Edge case 13."""
    then = desk.together("anna earns 10 for review 1", "bo earns 10 for review 1")
    assert then.refused("SOURCE_ALREADY_USED", id="1", command=1)
    then = desk.together("anna buys tea 10.00 as o1", "anna earns 10 for order shop/o1")
    assert then.refused("SOURCE_ALREADY_USED", id="shop/o1", command=1)
    assert desk.together("anna earns 10 for review 1", "bo earns 10 for review 2").accepted
    assert desk.together("cai earns 1", "bo earns 10 for review 2").refused("SOURCE_ALREADY_USED", command=1)


def test_a_purchase_that_granted_nothing_leaves_its_source_free_within_a_group(desk: Desk) -> None:
    """As it does outside of one."""
    assert desk.together("anna buys bag 0.00 as o1", "anna earns 10 for order shop/o1").accepted


def test_an_order_is_recorded_once_within_a_group(desk: Desk) -> None:
    then = desk.together("anna buys tea 10.00 as o1", "bo buys tea 10.00 as o1")
    assert then.refused("ORDER_ALREADY_RECORDED", order="o1", command=1)


def test_bad_input_in_a_group_stores_nothing(desk: Desk) -> None:
    desk.given("anna earns 100")
    before, states = stored(desk), picture(desk)
    then = desk.together("anna gives 10 to bo", "anna gives 0 to bo", number=900)
    assert isinstance(then.answer, InvalidCommand)
    assert (stored(desk), picture(desk)) == (before, states)
    assert desk.together("anna gives 10 to bo", number=900).accepted


def test_bad_input_in_a_group_names_the_command(desk: Desk) -> None:
    """The path of the field leads to one command of the group."""
    desk.given("anna earns 100")
    then = desk.together("anna gives 10 to bo", "anna gives 0 to bo")
    assert isinstance(then.answer, InvalidCommand)
    assert then.answer.field.startswith("commands[1].")


def test_a_groups_receipt_states_each_balance_once(desk: Desk) -> None:
    desk.given("anna earns 100")
    receipt = desk.together("anna gives 10 to bo", "anna gives 10 to bo", "bo gives 1 to anna").receipt
    assert [(b.member, b.open) for b in receipt.balances] == [("anna", 81), ("bo", 19)]


def test_a_group_that_is_only_tried_stores_nothing(desk: Desk) -> None:
    desk.given("anna earns 100")
    before, states = stored(desk), picture(desk)
    tried = desk.together("anna gives 60 to bo", "bo gives 60 to cai", validate_only=True)
    assert [(b.member, b.open) for b in tried.receipt.balances] == [("anna", 40), ("bo", 0), ("cai", 60)]
    assert (stored(desk), picture(desk)) == (before, states)
    refused = desk.together("anna gives 60 to bo", "anna gives 60 to cai", validate_only=True)
    assert refused.refused("INSUFFICIENT_POINTS", command=1)
    assert stored(desk) == before


def test_a_programme_may_be_opened_and_filled_in_one_group() -> None:
    with Running(ScriptedClock(0)) as running:
        earn = Earn("anna", Amount("points", 5), Source("visit", "1"))
        opening = Request(b"o" * 16, "new", 0, (OpenProgramme(settings()), EnrolMember("anna"), earn), "till", "shop")
        (answer,) = running.execute([opening])
        assert isinstance(answer, Outcome)
        assert answer.answer == Receipt(3, (Balance("anna", "points", 5),))


def test_a_group_in_a_programme_that_was_never_opened_is_refused() -> None:
    with Running(ScriptedClock(0)) as running:
        group = Request(b"g" * 16, "new", 0, (EnrolMember("anna"), EnrolMember("bo")), "till", "shop")
        (answer,) = running.execute([group])
        assert isinstance(answer, Outcome)
        assert answer.answer == refuse(Reason.PROGRAMME_NOT_FOUND, programme="new", command=0)

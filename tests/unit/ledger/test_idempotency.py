"""The same command twice, the same grant twice, and commands that are only tried."""

import msgspec
import pytest

from ledger.commands import Earn
from ledger.errors import CommandIdReused
from ledger.events import Source
from ledger.quantities import Amount
from ledger.receipts import Outcome, Receipt
from tests.unit.ledger.desk import Desk, stored


def outcome(answer: object) -> Outcome:
    assert isinstance(answer, Outcome)
    return answer


def test_the_same_request_under_the_same_id_has_the_same_answer(desk: Desk) -> None:
    """Edge case 13: it happens once, however often it is sent."""
    first = desk.given("anna earns 100 for visit v1")
    before = stored(desk)
    again = desk.when("anna earns 100 for visit v1", number=desk.ids)
    assert (outcome(first.answer).repeated, outcome(again.answer).repeated) == (False, True)
    assert again.receipt == first.receipt
    assert (again.story, stored(desk)) == ([], before)


def test_the_answer_is_the_same_for_ever(desk: Desk) -> None:
    """Edge case 13: whatever happened since, and whoever answers."""
    first = desk.given("anna earns 100 for visit v1")
    number = desk.ids
    moment = desk.now
    desk.given("anna gives 60 to bo", "time passes to 2027-05-01", "anna earns 9")
    desk.running.restart()
    command, _ = desk.lines.read("anna earns 100 for visit v1")
    again = desk.send(command, at=moment, number=number)
    assert (again.receipt, again.story) == (first.receipt, [])


def test_another_request_under_the_same_id_is_an_error(desk: Desk) -> None:
    """Edge case 13."""
    desk.given("anna earns 100 for visit v1")
    number = desk.ids
    before = stored(desk)
    for line in ("anna earns 101 for visit v1", "bo earns 100 for visit v1", "anna gives 100 to bo"):
        assert isinstance(desk.when(line, number=number).answer, CommandIdReused)
    late = desk.when("anna earns 100 for visit v1 on 2025-12-31", number=number)
    assert isinstance(late.answer, CommandIdReused)
    other = desk.when("anna earns 100 for visit v1", number=number, channel="web")
    assert isinstance(other.answer, CommandIdReused)
    assert stored(desk) == before


def test_a_retry_may_come_from_another_process(desk: Desk) -> None:
    """Edge case 13: who sends it and what it is traced by do not tell two requests apart."""
    desk.opens()
    request = desk.request(desk.lines.read("anna earns 100")[0])
    (first,) = desk.running.execute([request])
    retry = msgspec.structs.replace(request, actor="till-2", correlation_id="c-77", trace=b"\x00" * 26)
    (again,) = desk.running.execute([retry])
    assert (outcome(again).answer, outcome(again).repeated) == (outcome(first).answer, True)


def test_a_refusal_is_stored_and_repeated(desk: Desk) -> None:
    """Edge case 13: also when the command would be accepted by now."""
    refused = desk.when("anna gives 10 to bo")
    assert refused.refused("INSUFFICIENT_POINTS")
    number = desk.ids
    desk.given("anna earns 100")
    again = desk.when("anna gives 10 to bo", number=number)
    assert again.refused("INSUFFICIENT_POINTS", wanted=10, spendable=0)
    assert outcome(again.answer).repeated
    desk.running.restart()
    assert desk.when("anna gives 10 to bo", number=number).refused("INSUFFICIENT_POINTS", spendable=0)
    assert desk.when("anna gives 10 to bo").accepted


def test_a_refused_id_cannot_be_used_for_something_else(desk: Desk) -> None:
    """Edge case 13."""
    desk.when("anna gives 10 to bo")
    assert isinstance(desk.when("anna gives 11 to bo", number=desk.ids).answer, CommandIdReused)


def test_the_same_id_twice_in_one_batch_is_answered_twice_and_done_once(desk: Desk) -> None:
    """Edge case 13."""
    desk.opens()
    earn, other = desk.lines.read("anna earns 100")[0], desk.lines.read("anna earns 7")[0]
    first = desk.request(earn)
    answers = desk.running.execute([first, desk.request(earn, number=desk.ids), desk.request(other, number=desk.ids)])
    assert outcome(answers[0]).answer == outcome(answers[1]).answer
    assert [outcome(answer).repeated for answer in answers[:2]] == [False, True]
    assert isinstance(answers[2], CommandIdReused)
    assert len(desk.running.memory.streams["club/member/anna"]) == 2


def test_bad_input_uses_up_no_id(desk: Desk) -> None:
    assert desk.when("anna earns 0 for visit v1", number=500).invalid("points.value")
    assert desk.when("anna earns 5 for visit v1", number=500).accepted


def test_one_source_grants_once_whoever_asks(desk: Desk) -> None:
    """Edge case 13: two command ids cannot credit one thing twice."""
    desk.given("anna earns 100 for review 77")
    then = desk.when("anna earns 100 for review 77")
    assert then.refused("SOURCE_ALREADY_USED", type="review", id="77", purpose="EARN")
    assert desk.when("bo earns 5 for review 77").refused("SOURCE_ALREADY_USED")
    assert desk.when("bo earns 5 for review 78").accepted
    assert desk.when("bo earns 5 for survey 77").accepted
    desk.running.restart()
    assert desk.when("cai earns 5 for review 77").refused("SOURCE_ALREADY_USED")


def test_one_source_may_grant_for_several_purposes(desk: Desk) -> None:
    desk.given("anna earns 100 for review 77")
    bonus = Earn("anna", Amount("points", 5), Source("review", "77", "PHOTO"))
    assert desk.send(bonus).balance("anna") == 105
    assert desk.send(bonus).refused("SOURCE_ALREADY_USED", purpose="PHOTO")


def test_the_purpose_of_earning_is_one_whether_or_not_it_is_named(desk: Desk) -> None:
    """Edge case 13: else a caller who names it would be credited a second time."""
    desk.given("anna earns 100 for review 77")
    named = Earn("anna", Amount("points", 100), Source("review", "77", "EARN"))
    assert desk.send(named).refused("SOURCE_ALREADY_USED", id="77", purpose="EARN")


def test_what_a_purchase_granted_for_cannot_be_granted_for_again(desk: Desk) -> None:
    """Edge case 13."""
    desk.given("anna buys tea 10.00 as o1")
    assert desk.when("anna earns 10 for order shop/o1").refused("SOURCE_ALREADY_USED", type="order", id="shop/o1")


def test_a_purchase_does_not_grant_again_what_was_granted_for(desk: Desk) -> None:
    """Edge case 13."""
    desk.given("anna earns 10 for order shop/o1")
    assert desk.when("anna buys tea 10.00 as o1").refused("SOURCE_ALREADY_USED", type="order", id="shop/o1")


def test_a_purchase_that_granted_nothing_leaves_its_source_free(desk: Desk) -> None:
    desk.given("anna buys bag 0.00 as o1")
    assert desk.when("anna earns 10 for order shop/o1").accepted


def test_a_purchase_that_grants_nothing_needs_no_source(desk: Desk) -> None:
    """It credits nothing twice, and the sale must not be lost."""
    desk.given("anna earns 10 for order shop/o1")
    assert desk.when("anna buys bag 0.00 as o1").accepted


def test_a_refused_grant_leaves_its_source_free(desk: Desk) -> None:
    assert desk.when("nemo earns 10 for review 77").refused("MEMBER_NOT_FOUND")
    assert desk.when("anna earns 10 for review 77").accepted


def test_sources_of_one_batch_are_told_apart(desk: Desk) -> None:
    desk.opens()
    requests = [desk.request(desk.lines.read(f"anna earns 1 for review {n}")[0]) for n in (1, 2, 1)]
    answers = desk.running.execute(requests)
    assert [type(outcome(answer).answer).__name__ for answer in answers] == ["Receipt", "Receipt", "Refusal"]


# -- commands that are only tried


@pytest.mark.parametrize(
    "line",
    ["anna earns 5 for visit v9", "anna gives 40 to bo", "anna gives 400 to bo", "anna buys tea 10.00 as o1"],
)
def test_trying_a_command_stores_nothing_and_uses_up_no_id(desk: Desk, line: str) -> None:
    desk.given("anna earns 100")
    before = stored(desk)
    command, _ = desk.lines.read(line)
    tried = outcome(desk.send(command, validate_only=True, number=900).answer)
    assert stored(desk) == before
    done = outcome(desk.send(command, number=900).answer)
    assert not done.repeated
    if isinstance(done.answer, Receipt):
        assert isinstance(tried.answer, Receipt)
        assert tried.answer.balances == done.answer.balances
    else:
        assert tried.answer == done.answer


def test_trying_states_the_balances_that_would_be(desk: Desk) -> None:
    desk.given("anna earns 100")
    command, _ = desk.lines.read("anna gives 40 to bo")
    balances = desk.send(command, validate_only=True).receipt.balances
    assert [(b.member, b.open) for b in balances] == [("anna", 60), ("bo", 40)]
    assert desk.when("anna gives 100 to bo").accepted


def test_trying_reports_bad_input_and_refusals(desk: Desk) -> None:
    desk.opens()
    assert desk.send(desk.lines.read("anna earns 0")[0], validate_only=True).invalid("points.value")
    assert desk.send(desk.lines.read("anna gives 1 to bo")[0], validate_only=True).refused("INSUFFICIENT_POINTS")


def test_trying_takes_no_notice_of_the_id(desk: Desk) -> None:
    desk.given("anna earns 100")
    command, _ = desk.lines.read("anna gives 40 to bo")
    assert desk.send(command, validate_only=True, number=desk.ids).accepted


def test_trying_reserves_no_source(desk: Desk) -> None:
    desk.opens()
    command, _ = desk.lines.read("anna earns 5 for review 77")
    assert desk.send(command, validate_only=True).accepted
    assert desk.send(command).accepted
    assert desk.send(command, validate_only=True).refused("SOURCE_ALREADY_USED")

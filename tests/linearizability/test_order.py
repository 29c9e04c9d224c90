"""The check of the log's order can fail, too: each kind of disagreement is found, and told from what is all right."""

import pytest

from tests.linearizability.history import Operation
from tests.linearizability.order import Recorded, find_problems
from tests.linearizability.specification import Accepted, Balance, Earn, ReadBalance, Refused, State, Transfer, apply

GRANT, MORE, SPEND = Earn("anna", 10, "order-1"), Earn("anna", 5, "order-2"), Transfer("anna", "bo", 10)
TOO_FEW = Refused("INSUFFICIENT_POINTS", 0)


def op(name: str, invoked: int, returned: int | None, call: object, answer: object = None, at: int = 0) -> Operation:
    """A command from one moment to another, recorded at a position where it was accepted."""
    return Operation(name, "pair", call, invoked, returned, answer, at)


def left(open_: int) -> Accepted:
    """It was done, and anna has so much left."""
    return Accepted(frozenset({Balance("anna", open_, 0)}))


def read(invoked: int, returned: int, points: int, at: int, asked: int = 0) -> Operation:
    """Anna's points as a view showed them."""
    return Operation("", "pair", ReadBalance("anna"), invoked, returned, Balance("anna", points, 0), at, asked)


def problems(log: str, *operations: Operation) -> list[str]:
    """What is wrong with operations and a log, given as the names of commands, an event each, from position 1 on."""
    events = [Recorded(position, name) for position, name in enumerate(log.split(), 1)]
    return find_problems(operations, events, State(), apply, Accepted)


FIRST = op("a", 0, 10, GRANT, left(10), at=1)
SECOND = op("b", 20, 30, MORE, left(15), at=2)


# -- what is all right


def test_an_order_that_agrees_with_everything_has_no_problems() -> None:
    """Two grants, a refusal before them, a read between them, one at the end."""
    early = op("r", 1, 9, SPEND, TOO_FEW)
    assert problems("a b", FIRST, SECOND, early, read(25, 26, 10, at=1), read(40, 41, 15, at=2, asked=2)) == []


def test_an_open_command_may_be_recorded_or_not() -> None:
    """Nobody was told, and both is right."""
    open_ = op("o", 5, None, SPEND)
    assert problems("a", FIRST, open_) == []
    assert problems("a o o", FIRST, open_) == []


def test_a_read_may_be_behind_what_was_not_asked_for() -> None:
    """Without `min_position`, a view may show what was, as long as it says so (edge case 30)."""
    assert problems("a b", FIRST, SECOND, read(40, 41, 10, at=1), read(42, 43, 0, at=0)) == []


def test_a_refusal_may_come_before_all_commands_but_behind_what_a_view_had_come_to() -> None:
    """The log did not begin with this history: a read found it at a position that holds none of its commands."""
    events = [Recorded(8, "a")]
    begun = [read(0, 1, 0, at=7), op("r", 2, 3, SPEND, TOO_FEW), op("a", 4, 5, GRANT, left(10), at=8)]
    assert find_problems(begun, events, State(), apply, Accepted) == []


# -- what must be found out


def test_a_refusal_that_only_a_later_command_explains_is_found() -> None:
    """It was answered before the command was sent that used the source up."""
    early = op("r", 0, 1, GRANT, Refused("SOURCE_ALREADY_USED"))
    assert ["at no time" in problem for problem in problems("a", early, op("a", 4, 5, GRANT, left(10), at=1))] == [True]


@pytest.mark.parametrize(
    ("log", "operations", "words"),
    [
        ("a", [FIRST, SECOND], "and lost"),
        ("a b", [op("a", 0, 10, GRANT, left(10), at=2), SECOND], "recorded at 1"),
        ("a r", [FIRST, op("r", 20, 30, SPEND, TOO_FEW)], "recorded all the same"),
        ("a b a", [op("a", 0, 10, GRANT, left(10), at=3), SECOND], "more than one place"),
        ("a x", [FIRST], "nobody sent it"),
    ],
    ids=["lost", "elsewhere", "refused", "twice", "nobody's"],
)
def test_a_log_that_does_not_hold_what_was_answered_is_found(log: str, operations: list[Operation], words: str) -> None:
    """An answer given and lost, recorded elsewhere, refused and done, done twice, done for nobody."""
    assert any(words in problem for problem in problems(log, *operations))


def test_a_log_against_real_time_is_found() -> None:
    """The first grant was answered before the second was sent, but stands behind it; the answers would fit."""
    earlier, later = op("a", 0, 10, GRANT, left(15), at=2), op("b", 20, 30, MORE, left(5), at=1)
    assert ["sent after its answer" in problem for problem in problems("b a", earlier, later)] == [True]


def test_an_answer_that_the_order_does_not_explain_is_found() -> None:
    """Two grants at the same time, one of which was not seen by the other: a lost update."""
    found = problems("a b", FIRST, op("b", 0, 30, MORE, left(5), at=2))
    assert ["was due" in problem for problem in found] == [True]


def test_an_open_command_that_should_have_been_refused_is_found() -> None:
    """Nobody was told, but it stands in the log, where there were no points for it."""
    assert ["was due" in problem for problem in problems("o", op("o", 0, None, SPEND))] == [True]


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (read(40, 41, 15, at=1), "was due"),
        (read(40, 41, 10, at=1, asked=2), "where 2 was asked for"),
        (read(11, 12, 15, at=2), "before that was asked for"),
    ],
    ids=["wrong", "stale", "early"],
)
def test_a_read_that_its_position_does_not_explain_is_found(shown: Operation, words: str) -> None:
    """Other points than at that position, a position before the one asked for, and one from the future."""
    found = problems("a b", FIRST, SECOND, shown)
    assert [words in problem for problem in found] == [True]


def test_a_refusal_that_was_never_due_is_found() -> None:
    """It was asked after the grant was answered: there were points all the time."""
    assert ["at no time" in problem for problem in problems("a", FIRST, op("r", 20, 30, SPEND, TOO_FEW))] == [True]


def test_refusals_that_contradict_each_other_in_time_are_found() -> None:
    """Each could have been right while the grant was under way, but the later one knows less than the earlier one."""
    grant = op("a", 0, 100, GRANT, left(10), at=1)
    used, few = op("u", 10, 20, GRANT, Refused("SOURCE_ALREADY_USED")), op("f", 30, 40, SPEND, TOO_FEW)
    assert problems("a", grant, used) == problems("a", grant, few) == []
    assert ["at no time" in problem for problem in problems("a", grant, used, few)] == [True]


def test_a_refusal_behind_what_a_read_has_shown_is_found() -> None:
    """A view had the grant before the refusal was asked for, so the ledger had it, too."""
    grant, few = op("a", 0, 100, GRANT, left(10), at=1), op("f", 30, 40, SPEND, TOO_FEW)
    assert ["at no time" in problem for problem in problems("a", grant, few, read(10, 20, 10, at=1))] == [True]

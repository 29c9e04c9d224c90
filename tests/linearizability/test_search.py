"""The search can fail: histories that no ledger could have given are found out, those that one could are explained."""

import random

import pytest

from tests.linearizability.history import Operation
from tests.linearizability.search import NotLinearizable, Undecided, find_order
from tests.linearizability.specification import (
    Accepted,
    Balance,
    Capture,
    Earn,
    Hold,
    Lock,
    ReadBalance,
    Receive,
    Refused,
    Ship,
    State,
    Transfer,
    apply,
)


def op(invoked: int, returned: int | None, call: object, answer: object = None) -> Operation:
    """An operation from one moment to another; without an answer, an open one."""
    return Operation(str(call), "pair", call, invoked, returned, answer)


def left(open_: int, held: int = 0, member: str = "anna") -> Accepted:
    """It was done, and one member has so much left."""
    return Accepted(frozenset({Balance(member, open_, held)}))


def order(*operations: Operation) -> list[object]:
    """The calls in an order that explains the answers."""
    return [operation.call for operation in find_order(operations, State(), apply)]


E10, E5, ALL = Earn("anna", 10, "order-1"), Earn("anna", 5, "order-2"), Transfer("anna", "bo", 10)
MOVED = Accepted(frozenset({Balance("anna", 0, 0), Balance("bo", 10, 0)}))


# -- what must be found out


def test_a_lost_update_is_found() -> None:
    """Two grants at the same time; both say what is left without the other."""
    with pytest.raises(NotLinearizable, match=r"answered .*open=5.* where .*open=15"):
        order(op(0, 10, E10, left(10)), op(1, 9, E5, left(5)))


def test_a_stale_answer_is_found() -> None:
    """A read that was asked after a grant was answered, and does not know of it."""
    with pytest.raises(NotLinearizable):
        order(op(0, 1, E10, left(10)), op(2, 3, ReadBalance("anna"), Balance("anna", 0, 0)))


def test_a_read_that_goes_back_is_found() -> None:
    """The grant may have taken place at any time, but not have been undone between two reads."""
    with pytest.raises(NotLinearizable):
        order(
            op(0, 9, E10, left(10)),
            op(1, 2, ReadBalance("anna"), Balance("anna", 10, 0)),
            op(3, 4, ReadBalance("anna"), Balance("anna", 0, 0)),
        )


def test_points_spent_twice_are_found() -> None:
    """The last points cannot be both moved and held."""
    with pytest.raises(NotLinearizable):
        order(op(0, 1, E10, left(10)), op(2, 9, ALL, MOVED), op(3, 8, Hold("anna", "h", 10), left(0, 10)))


def test_units_sold_twice_are_found() -> None:
    """One unit, two locks."""
    with pytest.raises(NotLinearizable):
        order(op(0, 1, Receive(1), Accepted()), op(2, 9, Lock("a", 1), Accepted()), op(3, 8, Lock("b", 1), Accepted()))


def test_a_command_done_twice_is_found() -> None:
    """One grant of ten, and then there are twenty."""
    with pytest.raises(NotLinearizable):
        order(op(0, 1, E10, left(10)), op(2, 3, ReadBalance("anna"), Balance("anna", 20, 0)))


def test_a_source_credited_twice_is_found() -> None:
    """Two commands for one source, both accepted."""
    with pytest.raises(NotLinearizable):
        order(op(0, 9, E10, left(10)), op(1, 8, E10, left(20)))


def test_an_answer_given_but_lost_is_found() -> None:
    """The hold was acknowledged; after the crash nobody knows it."""
    with pytest.raises(NotLinearizable):
        order(
            op(0, 1, E10, left(10)),
            op(2, 3, Hold("anna", "h", 4), left(6, 4)),
            op(4, 5, Capture("anna", "h", 4), Refused("HOLD_NOT_FOUND")),
        )


def test_a_refusal_without_a_reason_is_found() -> None:
    """Enough points at all times, and refused all the same."""
    with pytest.raises(NotLinearizable):
        order(op(0, 1, E10, left(10)), op(2, 3, ALL, Refused("INSUFFICIENT_POINTS", 0)))


def test_an_open_operation_takes_place_once_at_most() -> None:
    """Nobody knows whether the grant was done, but it was not done twice."""
    with pytest.raises(NotLinearizable):
        order(op(0, None, E10), op(1, 2, ReadBalance("anna"), Balance("anna", 20, 0)))


def test_an_open_operation_takes_place_only_after_it_was_sent() -> None:
    """Nothing is explained by what was sent later."""
    with pytest.raises(NotLinearizable):
        order(op(0, 1, ReadBalance("anna"), Balance("anna", 10, 0)), op(2, None, E10))


def test_a_search_without_end_is_given_up() -> None:
    """No answer is not taken for the answer that all is well."""
    with pytest.raises(Undecided):
        find_order([op(0, 1, E10, left(10)), op(2, 3, E5, left(15))], State(), apply, steps_max=1)


# -- what must be explained


def test_concurrent_operations_are_ordered_by_their_answers() -> None:
    """The one that was asked last took place first."""
    assert order(op(0, 10, E10, left(15)), op(1, 9, E5, left(5))) == [E5, E10]


def test_a_refusal_may_come_before_a_grant_at_the_same_time() -> None:
    """It was answered later, but nothing says that it took place later."""
    refused = Refused("INSUFFICIENT_POINTS", 0)
    assert order(op(0, 5, E10, left(10)), op(1, 9, ALL, refused)) == [ALL, E10]


def test_an_open_operation_may_have_taken_place() -> None:
    """The transfer was never answered, but the points are there, long after."""
    history = [op(0, 1, E10, left(10)), op(2, None, ALL), op(30, 31, ReadBalance("bo"), Balance("bo", 10, 0))]
    assert order(*history) == [E10, ALL, ReadBalance("bo")]


def test_an_open_operation_may_never_take_place() -> None:
    """The same, and the points are not there."""
    history = [op(0, 1, E10, left(10)), op(2, None, ALL), op(3, 4, ReadBalance("bo"), Balance("bo", 0, 0))]
    assert order(*history) == [E10, ReadBalance("bo")]


def test_an_open_operation_may_take_place_late() -> None:
    """After a read that did not see it, before another one that did."""
    before, after = ReadBalance("anna"), ReadBalance("bo")
    history = [
        op(0, 1, E10, left(10)),
        op(2, None, ALL),
        op(3, 4, before, Balance("anna", 10, 0)),
        op(5, 6, after, Balance("bo", 10, 0)),
    ]
    assert order(*history) == [E10, before, ALL, after]


def test_an_id_may_be_used_again_after_its_hold_ended() -> None:
    """Ids of holds are unique while they are open."""
    hold, capture = Hold("anna", "h", 4), Capture("anna", "h", 4)
    history = [
        op(0, 1, E10, left(10)),
        op(2, 3, hold, left(6, 4)),
        op(4, 5, capture, left(6)),
        op(6, 7, hold, left(2, 4)),
    ]
    assert order(*history) == [E10, hold, capture, hold]


def test_a_wrong_guess_is_taken_back() -> None:
    """Four grants at once: only one order in twenty-four gives these answers."""
    grants = [(Earn("anna", points, f"order-{points}")) for points in (1, 2, 4, 8)]
    totals = {8: 8, 1: 9, 4: 13, 2: 15}
    history = [op(place, 20 + place, grant, left(totals[grant.points])) for place, grant in enumerate(grants)]
    assert order(*history) == [grants[3], grants[0], grants[2], grants[1]]


def test_the_order_of_the_log_is_a_guess_and_proves_nothing() -> None:
    """Two grants whose positions say the contrary of their answers: the answers count."""
    first, second = op(0, 10, E10, left(15)), op(1, 9, E5, left(5))
    first.position, second.position = 1, 2
    assert order(first, second) == [E5, E10]


@pytest.mark.parametrize("seed", range(20))
def test_what_one_ledger_did_is_explained_and_a_changed_answer_is_not(seed: int) -> None:
    """Random calls take effect one by one, each at a moment between its begin and its end; some have no answer."""
    numbers = random.Random(seed)
    calls = [ALL, Hold("anna", "h", 3), Capture("anna", "h", 2), Lock("l", 1), Ship("l"), Receive(1)]
    state, history = State(), []
    for moment in range(100):
        grant = E10._replace(source=str(numbers.randrange(50)))
        call = numbers.choice([grant, *calls])
        state, answer = apply(state, call)
        begin, end = 100 * moment - numbers.randrange(400), 100 * moment + numbers.randrange(1, 400)
        history.append(op(begin, None, call) if moment % 30 == 29 else op(begin, end, call, answer))
    assert find_order(history, State(), apply)
    accepted = [operation for operation in history if isinstance(operation.answer, Accepted)]
    accepted[-1].answer = left(10_000)
    with pytest.raises(NotLinearizable):
        find_order(history, State(), apply)

"""Copies of states: those that groups decide on, and those that are restored from snapshots."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ledger.quantities import Amount
from ledger.settings import Activity, Clawback, Inactivity, LotAge, PointUnit
from ledger.states.lots import Lots
from ledger.states.queues import Quarantine, Queue
from tests.unit.ledger.desk import Desk

PROGRAMME: dict[str, Any] = {
    "expiry": Inactivity(12, tuple(Activity)),
    "units": (PointUnit("points"), PointUnit("stars", 0, LotAge(12))),
    "transfer_caps": (Amount("points", 500),),
    "clawback": Clawback.ALLOW_DEBT,
    "hold_seconds": 60 * 86_400,
}

MEMBERS = (
    "anna earns 100 costing 1/200",
    "anna earns 60 stars expiring 2026-09-30",
    "anna earns 30 available 2026-03-01",
    "anna earns 40 for order 7 waiting",
    "anna holds 70 as h1",
    "anna holds 10 stars as h2",
    "anna gives 20 to bo",
    "bo earns 50",
    "time passes to 2026-01-20",
    "bo gives 65 to cai",
    "bo is frozen for review in case c1",
    "bo earns 25",
    "bo earns 5 available 2026-02-20",
    "anna captures 30 of h1",
    "order 7 of anna is activated",
    "bo earns 9 stars expiring 2026-06-30",
    "time passes to 2026-02-10",
    "lots anna:2 of anna live until 2026-12-31 for goodwill",
    "bo is free again for cleared in case c1",
    "anna buys tea 60.00 as o1 paying 50 points worth 0.50, cash 59.50",
    "anna gives 90 to cai",
    "time passes to 2026-03-05",
    "anna releases h2",
    "all of o1 comes back as f1",
    "anna loses 5 because of error",
    "what is due for anna by 2026-03-05 is posted",
    "anna gives 12 to bo",
    "cai leaves for good",
    "anna earns 1",
)

GOODS = (
    "mug@shop receives 5 at 3.00",
    "mug@depot receives 4 at 3.33",
    "goods come from shop, depot, far: town shop 4, town depot 2",
    "reward mug costs 30 and 2.00 of mug",
    "reward spa costs 20",
    "anna earns 400",
    "anna redeems mug x3 as r1 to town paying cash 6.00",
    "mug@shop locks 2 as k1",
    "1 of r1 are fulfilled",
    "anna redeems mug as r2 paying coupon 2.00",
    "mug@shop ships k1",
    "1 of r1 are cancelled",
    "mug@shop counts 3",
    "reward mug costs 35 and 2.00 of mug since 2026-02-01",
    "mug@shop sends 1 to depot",
    "mug@shop receives 2 at 4.50",
    "r2 is cancelled",
    "time passes to 2026-02-02",
    "anna redeems mug as r3 to town paying cash 2.00",
    "mug@depot is discontinued",
    "anna redeems spa as r4",
    "r1 is fulfilled",
    "r3 is fulfilled",
    "mug@depot counts 0",
    "mug@depot receives 1 at 1.00",
    "mug is discontinued",
)

CORRECTIONS = (
    "anna earns 100 expiring 2026-06-30",
    "3 of command 5 is reversed",
    "anna buys tea 10.00, mug x3 30.00 as o1 paying cash 40.00",
    "#1 x1 of o1 comes back as f1",
    "2 of command 6 is reversed",
    "#1 x1 of o1 comes back as f2",
    "1 of command 6 is reversed",
    "all of o1 comes back as f3",
    "command 5 is reversed",
)


def cloned(state: Any) -> Any:
    return state.clone()


def restored(state: Any) -> Any:
    """Members and stock come back from a snapshot's bytes; other states have none."""
    if not hasattr(state, "Image"):
        return state.clone()
    return type(state).restore(msgspec.msgpack.decode(msgspec.msgpack.encode(state.image()), type=state.Image))


def seen(value: Any) -> Any:
    """All that a state knows, down to values that never change."""
    if isinstance(value, dict):
        return {key: seen(known) for key, known in value.items()}
    if hasattr(value, "evolve") or isinstance(value, Lots | Queue | Quarantine):
        return [(name, seen(getattr(value, name))) for name in type(value).__slots__]
    return value


@pytest.mark.parametrize("lines", [MEMBERS, GOODS, CORRECTIONS], ids=["members", "goods", "corrections"])
@pytest.mark.parametrize("copied", [cloned, restored])
def test_a_ledger_that_goes_on_with_copies_makes_the_same_log(
    desk: Desk, copied: Callable[[Any], Any], lines: tuple[str, ...]
) -> None:
    """Edge case 21: what a copy decides is what the state would have decided; what it folds leaves the state alone."""
    with_copies = Desk()
    try:
        for one in (desk, with_copies):
            one.opens(**PROGRAMME)
        states = with_copies.running.writer.cache.loaded
        for line in lines:
            left = dict(states)
            before = {stream: seen(state) for stream, state in left.items()}
            for stream, state in left.items():
                states[stream] = copied(state)
            expected, found = desk.given(line), with_copies.given(line)
            assert found.records == expected.records, line
            assert {stream: seen(state) for stream, state in left.items()} == before, line
    finally:
        with_copies.close()

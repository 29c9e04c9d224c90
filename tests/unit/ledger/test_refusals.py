"""What a refusal tells its caller: the reason, and exactly these facts (style: errors are data with their source)."""

from typing import Any

import pytest

from ledger.quantities import VALUE_MAX
from ledger.receipts import Outcome
from ledger.refusals import Refusal
from tests.unit.ledger.desk import Desk

BEFORE = (
    "anna earns 100 for visit 1 expiring 2026-03-31",
    "anna earns 50 for visit 2 waiting",
    "anna earns 10 stars",
    "anna holds 20 as h1 until 2026-01-02",
    "cai earns 10",
    "cai is frozen for review",
    "dee joins",
    "dee leaves for good",
    "mug@shop receives 5 at 3.00",
    "reward mug costs 30 from mug@shop listed at 40.00 instead cup spa",
    "reward cup costs 10 instead spa is suspended",
    "anna redeems mug as r1",
    "mug@shop locks 2 as k1 until 2026-01-02",
    "anna buys tea x2 10.00 as o1",
    "#0 x1 of o1 comes back as f1",
)
"""Anna has 55 points that she can spend, 50 that wait, and 50 in two holds; two mugs of five are free."""

OPENED, YESTERDAY = "2026-01-01 12:00", "2025-12-31 12:00"
EARLY = {"occurred_at": YESTERDAY, "earliest": OPENED}
SHORT = {"member": "anna", "unit": "points", "wanted": 500, "spendable": 55}
MUGS = {"sku": "mug", "location": "shop"}

REFUSALS: list[tuple[str, str, dict[str, Any]]] = [
    # Members
    ("anna joins", "MEMBER_EXISTS", {"member": "anna"}),
    ("anna gives 5 to anna", "SAME_MEMBER", {"member": "anna"}),
    ("anna gives 5 to zoe", "MEMBER_NOT_FOUND", {"member": "zoe"}),
    ("anna gives 5 to cai", "ACCOUNT_FROZEN", {"member": "cai"}),
    ("cai is frozen for more", "ACCOUNT_FROZEN", {"member": "cai"}),
    ("cai buys tea 0.05 as o2 paying 5 points worth 0.05", "ACCOUNT_FROZEN", {"member": "cai"}),
    ("anna is free again for more", "ACCOUNT_NOT_FROZEN", {"member": "anna"}),
    ("dee earns 5", "ACCOUNT_CLOSED", {"member": "dee"}),
    ("anna leaves for good", "HOLDS_OPEN", {"member": "anna", "open": 2, "holds": ["h1", "redemption:r1"]}),
    # Points
    ("anna gives 500 to bo", "INSUFFICIENT_POINTS", SHORT),
    ("anna loses 500 because of error", "INSUFFICIENT_POINTS", SHORT),
    (
        f"anna earns {VALUE_MAX}",
        "LIMIT_EXCEEDED",
        {"member": "anna", "unit": "points", "owned": 155, "limit": VALUE_MAX},
    ),
    ("anna loses 5 of lot 99 because of error", "GRANT_NOT_FOUND", {"member": "anna", "lot": "anna:99"}),
    ("anna holds 5 as h1", "HOLD_EXISTS", {"hold": "h1"}),
    ("anna releases h9", "HOLD_NOT_FOUND", {"hold": "h9"}),
    ("anna captures h9", "HOLD_NOT_FOUND", {"hold": "h9"}),
    ("anna buys tea 0.20 as o2 paying 20 points of h9 worth 0.20", "HOLD_NOT_FOUND", {"hold": "h9"}),
    ("anna captures 21 of h1", "QUANTITY_EXCEEDED", {"hold": "h1", "wanted": 21, "left": 20}),
    ("anna captures h1 on 2025-12-31", "OUT_OF_ORDER", EARLY),
    ("anna releases h1 on 2025-12-31", "OUT_OF_ORDER", EARLY),
    (
        "anna captures h1 on 2026-01-02",
        "HOLD_EXPIRED",
        {"hold": "h1", "expired_at": "2026-01-02 12:00"},
    ),
    (
        "anna buys tea 0.20 as o2 paying 20 points of h1 worth 0.20 on 2026-01-02",
        "HOLD_EXPIRED",
        {"hold": "h1", "expired_at": "2026-01-02 12:00"},
    ),
    # Lives of lots
    (
        "visit 9 of anna is activated",
        "NOTHING_AWAITS",
        {"member": "anna", "type": "visit", "id": "9", "purpose": "EARN"},
    ),
    ("lots anna:1 of anna are activated", "NOTHING_AWAITS", {"member": "anna", "lot": "anna:1"}),
    ("visit 2 of anna is activated on 2025-12-31", "NOTHING_AWAITS", {"member": "anna", "lot": "anna:2"}),
    ("lots anna:9 of anna live until 2026-12-31 for care", "LOT_NOT_FOUND", {"member": "anna", "lot": "anna:9"}),
    (
        "lots anna:1 of anna live until 2026-02-01 for care",
        "EXPIRY_NOT_LATER",
        {"lot": "anna:1", "expires_at": "2026-04-01 00:00"},
    ),
    (
        "lots anna:1 of anna live until 2026-12-31 for care on 2026-04-01 00:00",
        "LOT_EXPIRED",
        {"lot": "anna:1", "expired_at": "2026-04-01 00:00"},
    ),
    # Orders and corrections
    ("anna buys tea 1.00 as o1", "ORDER_ALREADY_RECORDED", {"order": "o1", "channel": "shop"}),
    ("all of o9 comes back as f9", "ORDER_NOT_FOUND", {"order": "o9"}),
    ("all of o1 comes back as f1", "REFUND_EXISTS", {"refund": "f1"}),
    ("all of o1 comes back as f2 on 2025-12-31", "OUT_OF_ORDER", EARLY),
    ("#0 x2 of o1 comes back as f2", "QUANTITY_EXCEEDED", {"order": "o1", "line": 0, "wanted": 2, "left": 1}),
    ("command 999 is reversed", "COMMAND_NOT_FOUND", {"target": f"{999:032x}"}),
    ("command 18 is reversed", "NOT_REVERSIBLE", {"use": "RefundPurchase"}),
    ("command 16 is reversed", "NOT_REVERSIBLE", {"use": "Cancel"}),
    ("101 of command 5 is reversed", "REVERSAL_EXCEEDS_COMMAND", {"wanted": 101, "left": 100}),
    ("command 5 is reversed on 2025-12-31", "OUT_OF_ORDER", EARLY),
    # Redemptions
    ("anna redeems mug as r1", "REDEMPTION_EXISTS", {"redemption": "r1"}),
    ("anna redeems pot as r2", "REWARD_NOT_FOUND", {"reward": "pot"}),
    (
        "anna redeems cup as r2",
        "REWARD_UNAVAILABLE",
        {"reward": "cup", "status": "SUSPENDED", "substitutes": ["spa"]},
    ),
    (
        "anna redeems mug as r2 expecting 29 paying cash 0.01",
        "PRICE_CHANGED",
        {"points": 30, "unit": "points", "cash": 0, "paid": 1},
    ),
    (
        "anna redeems mug x4 as r2",
        "OUT_OF_STOCK",
        MUGS
        | {"wanted": 4, "available": 2, "substitutes": ["cup", "spa"]}
        | {"quote_points": 55, "quote_unit": "points", "quote_cash": 15_945},
    ),
    ("r9 is fulfilled", "REDEMPTION_NOT_FOUND", {"redemption": "r9"}),
    ("2 of r1 are fulfilled", "QUANTITY_EXCEEDED", {"redemption": "r1", "wanted": 2, "left": 1}),
    ("r1 is fulfilled on 2025-12-31", "OUT_OF_ORDER", EARLY),
    (
        "r1 is fulfilled on 2026-01-08",
        "HOLD_EXPIRED",
        {"hold": "redemption:r1", "expired_at": "2026-01-08 12:00"},
    ),
    # Stock
    ("mug@shop locks 1 as k1", "LOCK_EXISTS", {"lock": "k1"}),
    ("mug@shop ships k9", "LOCK_NOT_FOUND", {"lock": "k9"}),
    ("mug@shop ships k1 on 2025-12-31", "OUT_OF_ORDER", EARLY),
    ("mug@shop ships k1 on 2026-01-02", "LOCK_EXPIRED", {"lock": "k1", "expired_at": "2026-01-02 12:00"}),
    ("mug@shop locks 3 as k2", "OUT_OF_STOCK", MUGS | {"wanted": 3, "available": 2, "substitutes": []}),
    ("mug@shop sends 3 to depot", "OUT_OF_STOCK", MUGS | {"wanted": 3, "available": 2, "substitutes": []}),
    ("mug@shop sends 1 to shop", "SAME_LOCATION", MUGS),
    ("mug@shop counts 1 on 2025-12-31", "OUT_OF_ORDER", EARLY),
    ("mug@shop receives 1000000000", "LIMIT_EXCEEDED", {"sku": "mug", "owned": 5, "limit": 10**9}),
    (
        "mug@shop receives 1 at 9999999999999.99",
        "LIMIT_EXCEEDED",
        {"sku": "mug", "owned": 1_500, "limit": VALUE_MAX},
    ),
    # Programmes and time
    ("the clock is set to 2026-02-01", "CLOCK_NOT_MANUAL", {"programme": "club"}),
    ("anna earns 5 on 2024-12-31", "TOO_FAR_BACK", {"occurred_at": "2024-12-31 12:00", "now": OPENED}),
    ("anna earns 5 on 2026-01-02", "IN_THE_FUTURE", {"occurred_at": "2026-01-02 12:00", "now": OPENED}),
]


@pytest.mark.parametrize(("line", "reason", "facts"), REFUSALS, ids=[line for line, _, _ in REFUSALS])
def test_a_refusal_states_exactly_its_facts(desk: Desk, line: str, reason: str, facts: dict[str, Any]) -> None:
    """Edge cases 8, 20, 25 and 26: clients branch on the reason and show the facts; no more, no fewer."""
    desk.given(*BEFORE)
    text, _, day = line.partition(" on ")
    if day > "2026-01-01" and reason != "IN_THE_FUTURE":
        desk.given(f"time passes to {day}")
        line = text
    assert told(desk, line) == (reason, instants(desk, facts))


@pytest.mark.parametrize(
    ("before", "line", "reason", "facts"),
    [
        ("all of o1 comes back as f2", "all of o1 comes back as f3", "QUANTITY_EXCEEDED", {"order": "o1", "left": 0}),
        ("r1 is cancelled", "r1 is fulfilled", "REDEMPTION_CLOSED", {"redemption": "r1", "state": "CANCELLED"}),
        ("mug@shop is discontinued", "mug@shop is discontinued", "STOCK_DISCONTINUED", MUGS),
        (
            "mug@shop is discontinued",
            "mug@shop locks 1 as k2",
            "STOCK_DISCONTINUED",
            MUGS | {"wanted": 1, "available": 2, "substitutes": []},
        ),
        (
            "mug@shop counts 1",
            "mug@shop ships k1",
            "OUT_OF_STOCK",
            MUGS | {"wanted": 2, "available": 1, "substitutes": []},
        ),
    ],
)
def test_a_refusal_states_what_became_of_what_was_there(
    desk: Desk, before: str, line: str, reason: str, facts: dict[str, Any]
) -> None:
    desk.given(*BEFORE, before)
    assert told(desk, line) == (reason, instants(desk, facts))


def test_a_transfer_whose_points_expired_is_not_reversed(desk: Desk) -> None:
    """Edge case 10: it goes back out of the lots that it made, as far as they live."""
    desk.given("bo earns 5 expiring 2026-01-31", "bo earns 7 expiring 2026-03-31", "bo gives 12 to anna")
    desk.given("time passes to 2026-02-01 00:00")
    facts = {"member": "anna", "unit": "points", "wanted": 12, "spendable": 7}
    assert told(desk, f"command {desk.ids} is reversed") == ("INSUFFICIENT_POINTS", facts)


def told(desk: Desk, line: str) -> tuple[str, dict[str, Any]]:
    answer = desk.when(line).answer
    assert isinstance(answer, Outcome)
    assert isinstance(answer.answer, Refusal), answer.answer
    return answer.answer.reason.value, answer.answer.facts


def instants(desk: Desk, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts, with the times of day among them as instants."""
    times = ("occurred_at", "earliest", "expired_at", "expires_at", "now")
    return {name: desk.lines.moment(value) if name in times else value for name, value in facts.items()}

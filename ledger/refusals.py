"""Refusals: commands that the rules do not allow.

A refusal is a value; it is stored and answered again like an acceptance. The reasons are a stable list: clients branch
on them. Bad input is not here: it raises `InvalidCommand` and stores nothing.
"""

from enum import StrEnum
from typing import Any

import msgspec


class Reason(StrEnum):
    """Why a command was refused."""

    PROGRAMME_NOT_FOUND = "PROGRAMME_NOT_FOUND"
    PROGRAMME_EXISTS = "PROGRAMME_EXISTS"
    LATER_CHANGE_EXISTS = "LATER_CHANGE_EXISTS"
    CLOCK_NOT_MANUAL = "CLOCK_NOT_MANUAL"
    CLOCK_MOVED_BACK = "CLOCK_MOVED_BACK"
    IN_THE_FUTURE = "IN_THE_FUTURE"
    TOO_FAR_BACK = "TOO_FAR_BACK"
    MEMBER_NOT_FOUND = "MEMBER_NOT_FOUND"
    MEMBER_EXISTS = "MEMBER_EXISTS"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    ACCOUNT_NOT_FROZEN = "ACCOUNT_NOT_FROZEN"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    HOLDS_OPEN = "HOLDS_OPEN"
    SAME_MEMBER = "SAME_MEMBER"
    INSUFFICIENT_POINTS = "INSUFFICIENT_POINTS"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    CAP_EXCEEDED = "CAP_EXCEEDED"
    LOT_NOT_FOUND = "LOT_NOT_FOUND"
    LOT_EXPIRED = "LOT_EXPIRED"
    NOTHING_AWAITS = "NOTHING_AWAITS"
    EXPIRY_NOT_LATER = "EXPIRY_NOT_LATER"
    SOURCE_ALREADY_USED = "SOURCE_ALREADY_USED"
    ORDER_ALREADY_RECORDED = "ORDER_ALREADY_RECORDED"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    REFUND_EXISTS = "REFUND_EXISTS"
    GRANT_NOT_FOUND = "GRANT_NOT_FOUND"
    COMMAND_NOT_FOUND = "COMMAND_NOT_FOUND"
    NOT_REVERSIBLE = "NOT_REVERSIBLE"
    REVERSAL_EXCEEDS_COMMAND = "REVERSAL_EXCEEDS_COMMAND"
    HOLD_EXISTS = "HOLD_EXISTS"
    HOLD_NOT_FOUND = "HOLD_NOT_FOUND"
    HOLD_EXPIRED = "HOLD_EXPIRED"
    REWARD_NOT_FOUND = "REWARD_NOT_FOUND"
    REWARD_UNAVAILABLE = "REWARD_UNAVAILABLE"
    PRICE_CHANGED = "PRICE_CHANGED"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    REDEMPTION_EXISTS = "REDEMPTION_EXISTS"
    REDEMPTION_NOT_FOUND = "REDEMPTION_NOT_FOUND"
    REDEMPTION_CLOSED = "REDEMPTION_CLOSED"
    LOCK_EXISTS = "LOCK_EXISTS"
    LOCK_NOT_FOUND = "LOCK_NOT_FOUND"
    LOCK_EXPIRED = "LOCK_EXPIRED"
    OUT_OF_ORDER = "OUT_OF_ORDER"
    QUANTITY_EXCEEDED = "QUANTITY_EXCEEDED"
    STOCK_DISCONTINUED = "STOCK_DISCONTINUED"
    SAME_LOCATION = "SAME_LOCATION"


NOT_STORED = frozenset({Reason.PRICE_CHANGED})
"""A stale quote uses up no command id: the caller shows the new price and sends the same command again."""


class Refusal(msgspec.Struct, frozen=True):
    """A command that was refused, and the facts that say why: plain names to strings, integers or lists of strings."""

    reason: Reason
    facts: dict[str, Any] = {}


def refuse(reason: Reason, **facts: Any) -> Refusal:
    """A refusal with its facts as keywords."""
    return Refusal(reason, facts)

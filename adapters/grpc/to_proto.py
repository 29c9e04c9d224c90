"""The ledger's answers to the messages of the contract: receipts, refusals, errors of a batch."""

from collections.abc import Sequence
from typing import Any

from adapters.grpc.enums import REASON_VALUE, TENDER_VALUE
from adapters.grpc.faults import Denied, fault_of
from adapters.grpc.positions import position_token
from adapters.grpc.views_to_proto import timestamp
from ledger.errors import LedgerError
from ledger.ids import decode_id
from ledger.receipts import Outcome, Receipt, Refunded
from ledger.refusals import Reason, Refusal
from loyalty.v1 import answers_pb2, commands_pb2

_UNITS = frozenset({"unit", "quote_unit"})
"""Facts that are no ids: units are kept as they are written."""
_NO_STOCK = frozenset({Reason.OUT_OF_STOCK, Reason.STOCK_DISCONTINUED})


def fill_receipt(message: answers_pb2.Receipt, receipt: Receipt, repeated: bool) -> None:
    """Write a receipt into a message. Fields are set one by one: constructors take three times as long."""
    message.position = position_token(receipt.position)
    add = message.balances.add
    for balance in receipt.balances:
        entry = add()
        entry.member = decode_id(balance.member)
        entry.unit = balance.unit
        entry.balance = balance.balance
        if balance.open:
            entry.open = balance.open
        if balance.pending:
            entry.pending = balance.pending
        if balance.held:
            entry.held = balance.held
        if balance.quarantined:
            entry.quarantined = balance.quarantined
        if balance.debt:
            entry.debt = balance.debt
    if repeated:
        message.repeated = True
    if receipt.refunded is not None:
        _fill_refunded(message.refunded, receipt.refunded)


def _fill_refunded(message: answers_pb2.Refunded, refunded: Refunded) -> None:
    for tender in refunded.tenders:
        back = message.tenders.add(type=TENDER_VALUE[tender.type], amount=tender.amount)
        if tender.points is not None:
            back.points.unit, back.points.value = tender.points.unit, tender.points.value
    message.deducted, message.clawed_back = refunded.deducted, refunded.clawed_back
    message.debt, message.waived = refunded.debt, refunded.waived


def fill_refusal(message: answers_pb2.Refusal, refusal: Refusal, repeated: bool) -> None:
    """Write a refusal into a message: what a typed detail doesn't take remains in the facts."""
    reason = refusal.reason
    message.reason = REASON_VALUE[reason]  # type: ignore[assignment]
    message.repeated = repeated
    facts = dict(refusal.facts)
    take = facts.pop
    if reason is Reason.INSUFFICIENT_POINTS:
        points = message.insufficient_points
        points.unit, points.wanted, points.spendable = take("unit", ""), take("wanted", 0), take("spendable", 0)
    elif reason in _NO_STOCK:
        stock = message.out_of_stock
        stock.sku, stock.location = decode_id(take("sku", "")), decode_id(take("location", ""))
        stock.wanted, stock.available = take("wanted", 0), take("available", 0)
        stock.substitutes.extend(map(decode_id, take("substitutes", ())))
        if "quote_unit" in facts:
            quote = stock.quote
            quote.points.unit, quote.points.value = take("quote_unit"), take("quote_points", 0)
            quote.cash = take("quote_cash", 0)
    elif reason is Reason.PRICE_CHANGED:
        price = message.price_changed.actual
        price.points.unit, price.points.value = take("unit", ""), take("points", 0)
        price.cash = take("cash", 0)
    elif reason is Reason.CAP_EXCEEDED:
        capped = message.cap_exceeded
        capped.unit, capped.wanted = take("unit", ""), take("wanted", 0)
        capped.cap, capped.used = take("cap", 0), take("used", 0)
        capped.resets_at.CopyFrom(timestamp(take("resets_at", 0)))
    if facts:
        message.facts.update(fact_texts(facts))


def fact_texts(facts: dict[str, Any]) -> dict[str, str]:
    """Facts as texts: ids as callers wrote them, but percent-encoded within a list, which commas separate."""
    return {name: _text(name, value) for name, value in facts.items() if value is not None}


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value if name in _UNITS else decode_id(value)
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def fill_result(result: answers_pb2.Result, answer: Outcome | LedgerError | Denied) -> None:
    """Write what became of one command into its place in a batch's answer."""
    if isinstance(answer, Outcome):
        given = answer.answer
        if isinstance(given, Receipt):
            fill_receipt(result.receipt, given, answer.repeated)
        else:
            fill_refusal(result.refusal, given, answer.repeated)
        return
    fault = fault_of(answer)
    error = result.error
    error.code, error.reason, error.message = fault.code.value[0], fault.reason, fault.message
    error.field = fault.field


def encode_results(answers: Sequence[Outcome | LedgerError]) -> commands_pb2.ExecuteResponse:
    """The answer to a batch."""
    response = commands_pb2.ExecuteResponse()
    add = response.results.add
    for answer in answers:
        fill_result(add(), answer)
    return response

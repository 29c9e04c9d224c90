"""A channel: a shop's till and app, which earn, redeem, and ask again when the line was cut."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.grpc.client import CommandIdReused, ExecuteRequest, Refused, uuid7
from loyalty.v1.queries_pb2 import RedemptionState
from loyalty.v1.types_pb2 import Tender
from tests.acceptance.shop import UNIT, Shop


def test_a_new_customer_shops_and_sees_where_each_point_came_from(shop: Shop) -> None:
    """Enrol, purchase, review, statement (E02, E05, E19, R18, O10)."""
    shop.joins("anna")
    receipt = shop.buys("anna", "A-1", yuan=128)
    assert receipt.balances[0].open == 128, "the receipt says so at once"
    shop.thanks("anna", 20, review="r-7")
    assert shop.points("anna").open == 148
    entries = shop.ledger.list_entries(member="anna", min_position=shop.position).entries
    assert [(entry.points, entry.source.type, entry.source.id, entry.balance) for entry in entries] == [
        (20, "review", "r-7", 148),
        (128, "order", "app/A-1", 128),
    ]


def test_points_and_goods_are_set_aside_together_and_leave_together(shop: Shop) -> None:
    """A redemption holds points, locks stock and opens an outbound order in one commit; fulfilling ends it (I01)."""
    shop.joins("anna")
    shop.buys("anna", "A-1", yuan=600)
    shop.offers("mug", points=500, stock=2)
    shop.redeems("anna", "mug", redemption="R-1")
    assert (shop.points("anna").open, shop.points("anna").held) == (100, 500)
    assert shop.stock("mug") == (2, 1, 1)
    placed = shop.ledger.get_redemption(redemption="R-1", min_position=shop.position).redemption
    assert placed.state == RedemptionState.REDEMPTION_STATE_PLACED
    assert placed.outbound

    shop.done(shop.ledger.fulfil(redemption="R-1"))
    assert (shop.points("anna").open, shop.points("anna").held, shop.points("anna").balance) == (100, 0, 100)
    assert shop.stock("mug") == (1, 0, 1)
    fulfilled = shop.ledger.get_redemption(redemption="R-1", min_position=shop.position).redemption
    assert fulfilled.state == RedemptionState.REDEMPTION_STATE_FULFILLED


def test_what_is_cancelled_comes_back_as_it_was(shop: Shop) -> None:
    """Points go back to their lots, with their expiry, and goods to the shelf (edge case 2)."""
    shop.joins("anna")
    shop.buys("anna", "A-1", yuan=300)
    shop.thanks("anna", 300, review="r-1")
    before = list(shop.ledger.list_lots(member="anna", min_position=shop.position).lots)
    shop.offers("mug", points=500, stock=1)
    shop.redeems("anna", "mug", redemption="R-1")
    shop.done(shop.ledger.cancel(redemption="R-1"))
    assert list(shop.ledger.list_lots(member="anna", min_position=shop.position).lots) == before
    assert shop.stock("mug") == (1, 0, 1)


def test_when_nothing_is_left_the_customer_hears_what_else_there_is(shop: Shop) -> None:
    """OUT_OF_STOCK names substitutes, and nothing is held; a substitute is then to be had (I02, edge case 8)."""
    shop.joins("anna", "bo")
    shop.buys("anna", "A-1", yuan=500)
    shop.buys("bo", "A-2", yuan=500)
    shop.offers("mug", points=500, stock=1, substitutes=("bowl",))
    shop.offers("bowl", points=400, stock=1)
    shop.redeems("bo", "mug", redemption="R-1")
    with pytest.raises(Refused) as refused:
        shop.redeems("anna", "mug", redemption="R-2")
    assert refused.value.reason == "OUT_OF_STOCK"
    assert (refused.value.facts["available"], refused.value.facts["substitutes"]) == (0, ["bowl"])
    assert shop.points("anna").held == 0
    shop.redeems("anna", "bowl", redemption="R-3")
    assert shop.points("anna").open == 100


def test_points_and_money_pay_together(shop: Shop) -> None:
    """A reward of 500 points and 10 yuan; without the money it is not to be had (R02)."""
    shop.joins("anna")
    shop.buys("anna", "A-1", yuan=500)
    shop.offers("gift box", points=500, yuan=10, stock=1)
    with pytest.raises(Refused) as refused:
        shop.redeems("anna", "gift box", redemption="R-1")
    assert (refused.value.reason, refused.value.facts["cash"]) == ("PRICE_CHANGED", 1_000)
    cash = Tender(type="TENDER_TYPE_CASH", amount=1_000)
    shop.redeems("anna", "gift box", redemption="R-2", tenders=[cash])
    assert shop.points("anna").held == 500


def test_a_till_that_asks_twice_is_answered_once(shop: Shop) -> None:
    """The same id and request: the same answer. The same id for something else: refused (edge case 13)."""
    shop.joins("anna")
    once: Any = {"command_id": uuid7(), "occurred_at": datetime.now(UTC)}
    first = shop.thanks("anna", 20, review="r-7", **once)
    again = shop.thanks("anna", 20, review="r-7", **once)
    assert (again.position, again.repeated) == (first.position, True)
    with pytest.raises(CommandIdReused):
        shop.thanks("anna", 50, review="r-8", **once)
    assert shop.points("anna").open == 20
    assert shop.ledger.get_command(command_id=once["command_id"]).receipt.position == first.position


def test_one_order_earns_once_whoever_asks(shop: Shop) -> None:
    """Another command id for the same review or order credits nothing (edge case 13)."""
    shop.joins("anna")
    shop.thanks("anna", 20, review="r-7")
    shop.buys("anna", "A-1", yuan=100)
    with pytest.raises(Refused, match="SOURCE_ALREADY_USED"):
        shop.thanks("anna", 20, review="r-7")
    with pytest.raises(Refused, match="ORDER_ALREADY_RECORDED"):
        shop.buys("anna", "A-1", yuan=100)
    assert shop.points("anna").open == 120


def test_a_day_without_a_line_is_sent_in_one_batch(shop: Shop) -> None:
    """Each command of a batch has its own answer, in its place; a refusal does not stop the others (O03)."""
    shop.joins("anna", "bo")
    batch = ExecuteRequest()
    for number, member in enumerate(("anna", "bo", "nobody", "anna")):
        earn = batch.commands.add().earn
        earn.header.CopyFrom(shop.ledger.aio.header.write({}))
        earn.member, earn.points.unit, earn.points.value = member, UNIT, 10
        earn.source.type, earn.source.id = "sign-in", f"{member}-{number}"
    answers = shop.ledger.execute(batch).results
    assert [answer.WhichOneof("result") for answer in answers] == ["receipt", "receipt", "refusal", "receipt"]
    shop.done(answers[3].receipt)
    assert (shop.points("anna").open, shop.points("bo").open) == (20, 10)


def test_friends_share_points_that_keep_their_expiry(shop: Shop) -> None:
    """A transfer moves points at once, or not at all (R13, edge case 4)."""
    shop.joins("anna", "bo")
    shop.buys("anna", "A-1", yuan=100)
    shop.done(shop.ledger.transfer(sender="anna", receiver="bo", points=40, unit=UNIT))
    anna, bo = (shop.ledger.list_lots(member=member, min_position=shop.position).lots[0] for member in ("anna", "bo"))
    assert (anna.points, bo.points) == (60, 40)
    assert anna.expires_at == bo.expires_at
    with pytest.raises(Refused) as refused:
        shop.ledger.transfer(sender="anna", receiver="bo", points=61, unit=UNIT)
    assert refused.value.facts["spendable"] == 60

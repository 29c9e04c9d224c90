"""Rewards: what is offered for points."""

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import Decision, check_money, check_points
from ledger.policy import Policy
from ledger.states.lookup import States


def decide_define(states: States, policy: Policy, command: c.DefineReward, at: Instant) -> Decision:
    """Define what a reward is and costs, from a time on."""
    check_points("price.points", command.price.points, policy)
    check_money("price.cash", command.price.cash)
    check_money("list_price", command.list_price)
    definition = e.RewardDefined(
        reward=command.reward,
        kind=command.kind,
        price=command.price,
        status=command.status,
        valid_from=at if command.valid_from is None else command.valid_from,
        sku=command.sku,
        location=command.location,
        list_price=command.list_price,
        tax_code=command.tax_code,
        substitutes=command.substitutes,
    )
    return [(states.reward_stream(command.reward), definition)]

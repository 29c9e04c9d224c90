"""The Python client's methods about stock, in front of a ledger that says yes to everything."""

from typing import Any

import pytest

from adapters.grpc.client import AsyncLedgerClient, Distance
from ledger import commands as c
from ledger import events as e
from tests.integration.grpc_world import running


@pytest.mark.parametrize(
    ("method", "arguments", "command"),
    [
        (
            "receive_stock",
            {"sku": "cup", "location": "north", "quantity": 3, "unit_cost": 9},
            c.ReceiveStock("cup", "north", 3, 9),
        ),
        (
            "lock_stock",
            {"lock": "k", "sku": "cup", "location": "north", "quantity": 3},
            c.LockStock("k", "cup", "north", 3),
        ),
        ("release_stock", {"lock": "k", "sku": "cup", "location": "north"}, c.ReleaseStock("k", "cup", "north")),
        ("ship_stock", {"lock": "k", "sku": "cup", "location": "north"}, c.ShipStock("k", "cup", "north")),
        (
            "publish_allocation_policy",
            {"locations": ["north"], "distances": [Distance(destination="b", location="north", distance=5)]},
            c.PublishAllocationPolicy(("north",), (e.Distance("b", "north", 5),)),
        ),
        (
            "count_stock",
            {"sku": "cup", "location": "north", "counted": 3, "reason": "yearly count", "document": "D1"},
            c.CountStock("cup", "north", 3, "yearly count", "D1"),
        ),
        ("discontinue_stock", {"sku": "cup", "reason": "recall"}, c.DiscontinueStock("cup", "recall")),
        (
            "discontinue_stock",
            {"sku": "cup", "location": "north", "reason": "recall"},
            c.DiscontinueStock("cup", "recall", "north"),
        ),
        (
            "transfer_stock",
            {"sku": "cup", "sender": "north", "receiver": "south", "quantity": 2, "document": "D2"},
            c.TransferStock("cup", "north", "south", 2, "D2"),
        ),
    ],
)  # fmt: skip
async def test_arguments_arrive_as_the_ledgers_command(
    method: str, arguments: dict[str, Any], command: c.Command
) -> None:
    async with (
        running() as world,
        AsyncLedgerClient(world.address, programme="acme", channel="shop", actor="t") as client,
    ):
        assert (await getattr(client, method)(**arguments)).position == "1-1"
        ((request,),) = world.ledger.batches
        assert request.commands == (command,)

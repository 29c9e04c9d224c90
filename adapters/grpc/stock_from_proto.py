"""Requests about stock to the ledger's commands."""

from collections.abc import Callable
from typing import Any

from adapters.grpc.fields import at_most, ident, label, number, optional_ident, optional_instant
from ledger import commands as c
from ledger.commands import Command
from ledger.events import Distance
from loyalty.v1 import commands_pb2 as pb

LOCATIONS_MAX = 100
DISTANCES_MAX = 10_000


def _publish_allocation_policy(body: pb.PublishAllocationPolicyRequest) -> Command:
    locations = at_most(body.locations, LOCATIONS_MAX, "locations")
    distances = at_most(body.distances, DISTANCES_MAX, "distances")
    return c.PublishAllocationPolicy(
        tuple(ident(location, f"locations[{place}]") for place, location in enumerate(locations)),
        tuple(
            Distance(
                ident(row.destination, f"distances[{place}].destination"),
                ident(row.location, f"distances[{place}].location"),
                number(row.distance, f"distances[{place}].distance"),
            )
            for place, row in enumerate(distances)
        ),
    )


def _receive_stock(body: pb.ReceiveStockRequest) -> Command:
    return c.ReceiveStock(
        ident(body.sku, "sku"),
        ident(body.location, "location"),
        number(body.quantity, "quantity"),
        number(body.unit_cost, "unit_cost"),
    )


def _lock_stock(body: pb.LockStockRequest) -> Command:
    return c.LockStock(
        ident(body.lock, "lock"),
        ident(body.sku, "sku"),
        ident(body.location, "location"),
        number(body.quantity, "quantity"),
        optional_instant(body, "expires_at"),
    )


def _release_stock(body: pb.ReleaseStockRequest) -> Command:
    return c.ReleaseStock(ident(body.lock, "lock"), ident(body.sku, "sku"), ident(body.location, "location"))


def _ship_stock(body: pb.ShipStockRequest) -> Command:
    return c.ShipStock(ident(body.lock, "lock"), ident(body.sku, "sku"), ident(body.location, "location"))


def _count_stock(body: pb.CountStockRequest) -> Command:
    return c.CountStock(
        ident(body.sku, "sku"),
        ident(body.location, "location"),
        number(body.counted, "counted"),
        label(body.reason, "reason"),
        optional_ident(body.document, "document"),
    )


def _discontinue_stock(body: pb.DiscontinueStockRequest) -> Command:
    return c.DiscontinueStock(
        ident(body.sku, "sku"), label(body.reason, "reason"), optional_ident(body.location, "location")
    )


def _transfer_stock(body: pb.TransferStockRequest) -> Command:
    return c.TransferStock(
        ident(body.sku, "sku"),
        ident(body.sender, "sender"),
        ident(body.receiver, "receiver"),
        number(body.quantity, "quantity"),
        optional_ident(body.document, "document"),
    )


STOCK_DECODERS: dict[str, Callable[[Any], Command]] = {
    "publish_allocation_policy": _publish_allocation_policy,
    "receive_stock": _receive_stock,
    "lock_stock": _lock_stock,
    "release_stock": _release_stock,
    "ship_stock": _ship_stock,
    "count_stock": _count_stock,
    "discontinue_stock": _discontinue_stock,
    "transfer_stock": _transfer_stock,
}
"""The decoder of each request, by its name within `Command`."""

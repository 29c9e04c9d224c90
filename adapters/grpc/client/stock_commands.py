"""The commands for goods, as methods like those of `commands`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Unpack

from adapters.grpc.client.header import About, HeaderWriter, optional_moment
from loyalty.v1 import commands_pb2 as pb
from loyalty.v1.answers_pb2 import Receipt
from loyalty.v1.commands_pb2 import Command
from loyalty.v1.types_pb2 import Distance


class StockCommands:
    """What can be done with goods, and what every kind of command needs."""

    header: HeaderWriter

    async def submit(self, command: Command) -> Receipt:
        """Send a command that is already made, together with those of other callers."""
        raise NotImplementedError

    async def receive_stock(
        self, *, sku: str, location: str, quantity: int, unit_cost: int = 0, **about: Unpack[About]
    ) -> Receipt:
        """Take units of stock in."""
        request = pb.ReceiveStockRequest(
            header=self.header.write(about), sku=sku, location=location, quantity=quantity, unit_cost=unit_cost
        )
        return await self.submit(Command(receive_stock=request))

    async def lock_stock(
        self,
        *,
        lock: str,
        sku: str,
        location: str,
        quantity: int,
        expires_at: datetime | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """Set units of stock aside."""
        request = pb.LockStockRequest(
            header=self.header.write(about),
            lock=lock,
            sku=sku,
            location=location,
            quantity=quantity,
            expires_at=optional_moment(expires_at),
        )
        return await self.submit(Command(lock_stock=request))

    async def release_stock(self, *, lock: str, sku: str, location: str, **about: Unpack[About]) -> Receipt:
        """Free locked units."""
        request = pb.ReleaseStockRequest(header=self.header.write(about), lock=lock, sku=sku, location=location)
        return await self.submit(Command(release_stock=request))

    async def ship_stock(self, *, lock: str, sku: str, location: str, **about: Unpack[About]) -> Receipt:
        """Send locked units out."""
        request = pb.ShipStockRequest(header=self.header.write(about), lock=lock, sku=sku, location=location)
        return await self.submit(Command(ship_stock=request))

    async def publish_allocation_policy(
        self, *, locations: Sequence[str], distances: Sequence[Distance] = (), **about: Unpack[About]
    ) -> Receipt:
        """Say from which locations goods come where nobody names one."""
        request = pb.PublishAllocationPolicyRequest(
            header=self.header.write(about), locations=locations, distances=distances
        )
        return await self.submit(Command(publish_allocation_policy=request))

    async def count_stock(
        self, *, sku: str, location: str, counted: int, reason: str, document: str = "", **about: Unpack[About]
    ) -> Receipt:
        """Set the units on hand to what was counted."""
        request = pb.CountStockRequest(
            header=self.header.write(about),
            sku=sku,
            location=location,
            counted=counted,
            reason=reason,
            document=document,
        )
        return await self.submit(Command(count_stock=request))

    async def discontinue_stock(self, *, sku: str, reason: str, location: str = "", **about: Unpack[About]) -> Receipt:
        """Offer a stock item, or with no location a SKU wherever it lies, no more."""
        request = pb.DiscontinueStockRequest(header=self.header.write(about), sku=sku, location=location, reason=reason)
        return await self.submit(Command(discontinue_stock=request))

    async def transfer_stock(
        self, *, sku: str, sender: str, receiver: str, quantity: int, document: str = "", **about: Unpack[About]
    ) -> Receipt:
        """Move free units from one location to another."""
        request = pb.TransferStockRequest(
            header=self.header.write(about),
            sku=sku,
            sender=sender,
            receiver=receiver,
            quantity=quantity,
            document=document,
        )
        return await self.submit(Command(transfer_stock=request))

"""The asyncio client: commands in batches, queries one by one, both with retries."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from adapters.grpc.client.access import Bearer, Tls, Token, open_channel
from adapters.grpc.client.batcher import Batcher
from adapters.grpc.client.commands import Commands
from adapters.grpc.client.errors import of_status
from adapters.grpc.client.header import HeaderWriter, optional_moment
from adapters.grpc.client.retries import RETRYABLE, Retries
from loyalty.v1 import queries_pb2 as pb
from loyalty.v1.answers_pb2 import Receipt
from loyalty.v1.commands_pb2 import Command, ExecuteRequest, ExecuteResponse, SweepRequest, SweepResponse
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from loyalty.v1.events_pb2 import RecordedEvent, SubscribeEventsRequest
from loyalty.v1.queries_pb2_grpc import QueryServiceStub

MESSAGE_BYTES_MAX = 16 * 1024 * 1024
OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    # Retries are made here, by command id; after a restart of the server the connection is soon back.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)

_Answer = TypeVar("_Answer")


class AsyncLedgerClient(Commands):
    """A client for asyncio; make and use it within one event loop.

    Calls that run concurrently are sent together. Queries answer with the messages of the contract; they, too, take a
    programme of their own, and wait for `min_position`, the position of a receipt.
    """

    def __init__(
        self,
        target: str,
        *,
        programme: str = "",
        channel: str = "",
        actor: str = "",
        timeout_seconds: float = 30.0,
        retries: Retries | None = None,
        tls: Tls | None = None,
        token: Token | None = None,
    ) -> None:
        """`target` is host and port; `timeout_seconds` goes for each attempt.

        With a `token` or a client certificate the service records its actor, whatever `actor` says.
        """
        self.header = HeaderWriter(programme, channel, actor)
        self._timeout_seconds = timeout_seconds
        self._retries = retries or Retries()
        self._bearer = Bearer(token)
        self._channel = open_channel(target, tls, token, OPTIONS)
        self._commands = CommandServiceStub(self._channel)
        self._queries = QueryServiceStub(self._channel)
        self._batcher = Batcher(self._send, self._retries)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait for what was submitted, then close the connection."""
        await self._batcher.close()
        await self._channel.close()

    async def submit(self, command: Command) -> Receipt:
        """Send a command that is already made, together with those of other callers."""
        return await self._batcher.submit(command)

    async def execute(self, batch: ExecuteRequest) -> ExecuteResponse:
        """Send a batch that is already made as it is; only a call that failed as a whole is tried again."""
        return await self._call(self._commands.Execute, batch)

    async def sweep(self, *, limit: int = 0, min_position: str = "", programme: str = "") -> SweepResponse:
        """Post what is due in a programme."""
        request = SweepRequest(programme=self._programme(programme), limit=limit, min_position=min_position)
        return await self._call(self._commands.Sweep, request)

    async def get_balance(
        self,
        *,
        member: str,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        min_position: str = "",
        programme: str = "",
    ) -> pb.GetBalanceResponse:
        """A member's balances, now or at a time, by what is known now or was known at a time."""
        request = pb.GetBalanceRequest(
            programme=self._programme(programme),
            member=member,
            as_of=optional_moment(as_of),
            known_at=optional_moment(known_at),
            min_position=min_position,
        )
        return await self._call(self._queries.GetBalance, request)

    async def list_lots(
        self,
        *,
        member: str,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        min_position: str = "",
        page_size: int = 0,
        page_token: str = "",
        programme: str = "",
    ) -> pb.ListLotsResponse:
        """A page of a member's lots, in the order in which they are spent."""
        request = pb.ListLotsRequest(
            programme=self._programme(programme),
            member=member,
            as_of=optional_moment(as_of),
            known_at=optional_moment(known_at),
            min_position=min_position,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._queries.ListLots, request)

    async def list_entries(
        self, *, member: str, min_position: str = "", page_size: int = 0, page_token: str = "", programme: str = ""
    ) -> pb.ListEntriesResponse:
        """A page of a member's statement, newest first."""
        request = pb.ListEntriesRequest(
            programme=self._programme(programme),
            member=member,
            min_position=min_position,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._queries.ListEntries, request)

    async def get_redemption(
        self, *, redemption: str, min_position: str = "", programme: str = ""
    ) -> pb.GetRedemptionResponse:
        """One redemption."""
        request = pb.GetRedemptionRequest(
            programme=self._programme(programme), redemption=redemption, min_position=min_position
        )
        return await self._call(self._queries.GetRedemption, request)

    async def list_redemptions(
        self, *, member: str, min_position: str = "", page_size: int = 0, page_token: str = "", programme: str = ""
    ) -> pb.ListRedemptionsResponse:
        """A page of a member's redemptions, newest first."""
        request = pb.ListRedemptionsRequest(
            programme=self._programme(programme),
            member=member,
            min_position=min_position,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._queries.ListRedemptions, request)

    async def get_inventory(
        self,
        *,
        sku: str,
        location: str,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        min_position: str = "",
        programme: str = "",
    ) -> pb.GetInventoryResponse:
        """One stock item, now or at a time, by what is known now or was known at a time."""
        request = pb.GetInventoryRequest(
            programme=self._programme(programme),
            sku=sku,
            location=location,
            as_of=optional_moment(as_of),
            known_at=optional_moment(known_at),
            min_position=min_position,
        )
        return await self._call(self._queries.GetInventory, request)

    async def list_inventory(
        self,
        *,
        sku: str = "",
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        min_position: str = "",
        page_size: int = 0,
        page_token: str = "",
        programme: str = "",
    ) -> pb.ListInventoryResponse:
        """A page of a programme's stock items."""
        request = pb.ListInventoryRequest(
            programme=self._programme(programme),
            sku=sku,
            as_of=optional_moment(as_of),
            known_at=optional_moment(known_at),
            min_position=min_position,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._queries.ListInventory, request)

    async def list_locks(
        self,
        *,
        sku: str = "",
        location: str = "",
        min_position: str = "",
        page_size: int = 0,
        page_token: str = "",
        programme: str = "",
    ) -> pb.ListLocksResponse:
        """A page of the open locks of stock."""
        request = pb.ListLocksRequest(
            programme=self._programme(programme),
            sku=sku,
            location=location,
            min_position=min_position,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._queries.ListLocks, request)

    async def list_holds(
        self, *, member: str = "", min_position: str = "", page_size: int = 0, page_token: str = "", programme: str = ""
    ) -> pb.ListHoldsResponse:
        """A page of a member's holds, or of all that are open; the oldest first."""
        request = pb.ListHoldsRequest(
            programme=self._programme(programme),
            member=member,
            min_position=min_position,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._queries.ListHolds, request)

    async def list_expiring(
        self,
        *,
        member: str = "",
        from_date: date | None = None,
        to_date: date | None = None,
        min_position: str = "",
        page_size: int = 0,
        page_token: str = "",
        programme: str = "",
    ) -> pb.ListExpiringResponse:
        """A page of the points that expire by `to_date`, a member's or those of all; first due first."""
        request = pb.ListExpiringRequest(
            programme=self._programme(programme),
            member=member,
            from_date=from_date.isoformat() if from_date else "",
            to_date=to_date.isoformat() if to_date else "",
            min_position=min_position,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._queries.ListExpiring, request)

    async def get_totals(
        self,
        *,
        from_date: date,
        to_date: date,
        by: Sequence[str] = (),
        min_position: str = "",
        page_size: int = 0,
        page_token: str = "",
        programme: str = "",
    ) -> pb.GetTotalsResponse:
        """A page of totals by business day, and by dimensions such as "CHANNEL"."""
        request = pb.GetTotalsRequest(
            programme=self._programme(programme),
            from_date=from_date.isoformat(),
            to_date=to_date.isoformat(),
            by=[f"TOTALS_DIMENSION_{dimension}" for dimension in by],
            min_position=min_position,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._queries.GetTotals, request)

    async def get_command(self, *, command_id: object) -> pb.GetCommandResponse:
        """What became of a command; raises NotFound if nothing was ever stored under its id."""
        return await self._call(self._queries.GetCommand, pb.GetCommandRequest(command_id=str(command_id)))

    async def subscribe_events(
        self, *, after: str = "", stream: str = "", topics: Sequence[str] = (), follow: bool = True, programme: str = ""
    ) -> AsyncGenerator[RecordedEvent, None]:
        """The events behind a position, then, with `follow`, those to come; a client without programme gets all."""
        request = SubscribeEventsRequest(
            after=after, programme=self._programme(programme), stream=stream, topics=topics, follow=follow
        )
        call = self._queries.SubscribeEvents(request, metadata=await self._bearer.metadata())
        try:
            async for message in call:
                for event in message.events:
                    yield event
        except grpc.aio.AioRpcError as failure:
            raise of_status(failure) from None
        finally:
            call.cancel()

    def _programme(self, programme: str) -> str:
        return programme or self.header.programme

    async def _send(self, batch: ExecuteRequest) -> ExecuteResponse:
        metadata = await self._bearer.metadata()
        response: ExecuteResponse = await self._commands.Execute(
            batch, timeout=self._timeout_seconds, metadata=metadata
        )
        return response

    async def _call(self, method: Callable[..., Awaitable[_Answer]], request: Any) -> _Answer:
        for delay in (*self._retries.delays(), None):
            try:
                metadata = await self._bearer.metadata()
                return await method(request, timeout=self._timeout_seconds, metadata=metadata)
            except grpc.aio.AioRpcError as failure:
                error = of_status(failure)
                # A view that lags has waited long enough in the service.
                if delay is None or failure.code().value[0] not in RETRYABLE or error.reason == "VIEW_BEHIND":
                    raise error from None
            await asyncio.sleep(delay)
        raise AssertionError("the last attempt returns or raises")

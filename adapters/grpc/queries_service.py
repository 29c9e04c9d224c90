"""The service that answers questions, of the views and of the log."""

from adapters.grpc.closing import Closing
from adapters.grpc.enums import TOTALS_DIMENSION
from adapters.grpc.fields import (
    at_most,
    choice,
    command_id,
    day,
    ident,
    label,
    optional_day,
    optional_ident,
    optional_instant,
    optional_label,
)
from adapters.grpc.positions import parse_position, position_token
from adapters.grpc.replies import Context, streaming, unary
from adapters.grpc.reports_to_proto import expiring_message, hold_message, lock_message, totals_message
from adapters.grpc.to_proto import fill_receipt, fill_refusal
from adapters.grpc.views_to_proto import (
    balance_message,
    entry_message,
    lot_message,
    optional_timestamp,
    records_messages,
    redemption_message,
    stock_message,
    timestamp,
)
from ledger.errors import InvalidCommand
from ledger.ids import decode_id
from ledger.ports import Log
from ledger.receipts import Receipt
from loyalty.v1 import events_pb2
from loyalty.v1 import queries_pb2 as pb
from loyalty.v1.queries_pb2_grpc import QueryServiceServicer
from projections.queries import NotFound
from projections.reports import Reports

SERVICE = "loyalty.v1.QueryService"

PAGE_DEFAULT = 100
PAGE_MAX = 1_000
TOPICS_MAX = 64
DIMENSIONS_MAX = len(TOTALS_DIMENSION)
STREAM_LENGTH_MAX = 2_048
"""Ids grow when they are percent-encoded: two of them with 64 characters each fit."""


class QueryService(QueryServiceServicer):
    """Decodes questions, hands them to the views or the log, and encodes the answers."""

    def __init__(self, log: Log, queries: Reports, closing: Closing) -> None:
        self._log = log
        self._queries = queries
        self._closing = closing

    @unary
    async def GetBalance(self, request: pb.GetBalanceRequest) -> pb.GetBalanceResponse:
        """A member's balances."""
        answer = await self._queries.balance(
            ident(request.programme, "programme"),
            ident(request.member, "member"),
            as_of=optional_instant(request, "as_of"),
            known_at=optional_instant(request, "known_at"),
            min_position=parse_position(request.min_position, "min_position"),
        )
        return pb.GetBalanceResponse(
            balances=map(balance_message, answer.balances),
            as_of=timestamp(answer.as_of),
            known_at=optional_timestamp(answer.known_at),
            position=position_token(answer.position),
            status=f"MEMBER_STATUS_{answer.status}",
        )

    @unary
    async def ListLots(self, request: pb.ListLotsRequest) -> pb.ListLotsResponse:
        """A member's lots."""
        page = await self._queries.lots(
            ident(request.programme, "programme"),
            ident(request.member, "member"),
            as_of=optional_instant(request, "as_of"),
            known_at=optional_instant(request, "known_at"),
            min_position=parse_position(request.min_position, "min_position"),
            page_size=_page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListLotsResponse(
            lots=map(lot_message, page.rows),
            next_page_token=page.next_page_token,
            position=position_token(page.position),
        )

    @unary
    async def ListEntries(self, request: pb.ListEntriesRequest) -> pb.ListEntriesResponse:
        """A member's statement."""
        page = await self._queries.entries(
            ident(request.programme, "programme"),
            ident(request.member, "member"),
            min_position=parse_position(request.min_position, "min_position"),
            page_size=_page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListEntriesResponse(
            entries=map(entry_message, page.rows),
            next_page_token=page.next_page_token,
            position=position_token(page.position),
        )

    @unary
    async def GetRedemption(self, request: pb.GetRedemptionRequest) -> pb.GetRedemptionResponse:
        """One redemption."""
        row = await self._queries.redemption(
            ident(request.programme, "programme"),
            ident(request.redemption, "redemption"),
            min_position=parse_position(request.min_position, "min_position"),
        )
        return pb.GetRedemptionResponse(redemption=redemption_message(row))

    @unary
    async def ListRedemptions(self, request: pb.ListRedemptionsRequest) -> pb.ListRedemptionsResponse:
        """A member's redemptions."""
        page = await self._queries.redemptions(
            ident(request.programme, "programme"),
            ident(request.member, "member"),
            min_position=parse_position(request.min_position, "min_position"),
            page_size=_page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListRedemptionsResponse(
            redemptions=map(redemption_message, page.rows),
            next_page_token=page.next_page_token,
            position=position_token(page.position),
        )

    @unary
    async def GetInventory(self, request: pb.GetInventoryRequest) -> pb.GetInventoryResponse:
        """One stock item."""
        row = await self._queries.stock_item(
            ident(request.programme, "programme"),
            ident(request.sku, "sku"),
            ident(request.location, "location"),
            as_of=optional_instant(request, "as_of"),
            known_at=optional_instant(request, "known_at"),
            min_position=parse_position(request.min_position, "min_position"),
        )
        return pb.GetInventoryResponse(item=stock_message(row))

    @unary
    async def ListInventory(self, request: pb.ListInventoryRequest) -> pb.ListInventoryResponse:
        """The stock items of a programme."""
        page = await self._queries.inventory(
            ident(request.programme, "programme"),
            sku=optional_ident(request.sku, "sku"),
            as_of=optional_instant(request, "as_of"),
            known_at=optional_instant(request, "known_at"),
            min_position=parse_position(request.min_position, "min_position"),
            page_size=_page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListInventoryResponse(
            items=map(stock_message, page.rows),
            next_page_token=page.next_page_token,
            position=position_token(page.position),
        )

    @unary
    async def ListLocks(self, request: pb.ListLocksRequest) -> pb.ListLocksResponse:
        """The open locks of stock."""
        page = await self._queries.locks(
            ident(request.programme, "programme"),
            sku=optional_ident(request.sku, "sku"),
            location=optional_ident(request.location, "location"),
            min_position=parse_position(request.min_position, "min_position"),
            page_size=_page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListLocksResponse(
            locks=map(lock_message, page.rows),
            next_page_token=page.next_page_token,
            position=position_token(page.position),
        )

    @unary
    async def ListHolds(self, request: pb.ListHoldsRequest) -> pb.ListHoldsResponse:
        """Holds, the oldest first."""
        page = await self._queries.holds(
            ident(request.programme, "programme"),
            member=optional_ident(request.member, "member"),
            min_position=parse_position(request.min_position, "min_position"),
            page_size=_page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListHoldsResponse(
            holds=map(hold_message, page.rows),
            next_page_token=page.next_page_token,
            position=position_token(page.position),
        )

    @unary
    async def ListExpiring(self, request: pb.ListExpiringRequest) -> pb.ListExpiringResponse:
        """Points that expire, first due first."""
        page = await self._queries.expiring(
            ident(request.programme, "programme"),
            member=optional_ident(request.member, "member"),
            first=optional_day(request.from_date, "from_date"),
            last=optional_day(request.to_date, "to_date"),
            min_position=parse_position(request.min_position, "min_position"),
            page_size=_page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListExpiringResponse(
            expiring=map(expiring_message, page.rows),
            next_page_token=page.next_page_token,
            position=position_token(page.position),
        )

    @unary
    async def GetTotals(self, request: pb.GetTotalsRequest) -> pb.GetTotalsResponse:
        """Totals by business day."""
        page = await self._queries.totals(
            ident(request.programme, "programme"),
            first=day(request.from_date, "from_date"),
            last=day(request.to_date, "to_date"),
            by=frozenset(choice(TOTALS_DIMENSION, value, "by") for value in at_most(request.by, DIMENSIONS_MAX, "by")),
            min_position=parse_position(request.min_position, "min_position"),
            page_size=_page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.GetTotalsResponse(
            totals=map(totals_message, page.rows),
            next_page_token=page.next_page_token,
            position=position_token(page.position),
        )

    @unary
    async def GetCommand(self, request: pb.GetCommandRequest) -> pb.GetCommandResponse:
        """What became of a command."""
        outcome = await self._log.outcome(command_id(request.command_id, "command_id"))
        if outcome is None:
            raise NotFound("command", request.command_id)
        response = pb.GetCommandResponse(programme=decode_id(outcome.programme))
        if isinstance(outcome.answer, Receipt):
            fill_receipt(response.receipt, outcome.answer, True)
        else:
            fill_refusal(response.refusal, outcome.answer, True)
        return response

    @streaming
    async def SubscribeEvents(self, request: events_pb2.SubscribeEventsRequest, context: Context) -> None:
        """The events of the log."""
        topics = at_most(request.topics, TOPICS_MAX, "topics")
        batches = self._log.records(
            parse_position(request.after, "after"),
            programme=optional_ident(request.programme, "programme"),
            stream=optional_label(request.stream, "stream", STREAM_LENGTH_MAX),
            topics=tuple(label(topic, "topics") for topic in topics),
            follow=request.follow,
        )
        while (records := await self._closing.race(anext(batches, None))) is not None:
            for message in records_messages(records):
                await context.write(message)


def _page_size(asked: int) -> int:
    if asked < 0:
        raise InvalidCommand("page_size", f"must not be negative, not {asked}")
    return min(asked or PAGE_DEFAULT, PAGE_MAX)

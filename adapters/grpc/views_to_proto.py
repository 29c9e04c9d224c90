"""The answers of the views, and the records of the log, to the messages of the contract."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.grpc.positions import position_token
from ledger.calendar import NEVER, SECOND, Instant
from ledger.ids import decode_id
from ledger.quantities import Balance
from ledger.records import Record
from loyalty.v1 import events_pb2, types_pb2
from loyalty.v1 import queries_pb2 as pb
from projections.queries import EntryRow, LotRow, RedemptionRow, StockRow

EVENT_BYTES_MAX = 1024 * 1024
"""The events of one message; clients take 4 MiB unless they are told otherwise."""


def timestamp(instant: Instant) -> Timestamp:
    """A time; finer digits than microseconds are zero."""
    seconds, micros = divmod(instant, SECOND)
    return Timestamp(seconds=seconds, nanos=micros * 1000)


def optional_timestamp(instant: Instant | None) -> Timestamp | None:
    """A time; none where there is none, or never."""
    return None if instant is None or instant >= NEVER else timestamp(instant)


def traceparent(trace: bytes) -> str:
    """The W3C header of packed trace context."""
    digits = trace.hex()
    return f"{digits[:2]}-{digits[2:34]}-{digits[34:50]}-{digits[50:]}" if digits else ""


def balance_message(balance: Balance) -> types_pb2.Balance:
    """A member's points in one unit."""
    return types_pb2.Balance(
        member=decode_id(balance.member),
        unit=balance.unit,
        open=balance.open,
        pending=balance.pending,
        held=balance.held,
        quarantined=balance.quarantined,
        debt=balance.debt,
        balance=balance.balance,
    )


def lot_message(row: LotRow) -> pb.Lot:
    """One lot."""
    return pb.Lot(
        lot=row.lot,
        unit=row.unit,
        points=row.points,
        held=row.held,
        granted=row.granted,
        earned_at=timestamp(row.earned_at),
        available_at=optional_timestamp(row.available_at),
        expires_at=optional_timestamp(row.expires_at),
        issued=row.issued,
        funding=f"FUNDING_{row.funding}",
        source=_source(row.source_type, row.source_id),
        root=row.root,
        unit_cost=row.unit_cost,
        quarantined=row.quarantined,
    )


def entry_message(row: EntryRow) -> pb.Entry:
    """One line of a statement."""
    return pb.Entry(
        position=position_token(row.position),
        kind=row.kind,
        unit=row.unit,
        points=row.points,
        held=row.held,
        balance=row.balance,
        occurred_at=timestamp(row.occurred_at),
        recorded_at=timestamp(row.recorded_at),
        business_date=row.business_date,
        channel=decode_id(row.channel),
        source=_source(row.source_type, row.source_id),
        rule=decode_id(row.rule),
        lots=[pb.LotPoints(lot=lot, points=points) for lot, points in row.lots],
        reason=row.reason,
        order=decode_id(row.order),
    )


def _source(source_type: str, source_id: str) -> types_pb2.Source | None:
    if not source_type and not source_id:
        return None
    return types_pb2.Source(type=decode_id(source_type), id=decode_id(source_id))


def redemption_message(row: RedemptionRow) -> pb.Redemption:
    """One redemption."""
    return pb.Redemption(
        redemption=decode_id(row.redemption),
        member=decode_id(row.member),
        reward=decode_id(row.reward),
        quantity=row.quantity,
        state=f"REDEMPTION_STATE_{row.state}",
        kind=f"REWARD_KIND_{row.kind}",
        price=types_pb2.Price(points=types_pb2.Amount(unit=row.unit, value=row.points), cash=row.cash),
        sku=decode_id(row.sku),
        location=decode_id(row.location),
        outbound=row.outbound,
        placed_at=timestamp(row.placed_at),
        expires_at=timestamp(row.expires_at),
        closed_at=optional_timestamp(row.closed_at),
        order=decode_id(row.order),
        fulfilled=row.fulfilled,
        cancelled=row.cancelled,
        cash_returned=row.cash_returned,
        destination=decode_id(row.destination),
        allocation_version=row.allocation_version,
    )


def stock_message(row: StockRow) -> pb.StockItem:
    """One stock item."""
    return pb.StockItem(
        sku=decode_id(row.sku),
        location=decode_id(row.location),
        on_hand=row.on_hand,
        locked=row.locked,
        available=row.available,
        shipped=row.shipped,
        received=row.received,
        value=row.value,
        counted=row.counted,
        transferred=row.transferred,
        shortage=row.shortage,
        discontinued=row.discontinued,
    )


def record_message(record: Record) -> events_pb2.RecordedEvent:
    """An event and its envelope; ids within the stream's name and the event stay percent-encoded, as stored."""
    return events_pb2.RecordedEvent(
        position=position_token(record.position),
        programme=decode_id(record.programme),
        stream=record.stream,
        version=record.version,
        topic=record.topic,
        command_id=str(UUID(bytes=record.command_id)),
        actor=record.actor,
        channel=decode_id(record.channel),
        correlation_id=record.correlation_id,
        traceparent=traceparent(record.trace),
        occurred_at=timestamp(record.occurred_at),
        recorded_at=timestamp(record.recorded_at),
        business_date=record.business_date.isoformat(),
        event=record.event.decode(),
        business_key=record.business_key,
        hash=record.hash,
    )


def records_messages(records: Sequence[Record]) -> Iterator[events_pb2.SubscribeEventsResponse]:
    """Some events of the log, in messages that every client takes."""
    message, size = events_pb2.SubscribeEventsResponse(), 0
    for record in records:
        if size + len(record.event) > EVENT_BYTES_MAX and size:
            yield message
            message, size = events_pb2.SubscribeEventsResponse(), 0
        message.events.append(record_message(record))
        size += len(record.event)
    yield message

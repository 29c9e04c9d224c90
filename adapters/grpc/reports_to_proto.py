"""The answers of the reports to the messages of the contract."""

from adapters.grpc.views_to_proto import optional_timestamp, timestamp
from ledger.ids import decode_id
from loyalty.v1 import queries_pb2 as pb
from projections.reports import ExpiringRow, HoldRow, LockRow, TotalsRow


def lock_message(row: LockRow) -> pb.StockLock:
    """One lock."""
    return pb.StockLock(
        sku=decode_id(row.sku),
        location=decode_id(row.location),
        lock=_own_name(row.lock, row.redemption),
        quantity=row.quantity,
        locked_at=timestamp(row.locked_at),
        expires_at=timestamp(row.expires_at),
        redemption=decode_id(row.redemption),
    )


def hold_message(row: HoldRow) -> pb.PointsHold:
    """One hold."""
    return pb.PointsHold(
        hold=_own_name(row.hold, row.redemption),
        member=decode_id(row.member),
        state=f"HOLD_STATE_{row.state}",
        unit=row.unit,
        points=row.points,
        captured=row.captured,
        released=row.released,
        redemption=decode_id(row.redemption),
        channel=decode_id(row.channel),
        held_at=timestamp(row.held_at),
        expires_at=timestamp(row.expires_at),
        ended_at=optional_timestamp(row.ended_at),
    )


def _own_name(name: str, redemption: str) -> str:
    """What a caller called a hold or lock; those of redemptions have no name of their own."""
    return "" if redemption else decode_id(name)


def expiring_message(row: ExpiringRow) -> pb.ExpiringPoints:
    """Points that end together."""
    return pb.ExpiringPoints(
        member=decode_id(row.member),
        unit=row.unit,
        points=row.points,
        expires_at=timestamp(row.expires_at),
        last_day=row.last_day.isoformat(),
    )


def totals_message(row: TotalsRow) -> pb.Totals:
    """The totals of a day."""
    return pb.Totals(
        business_date=row.business_date,
        unit=row.unit,
        channel=decode_id(row.channel),
        store=decode_id(row.store),
        source=decode_id(row.source),
        campaign=decode_id(row.campaign),
        issued=row.issued,
        available=row.available,
        redeemed=row.redeemed,
        expired=row.expired,
        clawed_back=row.clawed_back,
        forfeited=row.forfeited,
        reinstated=row.reinstated,
        outstanding=row.outstanding,
    )

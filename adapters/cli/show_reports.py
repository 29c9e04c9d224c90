"""What the command line shows across a programme: what expires soon, open holds, totals by day."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from adapters.app.settings import Settings
from adapters.cli.show import open_queries, time_of
from adapters.postgres.reports import PostgresReports
from ledger.calendar import SECOND, Instant, to_datetime
from ledger.ids import decode_id, encode_id
from projections.queries import NotFound
from projections.reports import Dimension

DAYS_SHOWN = 31
NUMBERS = (
    "issued", "available", "redeemed", "expired", "clawed back", "forfeited", "reinstated", "outstanding",
)  # fmt: skip


def _table(title: str, names: Sequence[str], numbers: Collection[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name in numbers else "left")
    return table


async def _present(queries: PostgresReports, programme: str) -> Instant:
    for name, now in await queries.programmes():
        if name == programme:
            return now
    raise NotFound("programme", programme)


async def expiring(
    console: Console, settings: Settings, programme: str, member: str, last: date | None, limit: int
) -> None:
    """Points that expire, first due first."""
    async with open_queries(settings) as queries:
        of_member = encode_id(member) if member else ""
        page = await queries.expiring(encode_id(programme), member=of_member, last=last, page_size=limit)
    table = _table(f"Expiring points of {member or programme}", ("last day", "member", "points", "unit"), {"points"})
    for row in page.rows:
        table.add_row(row.last_day.isoformat(), decode_id(row.member), f"{row.points:,}", row.unit)
    console.print(table)
    if page.next_page_token:
        console.print(f"There are more: --limit shows more than {limit}.")


async def holds(console: Console, settings: Settings, programme: str, member: str, limit: int) -> None:
    """Holds, the oldest first, each with its age by the programme's clock."""
    async with open_queries(settings) as queries:
        now = await _present(queries, encode_id(programme))
        page = await queries.holds(encode_id(programme), member=encode_id(member) if member else "", page_size=limit)
    names = ("hold", "member", "state", "points", "captured", "released", "unit", "age", "expires (UTC)", "ended (UTC)")
    table = _table(f"Holds of {member or programme}", names, {"points", "captured", "released", "age"})
    for row in page.rows:
        age = timedelta(seconds=max(((row.ended_at or now) - row.held_at) // SECOND, 0))
        table.add_row(
            decode_id(row.hold),
            decode_id(row.member),
            row.state.lower().replace("_", " "),
            *(f"{number:,}" for number in (row.points, row.captured, row.released)),
            row.unit,
            str(age),
            time_of(row.expires_at),
            time_of(row.ended_at),
        )
    console.print(table)
    if page.next_page_token:
        console.print(f"There are more: --limit shows more than {limit}.")


async def totals(
    console: Console,
    settings: Settings,
    programme: str,
    first: date | None,
    last: date | None,
    by: Collection[Dimension],
    limit: int,
) -> None:
    """Totals by day, unit and dimensions."""
    async with open_queries(settings) as queries:
        # A day ahead of UTC covers every time zone.
        last = last or (to_datetime(await _present(queries, encode_id(programme))) + timedelta(days=1)).date()
        first = first or last - timedelta(days=DAYS_SHOWN)
        page = await queries.totals(encode_id(programme), first=first, last=last, by=by, page_size=limit)
    dimensions = [dimension.value.lower() for dimension in Dimension if dimension in by]
    table = _table(f"Totals of {programme}", ("business date", "unit", *dimensions, *NUMBERS), set(NUMBERS))
    for row in page.rows:
        numbers = (
            row.issued, row.available, row.redeemed, row.expired, row.clawed_back, row.forfeited, row.reinstated,
            row.outstanding,
        )  # fmt: skip
        origins = (decode_id(getattr(row, dimension)) for dimension in dimensions)
        table.add_row(row.business_date, row.unit, *origins, *(f"{number:,}" for number in numbers))
    console.print(table)
    if page.next_page_token:
        console.print(f"There are more rows: --limit shows more than {limit}.")

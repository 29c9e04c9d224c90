"""The questions of `projections.reports`, asked of the projections' tables in PostgreSQL."""

from collections.abc import Collection
from datetime import date
from functools import lru_cache

from adapters.postgres import report_statements as statements
from adapters.postgres.pages import page, read_token
from adapters.postgres.views import PostgresQueries
from ledger.calendar import NEVER, Calendar
from ledger.errors import InvalidCommand
from projections.queries import Page
from projections.reports import RANGE_DAYS_MAX, Dimension, ExpiringRow, HoldRow, LockRow, TotalsRow

_calendar = lru_cache(Calendar)


class PostgresReports(PostgresQueries):
    """All questions: those of members and items, and those across a programme."""

    async def expiring(
        self,
        programme: str,
        *,
        member: str = "",
        first: date | None = None,
        last: date | None = None,
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[ExpiringRow]:
        """Points that end, first due first: of one member, or of all."""
        expires_at, last_member, unit = read_token(page_token, (0, "", ""))
        if first is not None and last is not None:
            _check_range(first, last)
        view = "balance" if member else "due"
        async with self._snapshot(min_position, view, "programmes") as views:
            settings, now = await views.programme(programme)
            if member:
                await views.require_member(programme, member)
            calendar = _calendar(settings.zone)
            found = await views.rows(
                view,
                statements.EXPIRING_OF_MEMBER if member else statements.EXPIRING,
                programme=programme,
                member=member,
                after=now if first is None else max(now, calendar.start_of(first)),
                until=NEVER - 1 if last is None else calendar.end_of(last),
                expires_at=expires_at,
                last_member=last_member,
                unit=unit,
                limit=page_size + 1,
            )
        # Points end with a day, or within it: the last instant of theirs says which day.
        rows = [ExpiringRow(*(*row, calendar.business_date(row[-1] - 1))) for row in found]
        return page(rows, page_size, lambda row: (row.expires_at, row.member, row.unit), views.position)

    async def holds(
        self, programme: str, *, member: str = "", min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[HoldRow]:
        """Holds, the oldest first: all of one member, or all that are open."""
        held_at, last_position = read_token(page_token, (0, 0))
        async with self._snapshot(min_position, "holds", "balance") as views:
            if member:
                await views.require_member(programme, member)
            found = await views.rows(
                "holds",
                statements.HOLDS_OF_MEMBER if member else statements.OPEN_HOLDS,
                programme=programme,
                member=member,
                held_at=held_at,
                position=last_position,
                limit=page_size + 1,
            )
        rows = [HoldRow(*row) for row in found]
        return page(rows, page_size, lambda row: (row.held_at, row.position), views.position)

    async def locks(
        self,
        programme: str,
        *,
        sku: str = "",
        location: str = "",
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[LockRow]:
        """The open locks of stock items, by SKU, location and name."""
        after_sku, after_location, after_lock = read_token(page_token, ("", "", ""))
        async with self._snapshot(min_position, "inventory") as views:
            found = await views.rows(
                "inventory",
                statements.LOCKS,
                programme=programme,
                sku=sku,
                location=location,
                after_sku=after_sku,
                after_location=after_location,
                after_lock=after_lock,
                limit=page_size + 1,
            )
        rows = [LockRow(*row) for row in found]
        return page(rows, page_size, lambda row: (row.sku, row.location, row.lock), views.position)

    async def totals(
        self,
        programme: str,
        *,
        first: date,
        last: date,
        by: Collection[Dimension] = (),
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[TotalsRow]:
        """Totals by day, unit and dimensions."""
        business_date, unit, channel, store, source, campaign = read_token(page_token, ("",) * 6)
        _check_range(first, last)
        async with self._snapshot(min_position, "totals", "programmes") as views:
            await views.programme(programme)
            found = await views.rows(
                "totals",
                statements.TOTALS,
                programme=programme,
                first=first.isoformat(),
                last=last.isoformat(),
                by=[dimension.value for dimension in by],
                business_date=business_date,
                unit=unit,
                channel=channel,
                store=store,
                source=source,
                campaign=campaign,
                limit=page_size + 1,
            )
        rows = [TotalsRow(*row) for row in found]
        return page(
            rows,
            page_size,
            lambda row: (row.business_date, row.unit, row.channel, row.store, row.source, row.campaign),
            views.position,
        )


def _check_range(first: date, last: date) -> None:
    """Raises InvalidCommand for a range without days, or with too many."""
    if last < first:
        raise InvalidCommand("to_date", "is before from_date")
    if (last - first).days >= RANGE_DAYS_MAX:
        raise InvalidCommand("to_date", f"is more than {RANGE_DAYS_MAX} days after from_date")

"""The questions of `projections.queries`, asked of the projections' tables in PostgreSQL."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Self

import msgspec

from adapters.postgres import view_statements as statements
from adapters.postgres.pages import page, read_token
from adapters.postgres.past import Past
from adapters.postgres.pool import Pool
from adapters.postgres.reading import Live, Reading, present, read_live
from ledger.calendar import Instant
from ledger.ids import lot_number
from ledger.quantities import Balance
from projections.queries import (
    BalanceAnswer,
    DueSubject,
    EntryRow,
    LotRow,
    NotFound,
    Page,
    RedemptionRow,
    StockRow,
    TooFarBehind,
)

WAIT_SECONDS_MAX = 5.0
"""How long a question waits for its view to reach `min_position`."""
CONNECTIONS_MAX = 8
POLL_SECONDS = 0.005
"""Between two looks at the checkpoints while questions wait; however many do, there is one look."""
_LATEST = 2**62

_lots = msgspec.json.Decoder(tuple[tuple[str, int], ...])


class PostgresQueries:
    """The views' answers, and what is due. Use it as an async context manager."""

    def __init__(self, dsn: str, wait_seconds: float = WAIT_SECONDS_MAX) -> None:
        self._pool = Pool(dsn, "loyalty queries", CONNECTIONS_MAX)
        self._wait_seconds = wait_seconds
        self._looking: asyncio.Task[dict[str, Live]] | None = None
        self._looked_at = 0.0

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._pool.__aexit__()

    # -- how far the views have come

    async def _live(self) -> dict[str, Live]:
        """The live builds as they were a moment ago: whoever asks within that moment shares one look."""
        if self._looking is None or time.monotonic() - self._looked_at >= POLL_SECONDS:
            self._looked_at = time.monotonic()
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> dict[str, Live]:
        return await read_live(self._pool.fetch)

    async def _reach(self, position: int, *views: str) -> None:
        """Wait until these views have come so far. Raises TooFarBehind."""
        deadline = time.monotonic() + self._wait_seconds
        while True:
            live = await self._live()
            reached = min(live[view].position if view in live else 0 for view in views)
            if reached >= position:
                return
            if time.monotonic() >= deadline:
                raise TooFarBehind(f"{' and '.join(views)} came to position {reached}, not yet to {position}")
            await asyncio.sleep(POLL_SECONDS)

    @contextlib.asynccontextmanager
    async def _snapshot(self, position: int, *views: str) -> AsyncIterator[Reading]:
        """One state of views that have come far enough; its position is that of the first. Raises TooFarBehind.

        The position and the rows are read in one snapshot, so that an answer is what it was at that very position.
        """
        await self._reach(position, *views)
        async with self._pool.snapshot() as fetch:
            live = await read_live(fetch)
            if missing := [view for view in views if view not in live]:
                raise TooFarBehind(f"the view {missing[0]!r} is not built yet")
            yield Reading(fetch, live, live[views[0]].position)

    async def _now(self) -> Reading:
        """Views as they are."""
        return Reading(self._pool.fetch, await self._live())

    # -- members

    async def _is_past(
        self, programme: str, as_of: Instant | None, known_at: Instant | None, min_position: int
    ) -> bool:
        """Whether a question is about the past, which sums postings; the present is kept ready. Raises NotFound."""
        if as_of is None or known_at is not None:
            return known_at is not None
        await self._reach(min_position, "programmes")
        _, now = await (await self._now()).programme(programme)
        return as_of < now

    async def balance(
        self,
        programme: str,
        member: str,
        *,
        as_of: Instant | None = None,
        known_at: Instant | None = None,
        min_position: int = 0,
    ) -> BalanceAnswer:
        """A member's balances in every unit of the programme."""
        about = {"programme": programme, "member": member}
        past = await self._is_past(programme, as_of, known_at, min_position)
        async with self._snapshot(min_position, *(Past.VIEWS if past else ("balance", "programmes"))) as views:
            settings, now = await views.programme(programme)
            status = await views.require_member(programme, member)
            position, as_of = views.position, now if as_of is None else as_of
            if past:
                then = Past(views, as_of, known_at)
                position, status, rows = then.position, await then.status(**about), await then.balances(**about)
            else:
                rows = await views.rows("balance", statements.BALANCES, **about, as_of=as_of)
        sums = {unit: points for unit, *points in rows}
        units = [unit.name for unit in settings.units]
        balances = tuple(Balance(member, unit, *sums.get(unit, (0,))) for unit in units)
        return BalanceAnswer(balances, as_of, known_at, position, status)

    async def lots(
        self,
        programme: str,
        member: str,
        *,
        as_of: Instant | None = None,
        known_at: Instant | None = None,
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[LotRow]:
        """A member's lots in the order in which they are spent: those not expired at `as_of`, or with points held."""
        after = read_token(page_token, ("", 0, 0, 0))
        past = await self._is_past(programme, as_of, known_at, min_position)
        async with self._snapshot(min_position, *(Past.VIEWS if past else ("balance", "programmes"))) as views:
            _, now = await views.programme(programme)
            await views.require_member(programme, member)
            position, as_of = views.position, now if as_of is None else as_of
            if past:
                then = Past(views, as_of, known_at)
                position, rows = then.position, await then.lots(programme, member, after, page_size + 1)
            else:
                unit, expires_at, earned_at, number = after
                found = await views.rows(
                    "balance",
                    statements.LOTS,
                    programme=programme,
                    member=member,
                    as_of=as_of,
                    unit=unit,
                    expires_at=expires_at,
                    earned_at=earned_at,
                    number=number,
                    limit=page_size + 1,
                )
                rows = [LotRow(*row) for row in found]
        return page(
            rows, page_size, lambda row: (row.unit, row.expires_at, row.earned_at, lot_number(row.lot)), position
        )

    async def entries(
        self, programme: str, member: str, *, min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[EntryRow]:
        """A member's statement, newest first."""
        (before,) = read_token(page_token, (_LATEST,))
        async with self._snapshot(min_position, "statement", "balance", "programmes") as views:
            settings, _ = await views.programme(programme)
            await views.require_member(programme, member)
            found = await views.rows(
                "statement",
                statements.ENTRIES,
                programme=programme,
                member=member,
                units=[unit.name for unit in settings.units],
                before=before,
                limit=page_size + 1,
            )
        rows = [EntryRow(*(*row[:13], _lots.decode(row[13]), *row[14:])) for row in found]
        return page(rows, page_size, lambda row: (row.position,), views.position)

    # -- redemptions and stock

    async def redemption(self, programme: str, redemption: str, *, min_position: int = 0) -> RedemptionRow:
        """One redemption."""
        await self._reach(min_position, "redemptions")
        rows = await (await self._now()).rows(
            "redemptions", statements.REDEMPTION, programme=programme, redemption=redemption
        )
        if not rows:
            raise NotFound("redemption", redemption)
        return RedemptionRow(*rows[0])

    async def redemptions(
        self, programme: str, member: str, *, min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[RedemptionRow]:
        """A member's redemptions, those placed last first."""
        before, redemption = read_token(page_token, (_LATEST, ""))
        async with self._snapshot(min_position, "redemptions", "balance") as views:
            await views.require_member(programme, member)
            found = await views.rows(
                "redemptions",
                statements.REDEMPTIONS,
                programme=programme,
                member=member,
                before=before,
                redemption=redemption,
                limit=page_size + 1,
            )
        rows = [RedemptionRow(*row) for row in found]
        return page(rows, page_size, lambda row: (row.placed_at, row.redemption), views.position)

    @contextlib.asynccontextmanager
    async def _past(
        self, programme: str, as_of: Instant | None, known_at: Instant | None, min_position: int
    ) -> AsyncIterator[Past]:
        """What counts for a question about the past, as of the present where it names no time. Raises NotFound."""
        async with self._snapshot(min_position, *Past.VIEWS) as views:
            if as_of is None:
                _, as_of = await views.programme(programme)
            yield Past(views, as_of, known_at)

    async def stock_item(
        self,
        programme: str,
        sku: str,
        location: str,
        *,
        as_of: Instant | None = None,
        known_at: Instant | None = None,
        min_position: int = 0,
    ) -> StockRow:
        """One SKU at one location."""
        about = {"programme": programme, "sku": sku, "location": location}
        if as_of is None and known_at is None:
            await self._reach(min_position, "inventory")
            found = await (await self._now()).rows("inventory", statements.ITEM, **about)
            rows = [StockRow(*row) for row in found]
        else:
            async with self._past(programme, as_of, known_at, min_position) as past:
                rows = await past.stock_item(**about)
        if not rows:
            raise NotFound("stock item", f"{sku}@{location}")
        return rows[0]

    async def inventory(
        self,
        programme: str,
        *,
        sku: str = "",
        as_of: Instant | None = None,
        known_at: Instant | None = None,
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[StockRow]:
        """All stock items of a programme, or those of one SKU, by SKU and location."""
        after = read_token(page_token, ("", ""))
        if as_of is None and known_at is None:
            async with self._snapshot(min_position, "inventory") as views:
                after_sku, after_location = after
                found = await views.rows(
                    "inventory",
                    statements.ITEMS,
                    programme=programme,
                    sku=sku,
                    after_sku=after_sku,
                    after_location=after_location,
                    limit=page_size + 1,
                )
            position, rows = views.position, [StockRow(*row) for row in found]
        else:
            async with self._past(programme, as_of, known_at, min_position) as past:
                position, rows = past.position, await past.inventory(programme, sku, after, page_size + 1)
        return page(rows, page_size, lambda row: (row.sku, row.location), position)

    # -- what is due

    async def programmes(self) -> list[tuple[str, Instant]]:
        """Every programme with its present."""
        views = await self._now()
        rows = await views.rows("programmes", statements.PROGRAMMES, programme="")
        return [(programme, present(settings, clock)[1]) for programme, settings, clock in rows]

    async def due(self, programme: str, until: Instant, limit: int) -> list[DueSubject]:
        """Members and stock items with something that ended by an instant, earliest first.

        At most `limit`; there may be fewer although there are more, but none only if there is none.
        """
        views = await self._now()
        rows = await views.rows("due", statements.DUE, programme=programme, until=until, limit=limit)
        return [DueSubject(*row) for row in rows]

    async def wait(self, position: int) -> None:
        """Wait until what is due is known up to a position. Raises TooFarBehind."""
        await self._reach(position, "due", "programmes")

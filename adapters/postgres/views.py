"""The questions of `projections.queries`, asked of the projections' tables in PostgreSQL."""

import asyncio
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.errors import UndefinedTable
from psycopg_pool import PoolTimeout

from adapters.postgres.log import open_pool
from ledger.calendar import Instant
from ledger.errors import InvalidCommand, Unavailable
from ledger.events import ClockKind, Settings
from ledger.ids import lot_id
from ledger.quantities import Balance
from projections.projection import Projection
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
from projections.registry import PROJECTIONS

WAIT_SECONDS_MAX = 5.0
"""How long a question waits for its view to reach `min_position`."""
CONNECTIONS_MAX = 8
_POLL_SECONDS_MIN = 0.005
_POLL_SECONDS_MAX = 0.05

_BALANCES = """
SELECT unit, sum(remaining) FILTER (WHERE expires_at > %(at)s), sum(held),
       coalesce((SELECT sum(points) FROM {pending} AS pending WHERE pending.programme = %(programme)s
                 AND pending.member = %(member)s AND pending.unit = buckets.unit AND available_at > %(at)s), 0)
FROM {buckets} AS buckets WHERE programme = %(programme)s AND member = %(member)s GROUP BY unit ORDER BY unit
"""

_LOTS = """
SELECT number, unit, remaining, held, granted, earned_at, available_at, expires_at, issued, funding, source_type,
       source_id, root, unit_cost
FROM {lots} AS lots
WHERE programme = %(programme)s AND member = %(member)s AND (remaining > 0 AND expires_at > %(at)s OR held > 0)
  AND (unit, expires_at, earned_at, number) > (%(unit)s, %(expires_at)s, %(earned_at)s, %(number)s)
ORDER BY unit, expires_at, earned_at, number LIMIT %(limit)s
"""

_ENTRIES = """
SELECT position, kind, unit, points, held, balance, occurred_at, recorded_at, business_date, channel, source_type,
       source_id, rule, lots
FROM {entries} AS entries WHERE programme = %(programme)s AND member = %(member)s AND position < %(before)s
ORDER BY position DESC LIMIT %(limit)s
"""

_REDEMPTION = """
SELECT redemption, member, reward, quantity, state, kind, points, unit, cash, sku, location, outbound, placed_at,
       expires_at, closed_at, "order"
FROM {redemptions} AS redemptions WHERE programme = %(programme)s AND redemption = %(redemption)s
"""

_ITEMS = """
SELECT sku, location, on_hand, locked, on_hand - locked, shipped, received, value FROM {items} AS items
WHERE programme = %(programme)s AND (%(sku)s = '' OR sku = %(sku)s)
  AND (sku, location) > (%(after_sku)s, %(after_location)s)
ORDER BY sku, location LIMIT %(limit)s
"""

_DUE = """
SELECT DISTINCT member, '', '' FROM (
    (SELECT member FROM {lots} AS lots WHERE programme = %(programme)s AND expires_at <= %(until)s AND points > 0
     ORDER BY expires_at LIMIT %(limit)s)
    UNION ALL
    (SELECT member FROM {holds} AS holds WHERE programme = %(programme)s AND expires_at <= %(until)s
     ORDER BY expires_at LIMIT %(limit)s)) AS members
UNION ALL
SELECT DISTINCT '', sku, location FROM (
    SELECT sku, location FROM {locks} AS locks WHERE programme = %(programme)s AND expires_at <= %(until)s
    ORDER BY expires_at LIMIT %(limit)s) AS items
LIMIT %(limit)s
"""

_VIEWS: dict[str, Projection] = {projection.name: projection for projection in PROJECTIONS}
_settings = msgspec.json.Decoder(Settings)
_lots = msgspec.json.Decoder(tuple[tuple[str, int], ...])


def _token(*key: object) -> str:
    """The opaque token of a page: the key of the row before it."""
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _key(token: str, kinds: tuple[type, ...]) -> list[Any]:
    """The key in a page token. Raises InvalidCommand for what is none of ours."""
    try:
        key = msgspec.json.decode(urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=list[str | int])
    except (ValueError, msgspec.DecodeError):
        key = []
    if [type(part) for part in key] != list(kinds):
        raise InvalidCommand("page_token", "was not given by this query")
    return key


class PostgresQueries:
    """The views' answers, and what is due. Use it as an async context manager."""

    def __init__(self, dsn: str, wait_seconds: float = WAIT_SECONDS_MAX) -> None:
        self._pool = open_pool(dsn, "loyalty queries", CONNECTIONS_MAX)
        self._wait_seconds = wait_seconds

    async def __aenter__(self) -> "PostgresQueries":
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def _rows(self, view: str, query: str, parameters: dict[str, Any]) -> Sequence[Any]:
        statement = sql.SQL(_VIEWS[view].render(query))
        try:
            async with self._pool.connection() as connection:
                return await (await connection.cursor(binary=True).execute(statement, parameters)).fetchall()
        except UndefinedTable:
            raise TooFarBehind(f"the view {view!r} is not built yet") from None
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise Unavailable(f"the database is away: {error}") from error

    async def _position(self, view: str, min_position: int) -> int:
        """How far a view has come, once that is far enough. Raises TooFarBehind."""
        deadline = time.monotonic() + self._wait_seconds
        pause = _POLL_SECONDS_MIN
        while True:
            rows = await self._rows(
                view, "SELECT position FROM projections.projections WHERE name = %(name)s AND live", {"name": view}
            )
            position = int(rows[0][0]) if rows else 0
            if position >= min_position:
                return position
            if time.monotonic() >= deadline:
                raise TooFarBehind(f"the view {view!r} is at position {position}, not yet at {min_position}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _POLL_SECONDS_MAX)

    async def _now(self, programme: str) -> Instant:
        """The programme's present. Raises NotFound."""
        rows = await self._rows(
            "programmes",
            "SELECT settings, clock FROM {programmes} AS programmes WHERE programme = %(programme)s",
            {"programme": programme},
        )
        if not rows:
            raise NotFound("programme", programme)
        return _clock(*rows[0])

    async def balance(
        self, programme: str, member: str, *, at: Instant | None = None, min_position: int = 0
    ) -> BalanceAnswer:
        """A member's balances in every unit."""
        position = await self._position("balance", min_position)
        at = await self._at(programme, at, min_position)
        key = {"programme": programme, "member": member, "at": at}
        if not await self._rows(
            "balance", "SELECT FROM {members} WHERE programme = %(programme)s AND member = %(member)s", key
        ):
            raise NotFound("member", member)
        balances = []
        for unit, remaining, held, pending in await self._rows("balance", _BALANCES, key):
            balances.append(Balance(member, unit, int(remaining or 0) - int(pending), int(pending), int(held)))
        return BalanceAnswer(tuple(balances), at, position)

    async def _at(self, programme: str, at: Instant | None, min_position: int) -> Instant:
        if at is not None:
            return at
        await self._position("programmes", min_position)
        return await self._now(programme)

    async def lots(
        self,
        programme: str,
        member: str,
        *,
        at: Instant | None = None,
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[LotRow]:
        """A member's lots that have not expired, in the order in which they are spent; and those that are held."""
        position = await self._position("balance", min_position)
        after = _key(page_token, (str, int, int, int)) if page_token else ["", 0, 0, 0]
        key = {"programme": programme, "member": member, "at": await self._at(programme, at, min_position)}
        key |= dict(zip(("unit", "expires_at", "earned_at", "number"), after, strict=True))
        found = await self._rows("balance", _LOTS, {**key, "limit": page_size + 1})
        rows = tuple(LotRow(lot_id(member, row[0]), *row[1:]) for row in found[:page_size])
        last = found[page_size - 1] if len(found) > page_size else None
        return Page(rows, _token(last[1], last[7], last[5], last[0]) if last else "", position)

    async def entries(
        self, programme: str, member: str, *, min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[EntryRow]:
        """A member's statement, newest first."""
        position = await self._position("statement", min_position)
        before = _key(page_token, (int,))[0] if page_token else 2**62
        key = {"programme": programme, "member": member, "before": before, "limit": page_size + 1}
        found = await self._rows("statement", _ENTRIES, key)
        rows = tuple(EntryRow(*(*row[:13], _lots.decode(row[13]))) for row in found[:page_size])
        return Page(rows, _token(rows[-1].position) if len(found) > page_size else "", position)

    async def redemption(self, programme: str, redemption: str, *, min_position: int = 0) -> RedemptionRow:
        """One redemption."""
        await self._position("redemptions", min_position)
        found = await self._rows("redemptions", _REDEMPTION, {"programme": programme, "redemption": redemption})
        if not found:
            raise NotFound("redemption", redemption)
        return RedemptionRow(*found[0])

    async def stock_item(self, programme: str, sku: str, location: str, *, min_position: int = 0) -> StockRow:
        """One SKU at one location."""
        page = await self.inventory(programme, sku=sku, min_position=min_position, page_size=1_000)
        for row in page.rows:
            if row.location == location:
                return row
        raise NotFound("stock item", f"{sku}@{location}")

    async def inventory(
        self, programme: str, *, sku: str = "", min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[StockRow]:
        """All stock items of a programme, or those of one SKU, by SKU and location."""
        position = await self._position("inventory", min_position)
        after = _key(page_token, (str, str)) if page_token else ["", ""]
        key = {"programme": programme, "sku": sku, "after_sku": after[0], "after_location": after[1]}
        found = await self._rows("inventory", _ITEMS, {**key, "limit": page_size + 1})
        rows = tuple(StockRow(*row) for row in found[:page_size])
        return Page(rows, _token(rows[-1].sku, rows[-1].location) if len(found) > page_size else "", position)

    # -- what is due

    async def programmes(self) -> list[tuple[str, Instant]]:
        """Every programme with its present."""
        rows = await self._rows("programmes", "SELECT programme, settings, clock FROM {programmes} AS programmes", {})
        return [(row[0], _clock(row[1], row[2])) for row in rows]

    async def due(self, programme: str, until: Instant, limit: int) -> list[DueSubject]:
        """Members and stock items with something that ended by an instant, at most so many, earliest first."""
        key = {"programme": programme, "until": until, "limit": limit}
        return [DueSubject(*row) for row in await self._rows("due", _DUE, key)]

    async def wait(self, position: int) -> None:
        """Wait until what is due is known up to a position. Raises TooFarBehind."""
        await self._position("due", position)


def _clock(settings: str, clock: Instant) -> Instant:
    manual = _settings.decode(settings).clock is ClockKind.MANUAL
    return clock if manual else time.time_ns() // 1_000

"""How things stood at a time of the past, by what was known at another: sums of postings.

Nothing is decided again: which lots gave which points stands in the postings.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

from adapters.postgres import past_statements as statements
from adapters.postgres.reading import Reading
from ledger.calendar import Instant
from ledger.ids import lot_id
from projections.queries import LotRow, StockRow

_EVER: Instant = 2**62


class Past:
    """What counts in a snapshot: postings effective by `as_of` and recorded by `known_at`, where that is given."""

    VIEWS = ("postings", "balance", "programmes")
    """What the snapshot has to have: the second has of each lot what never changes."""

    def __init__(self, views: Reading, as_of: Instant, known_at: Instant | None) -> None:
        self.position = views.reached("postings", "balance")
        """Postings behind this do not count: they may be of lots that the other view has not got yet."""
        self._views = views
        known_at = _EVER if known_at is None else known_at
        self._counts = {"as_of": as_of, "known_at": known_at, "position": self.position}

    async def _read(self, statement: LiteralString, **parameters: Any) -> list[Any]:
        return await self._views.rows("postings", statement, **self._counts, **parameters)

    async def status(self, programme: str, member: str) -> str:
        """How a member stood."""
        rows = await self._read(statements.MEMBER, programme=programme, member=member)
        return str(rows[0][0]) if rows else "NOT_ENROLLED"

    async def balances(self, programme: str, member: str) -> list[Any]:
        """A row for each unit: its name, then points open, pending, held, quarantined and owed."""
        return await self._read(statements.BALANCES, programme=programme, member=member)

    async def lots(self, programme: str, member: str, after: Sequence[Any], limit: int) -> list[LotRow]:
        """The lots behind unit, expiry, earning time and number, in the order in which they are spent."""
        unit, expires_at, earned_at, number = after
        about = {"programme": programme, "member": member}
        found = await self._read(
            statements.LOTS, **about, unit=unit, expires_at=expires_at, earned_at=earned_at, number=number, limit=limit
        )
        numbers = [row[1] for row in found]
        described = await self._views.rows("balance", statements.GRANTS, **about, numbers=numbers)
        grants = {number: grant for number, *grant in described}
        rows = []
        for unit, number, remaining, held, *dates, quarantined in found:
            granted, *grant = grants[number]
            values = (unit, remaining, held, granted, *dates, *grant, quarantined)
            rows.append(LotRow(lot_id(member, number), *values))
        return rows

    async def stock_item(self, programme: str, sku: str, location: str) -> list[StockRow]:
        """One SKU at one location, if it was there."""
        rows = await self._read(statements.ITEM, programme=programme, sku=sku, location=location)
        return [StockRow(*row) for row in rows]

    async def inventory(self, programme: str, sku: str, after: Sequence[str], limit: int) -> list[StockRow]:
        """The stock items behind a SKU and a location, by these; of one SKU, where it is named."""
        after_sku, after_location = after
        rows = await self._read(
            statements.ITEMS,
            programme=programme,
            sku=sku,
            after_sku=after_sku,
            after_location=after_location,
            limit=limit,
        )
        return [StockRow(*row) for row in rows]

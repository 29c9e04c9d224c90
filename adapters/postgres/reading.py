"""Rows of the live views, and what several questions begin with."""

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, LiteralString, NamedTuple

import msgspec
from psycopg.errors import UndefinedColumn, UndefinedTable
from psycopg.sql import SQL

from adapters.postgres import view_statements as statements
from adapters.postgres.pool import Fetch
from ledger.calendar import Instant
from ledger.settings import ClockKind, Settings
from projections.projection import Build, Projection
from projections.queries import NotFound, TooFarBehind
from projections.registry import PROJECTIONS

_VIEWS: dict[str, Projection] = {projection.name: projection for projection in PROJECTIONS}
_settings = msgspec.json.Decoder(Settings)


class Live(NamedTuple):
    """The build of a view that readers see."""

    build: int
    position: int


async def read_live(fetch: Fetch) -> dict[str, Live]:
    """The live builds, by the names of their views."""
    return {name: Live(*live) for name, *live in await fetch(statements.POSITIONS)}


@lru_cache
def _rendered(view: str, build: int, query: LiteralString) -> SQL:
    return SQL(Build(_VIEWS[view], build).render(query))


class Reading:
    """Reads views as they are or, in a snapshot, as they were when they had come to `position`."""

    def __init__(self, fetch: Fetch, live: Mapping[str, Live], position: int = 0) -> None:
        self.position = position
        self._fetch = fetch
        self._live = live

    def reached(self, *views: str) -> int:
        """How far all of these views have come."""
        return min(self._live[view].position for view in views)

    async def rows(self, view: str, query: LiteralString, **parameters: Any) -> list[Any]:
        """All rows of a query; `{lots}` is the table `lots` of the live build. Raises TooFarBehind.

        A build of another version answers as long as it has what is asked for; one that was dropped just now does not.
        """
        try:
            return await self._fetch(_rendered(view, self._live[view].build, query), parameters)
        except (KeyError, UndefinedTable, UndefinedColumn):
            raise TooFarBehind(f"the view {view!r} is not built yet") from None

    async def programme(self, programme: str) -> tuple[Settings, Instant]:
        """A programme's settings and present. Raises NotFound."""
        rows = await self.rows("programmes", statements.PROGRAMMES, programme=programme)
        if not programme or not rows:
            raise NotFound("programme", programme)
        return present(*rows[0][1:])

    async def require_member(self, programme: str, member: str) -> str:
        """A member's status. Raises NotFound."""
        rows = await self.rows("balance", statements.MEMBER, programme=programme, member=member)
        if not rows:
            raise NotFound("member", member)
        return str(rows[0][0])


def present(settings: str, clock: Instant) -> tuple[Settings, Instant]:
    """A programme's settings, and its present by the clock that they name."""
    known = _settings.decode(settings)
    return known, clock if known.clock is ClockKind.MANUAL else time.time_ns() // 1_000

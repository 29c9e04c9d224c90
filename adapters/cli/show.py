"""What the command line shows of views and log: read straight from the database, so that no service has to run."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import typer
from pydantic import SecretStr
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.app.database import borrowed_database
from adapters.app.settings import Settings
from adapters.postgres.log import PostgresLog
from adapters.postgres.reports import PostgresReports
from ledger.calendar import NEVER, Instant, to_datetime, to_instant
from ledger.errors import InvalidCommand
from ledger.ids import encode_id
from projections.queries import NotFound


@asynccontextmanager
async def open_queries(settings: Settings) -> AsyncIterator[PostgresReports]:
    """The views of the configured database; what is not in them ends the command with a hint."""
    with borrowed_database(settings) as database:
        async with PostgresReports(database.app_dsn) as queries:
            try:
                yield queries
            except NotFound as missing:
                Console(stderr=True).print(f"[red]{missing}[/]: check the name, and --data-dir.", highlight=False)
                raise typer.Exit(1) from None
            except InvalidCommand as problem:
                Console(stderr=True).print(f"[red]{problem}[/]", highlight=False)
                raise typer.Exit(2) from None


def time_of(instant: Instant | None) -> str:
    if instant is None:
        return ""
    return "never" if instant >= NEVER else f"{to_datetime(instant):%Y-%m-%d %H:%M:%S}"


def _day(instant: Instant) -> str:
    return "never" if instant >= NEVER else f"{to_datetime(instant):%Y-%m-%d}"


def _instant(moment: datetime | None) -> Instant | None:
    """A time that was asked for; without a zone it is UTC, like all that is shown."""
    if moment is None:
        return None
    return to_instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _about(known_at: Instant | None) -> str:
    """What a title says of the time by which things were known."""
    return "" if known_at is None else f", as known at {time_of(known_at)} UTC"


async def balance(
    console: Console,
    settings: Settings,
    programme: str,
    member: str,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> None:
    """A member's balances and the lots behind them."""
    name, whose, then, known = encode_id(programme), encode_id(member), _instant(as_of), _instant(known_at)
    async with open_queries(settings) as queries:
        answer = await queries.balance(name, whose, as_of=then, known_at=known)
        lots = await queries.lots(name, whose, as_of=then, known_at=known, page_size=20)
    status = answer.status.lower().replace("_", " ")
    table = Table(
        title=f"{member} ({status}), as of {time_of(answer.as_of)} UTC{_about(answer.known_at)}",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in ("unit", "open", "pending", "held", "quarantined", "debt", "balance"):
        table.add_column(name, justify="left" if name == "unit" else "right")
    for row in answer.balances:
        numbers = (row.open, row.pending, row.held, row.quarantined, row.debt, row.balance)
        table.add_row(row.unit, *(f"{number:,}" for number in numbers))
    console.print(table)
    table = Table(
        title="Lots, in the order in which they are spent", title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    for name in ("lot", "points", "held", "earned", "expires", "source"):
        table.add_column(name, justify="right" if name in {"points", "held"} else "left")
    for lot in lots.rows:
        source = f"{lot.source_type} {lot.source_id}"
        table.add_row(lot.lot, f"{lot.points:,}", f"{lot.held:,}", _day(lot.earned_at), _day(lot.expires_at), source)
    console.print(table)
    if lots.next_page_token:
        console.print("There are more lots.")


async def statement(console: Console, settings: Settings, programme: str, member: str, limit: int) -> None:
    """A member's entries, newest first."""
    async with open_queries(settings) as queries:
        page = await queries.entries(encode_id(programme), encode_id(member), page_size=limit)
    table = Table(title=f"Statement of {member}, newest first", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    widths = {"when (UTC)": 16, "what": 9, "points": 7, "held": 6, "balance": 7, "source": None}
    for name, width in widths.items():
        justify: Literal["left", "right"] = "right" if name in {"points", "held", "balance"} else "left"
        table.add_column(name, justify=justify, no_wrap=True, min_width=width)
    for row in page.rows:
        table.add_row(
            f"{to_datetime(row.occurred_at):%Y-%m-%d %H:%M}",
            row.kind.removeprefix("points.").removesuffix(".v1"),
            f"{row.points:+,}" if row.points else "",
            f"{row.held:+,}" if row.held else "",
            f"{row.balance:,}",
            f"{row.source_type} {row.source_id}".strip(),
        )
    console.print(table)
    if page.next_page_token:
        console.print(f"There are older entries: --limit shows more than {limit}.")


async def inventory(
    console: Console,
    settings: Settings,
    programme: str,
    sku: str,
    limit: int,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> None:
    """Stock items, by SKU and location."""
    then, known = _instant(as_of), _instant(known_at)
    async with open_queries(settings) as queries:
        page = await queries.inventory(
            encode_id(programme), sku=encode_id(sku) if sku else "", as_of=then, known_at=known, page_size=limit
        )
    when = "" if then is None else f", as of {time_of(then)} UTC"
    title = f"Inventory of {programme}{when}{_about(known)}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    names = ("sku", "location", "received", "counted", "transferred", "on hand", "locked", "available", "shipped", "")
    for name in names:
        table.add_column(name, justify="left" if name in {"sku", "location", ""} else "right")
    for row in page.rows:
        sources = (row.received, row.counted, row.transferred)
        numbers = (*sources, row.on_hand, row.locked, row.available, row.shipped)
        remarks = ["discontinued"] * row.discontinued + [f"{row.shortage:,} short"] * (row.shortage > 0)
        table.add_row(row.sku, row.location, *(f"{number:,}" for number in numbers), ", ".join(remarks))
    console.print(table)
    if page.next_page_token:
        console.print(f"There are more items: --limit shows more than {limit}, --sku one of them.")


async def events(settings: Settings, after: int, limit: int, filters: dict[str, Any]) -> None:
    """Events as JSON lines, each in the version in which it was recorded."""
    left = limit
    with borrowed_database(settings) as database:
        async with PostgresLog(database.app_dsn) as log:
            async for records in log.records(after, **filters):
                for record in records:
                    line = {
                        "position": record.position,
                        "stream": record.stream,
                        "version": record.version,
                        "topic": record.topic,
                        "occurred_at": to_datetime(record.occurred_at),
                        "recorded_at": to_datetime(record.recorded_at),
                        "business_date": record.business_date,
                        "actor": record.actor,
                        "channel": record.channel,
                        "command_id": record.command_id.hex(),
                        "event": msgspec.Raw(record.event),
                    }
                    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
                    left -= 1
                    if left == 0:
                        return


def config(console: Console, settings: Settings) -> None:
    """Every setting, its value, and what it is for."""
    table = Table(
        title="Settings: environment, then loyalty.toml, then these defaults",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in ("environment variable", "value", "what it is for"):
        table.add_column(name)
    values = settings.environment()
    for name, field in Settings.model_fields.items():
        variable = f"LOYALTY_{name.upper()}"
        shown = "********" if isinstance(getattr(settings, name), SecretStr) else values.get(variable, "")
        table.add_row(variable, escape(shown), field.description)
    console.print(table)

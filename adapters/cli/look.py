"""The commands that show what the service knows."""

import asyncio
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from adapters.cli.terminal import console, errors, say
from projections.reports import Dimension

PANEL = "Look"

DAYS = ["%Y-%m-%d"]

_TIMES = ["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
AsOf = Annotated[
    datetime | None,
    typer.Option(formats=_TIMES, help="For a time of business, UTC; by default the present.", show_default=False),
]
KnownAt = Annotated[
    datetime | None,
    typer.Option(formats=_TIMES, help="Only what was recorded by a time, UTC.", show_default=False),
]

app = typer.Typer()


def _day(moment: datetime | None) -> date | None:
    """The option's day: Typer knows moments only."""
    return None if moment is None else moment.date()


@app.command(rich_help_panel=PANEL)
def balance(context: typer.Context, programme: str, member: str, as_of: AsOf = None, known_at: KnownAt = None) -> None:
    """Show a member's balances and lots, now or in the past.

    What was shown at 10:02 is --as-of and --known-at both at 10:02; what should have been shown is --as-of alone.
    """
    from adapters.cli import show

    asyncio.run(show.balance(console, context.obj, programme, member, as_of, known_at))


@app.command(rich_help_panel=PANEL)
def statement(
    context: typer.Context,
    programme: str,
    member: str,
    limit: Annotated[int, typer.Option(help="How many entries, newest first.", min=1, max=1000)] = 20,
) -> None:
    """Show what happened to a member's points, newest first, with the source of every entry."""
    from adapters.cli import show

    asyncio.run(show.statement(console, context.obj, programme, member, limit))


@app.command(rich_help_panel=PANEL)
def inventory(
    context: typer.Context,
    programme: str,
    sku: Annotated[str, typer.Option(help="Only this SKU.")] = "",
    limit: Annotated[int, typer.Option(help="How many items.", min=1, max=1000)] = 20,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> None:
    """Show stock: where it came from, what is there, locked and available, what is missing or discontinued."""
    from adapters.cli import show

    asyncio.run(show.inventory(console, context.obj, programme, sku, limit, as_of, known_at))


@app.command(rich_help_panel=PANEL)
def expiring(
    context: typer.Context,
    programme: str,
    member: Annotated[str, typer.Option(help="Only this member.")] = "",
    to: Annotated[datetime | None, typer.Option(help="Up to this last day.", formats=DAYS)] = None,
    limit: Annotated[int, typer.Option(help="How many rows, first due first.", min=1, max=1000)] = 20,
) -> None:
    """Show which points expire soon: whom to remind, of how many, and until when they can be spent."""
    from adapters.cli import show_reports

    asyncio.run(show_reports.expiring(console, context.obj, programme, member, _day(to), limit))


@app.command(rich_help_panel=PANEL)
def holds(
    context: typer.Context,
    programme: str,
    member: Annotated[str, typer.Option(help="Only this member's, those that have ended, too.")] = "",
    limit: Annotated[int, typer.Option(help="How many holds, the oldest first.", min=1, max=1000)] = 20,
) -> None:
    """Show open holds, the oldest first: what is set aside for what, since when and until when."""
    from adapters.cli import show_reports

    asyncio.run(show_reports.holds(console, context.obj, programme, member, limit))


@app.command(rich_help_panel=PANEL)
def totals(
    context: typer.Context,
    programme: str,
    first: Annotated[datetime | None, typer.Option("--from", help="First business date.", formats=DAYS)] = None,
    last: Annotated[datetime | None, typer.Option("--to", help="Last business date.", formats=DAYS)] = None,
    by: Annotated[list[Dimension] | None, typer.Option(help="Tell apart by this; may be given several times.")] = None,
    limit: Annotated[int, typer.Option(help="How many rows.", min=1, max=1000)] = 100,
) -> None:
    """Show by day what was issued, became available, was redeemed, expired and taken back, and what is outstanding.

    Without dates: the thirty-one days up to the programme's present.
    """
    from adapters.cli import show_reports

    asyncio.run(show_reports.totals(console, context.obj, programme, _day(first), _day(last), by or [], limit))


@app.command(rich_help_panel=PANEL)
def events(
    context: typer.Context,
    after: Annotated[int, typer.Option(help="Begin after this position.", min=0)] = 0,
    programme: Annotated[str, typer.Option(help="Only this programme.")] = "",
    stream: Annotated[str, typer.Option(help="Only this stream, for example grocery/member/1023.")] = "",
    topic: Annotated[list[str] | None, typer.Option(help="Only this topic; may be given several times.")] = None,
    limit: Annotated[int, typer.Option(help="How many events at most; 0: all.", min=0)] = 20,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for new ones, until Ctrl-C.")] = False,
) -> None:
    """Print events of the log as JSON, one a line, in order."""
    from adapters.cli import show

    filters = {"programme": programme, "stream": stream, "topics": tuple(topic or ()), "follow": follow}
    asyncio.run(show.events(context.obj, after, limit, filters))


@app.command(rich_help_panel=PANEL)
def export(
    context: typer.Context,
    view: Annotated[str, typer.Argument(help="A view of the data dictionary, such as totals; or events, for the log.")],
    kind: Annotated[Literal["parquet", "csv"], typer.Option("--format", help="The kind of file.")] = "parquet",
    first: Annotated[
        datetime | None, typer.Option("--from", help="Only from this business date on.", formats=DAYS)
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", help="Only up to this business date.", formats=DAYS)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file; VIEW.FORMAT by default.", show_default=False)
    ] = None,
) -> None:
    """Write a view, or the decoded log, to a Parquet or CSV file.

    --from and --to are business dates, in the programme's time zone: late events belong to the day on which they
    happened. Views whose rows have no business date, such as balances, are exported as they are now.
    """
    from adapters.cli.export import run_export
    from adapters.postgres.exporting import CannotExport

    path = output or Path(f"{view}.{kind}")
    try:
        rows = run_export(errors, context.obj, view, kind, _day(first), _day(last), path)
    except CannotExport as fault:
        say(fault)
        raise typer.Exit(2) from None
    console.print(f"{rows:,} rows in {path}", markup=False, highlight=False, soft_wrap=True)


@app.command(rich_help_panel=PANEL, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sql(
    context: typer.Context,
    dsn: Annotated[bool, typer.Option("--dsn", help="Only print how to connect, for other programs.")] = False,
) -> None:
    """Open psql as a role that reads all views and the decoded log, and nothing else; psql's own options may follow."""
    from adapters.cli.sql import connection_string, run_psql

    if dsn:
        print(connection_string(context.obj))
        return
    raise typer.Exit(run_psql(context.obj, context.args))

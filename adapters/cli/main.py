"""`loyalty`: runs the service, shows what it knows, and keeps it in order."""

import asyncio
import os
import signal
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError
from rich.console import Console

from adapters.app.settings import Settings
from projections.reports import Dimension

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

app = typer.Typer(
    help="Loyalty Ledger: an event-sourced ledger for member points.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
console = Console()
errors = Console(stderr=True)


def _say(fault: Exception | str) -> None:
    errors.print(str(fault), style="red", markup=False, highlight=False, soft_wrap=True)


def _day(moment: datetime | None) -> date | None:
    """The option's day: Typer knows moments only."""
    return None if moment is None else moment.date()


@app.callback()
def main_options(
    context: typer.Context,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the embedded PostgreSQL keeps its data.", show_default=False)
    ] = None,
) -> None:
    """Read the configuration: what is said here, then LOYALTY_* in the environment, then loyalty.toml."""
    try:
        context.obj = Settings() if data_dir is None else Settings(data_dir=data_dir)
    except ValidationError as error:
        for problem in error.errors():
            where = ".".join(map(str, problem["loc"])) or "settings"
            errors.print(f"[red]{where}[/]: {problem['msg'].removeprefix('Value error, ')}", highlight=False)
        errors.print("Set it in the environment (LOYALTY_...) or in loyalty.toml; `loyalty config` lists all names.")
        raise typer.Exit(2) from None


@app.command(rich_help_panel="Run")
def serve(context: typer.Context) -> None:
    """Serve until Ctrl-C: PostgreSQL, the gateway for gRPC, the writer, and the projections."""
    from adapters.app.logs import configure_logs
    from adapters.app.supervisor import Supervisor

    settings: Settings = context.obj
    configure_logs(settings)
    supervisor = Supervisor(settings, lambda port: print(f"ready on {settings.host}:{port}", flush=True))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    supervisor.run()


@app.command(rich_help_panel="Run")
def demo() -> None:
    """Replay a grocery chain's real year through a service of its own, and tie the books out."""
    try:
        from adapters.cli.demo import run_demo
    except ModuleNotFoundError as error:
        errors.print(f"The demonstration needs its data: pip install 'loyalty-ledger[demo]' ({error.name} is missing).")
        raise typer.Exit(2) from None
    raise typer.Exit(0 if run_demo(console) else 1)


@app.command(rich_help_panel="Run")
def bench(
    full: Annotated[bool, typer.Option("--full", help="Load ten million events first; takes far longer.")] = False,
    only: Annotated[str, typer.Option(help="Only these rows, for example W1,W2.")] = "",
) -> None:
    """Measure the service against its yardsticks; writes build/bench.json."""
    from adapters.cli.bench.run import run_bench

    run_bench(console, full=full, only=[name for name in only.upper().split(",") if name])


@app.command(rich_help_panel="Look")
def balance(context: typer.Context, programme: str, member: str, as_of: AsOf = None, known_at: KnownAt = None) -> None:
    """Show a member's balances and lots, now or in the past.

    What was shown at 10:02 is --as-of and --known-at both at 10:02; what should have been shown is --as-of alone.
    """
    from adapters.cli import show

    asyncio.run(show.balance(console, context.obj, programme, member, as_of, known_at))


@app.command(rich_help_panel="Look")
def statement(
    context: typer.Context,
    programme: str,
    member: str,
    limit: Annotated[int, typer.Option(help="How many entries, newest first.", min=1, max=1000)] = 20,
) -> None:
    """Show what happened to a member's points, newest first, with the source of every entry."""
    from adapters.cli import show

    asyncio.run(show.statement(console, context.obj, programme, member, limit))


@app.command(rich_help_panel="Look")
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


@app.command(rich_help_panel="Look")
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


@app.command(rich_help_panel="Look")
def holds(
    context: typer.Context,
    programme: str,
    member: Annotated[str, typer.Option(help="Only this member's, those that have ended, too.")] = "",
    limit: Annotated[int, typer.Option(help="How many holds, the oldest first.", min=1, max=1000)] = 20,
) -> None:
    """Show open holds, the oldest first: what is set aside for what, since when and until when."""
    from adapters.cli import show_reports

    asyncio.run(show_reports.holds(console, context.obj, programme, member, limit))


@app.command(rich_help_panel="Look")
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


@app.command(rich_help_panel="Look")
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


@app.command(rich_help_panel="Look")
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
        _say(fault)
        raise typer.Exit(2) from None
    console.print(f"{rows:,} rows in {path}", markup=False, highlight=False, soft_wrap=True)


@app.command(rich_help_panel="Look", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
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


@app.command(rich_help_panel="Keep in order")
def verify(
    context: typer.Context,
    head: Annotated[
        Path | None, typer.Option(help="Check a head kept earlier: its signature, and that the log still holds it.")
    ] = None,
    keep_head: Annotated[Path | None, typer.Option(help="Sign the present head and write it to this file.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="The key of heads: the private one to keep, the public one is enough to check.")
    ] = None,
    processes: Annotated[int, typer.Option(help="How many processes share the work.", min=1, max=64)] = 2,
) -> None:
    """Verify the whole log: every event's hash, every batch, every answer.

    A tail that was cut off, or rewritten with new hashes, is found by a head that was kept outside the database.
    """
    from adapters.cli.check import run_verify
    from adapters.cli.heads import HeadError

    try:
        unchanged = run_verify(console, context.obj, head, keep_head, key, processes)
    except HeadError as error:
        _say(error)
        raise typer.Exit(2) from None
    raise typer.Exit(0 if unchanged else 1)


@app.command(rich_help_panel="Keep in order")
def make_key(
    path: Annotated[Path, typer.Argument(help="Where the private key goes; the public one gets .pub.")],
) -> None:
    """Make a key to sign heads with (Ed25519)."""
    from adapters.cli.heads import HeadError
    from adapters.cli.heads import make_key as make

    try:
        public = make(path)
    except HeadError as error:
        _say(error)
        raise typer.Exit(2) from None
    console.print(f"Keep {path} secret; {public} is for everybody who checks heads.")


_View = Annotated[str, typer.Argument(help="The view, for example balance.")]
_Views = Annotated[list[str] | None, typer.Argument(help="The views, for example balance; none: all of them.")]


@app.command(rich_help_panel="Views")
def projections(context: typer.Context) -> None:
    """Show where every view stands: builds, state, position, lag, rate, and what is parked."""
    from adapters.cli import operate

    asyncio.run(operate.projections(console, context.obj))


@app.command(rich_help_panel="Views")
def rebuild(
    context: typer.Context,
    views: _Views = None,
    rate: Annotated[int | None, typer.Option(help="Events a second at most, to spare the machine.", min=1)] = None,
) -> None:
    """Build views anew beside the live ones, compare them row by row, and swap. Ctrl-C stops the watching only."""
    from adapters.cli import operate

    done = asyncio.run(operate.rebuild(console, context.obj, views or operate.NAMES, rate))
    raise typer.Exit(0 if done else 1)


@app.command(rich_help_panel="Views")
def pause_rebuild(context: typer.Context, view: _View) -> None:
    """Let a rebuild wait."""
    _operate(context, "pause", view, f"{view}: the build waits; `loyalty resume-rebuild {view}` lets it go on.")


@app.command(rich_help_panel="Views")
def resume_rebuild(context: typer.Context, view: _View) -> None:
    """Let a rebuild that waits go on, by the service."""
    _operate(context, "resume", view, f"{view}: the build goes on.")


@app.command(rich_help_panel="Views")
def cancel_rebuild(context: typer.Context, view: _View) -> None:
    """Give a rebuild up and drop its tables."""
    _operate(context, "cancel", view, f"{view}: the build is no more.")


@app.command(rich_help_panel="Views")
def swap(context: typer.Context, view: _View) -> None:
    """Let a rebuilt view take over although it differs from the live one."""
    from adapters.cli import operate

    raise typer.Exit(0 if asyncio.run(operate.swap(console, context.obj, view)) else 1)


@app.command(rich_help_panel="Views")
def rollback(context: typer.Context, view: _View) -> None:
    """Go back to the build of a view that was live before."""
    from adapters.cli import operate

    raise typer.Exit(0 if asyncio.run(operate.rollback(console, context.obj, view)) else 1)


@app.command(rich_help_panel="Views")
def drop_build(context: typer.Context, view: _View, build: int) -> None:
    """Drop a build that is not live: one that was, one that is under way, or a replay."""
    _operate(context, "drop", view, f"{view}: build {build} is no more.", build)


@app.command(rich_help_panel="Views")
def replay_parked(context: typer.Context, view: _View) -> None:
    """Fold the events of parked keys, after what was wrong is repaired."""
    from adapters.cli import operate

    raise typer.Exit(0 if asyncio.run(operate.replay_parked(console, context.obj, view)) else 1)


@app.command(rich_help_panel="Views")
def replay(
    context: typer.Context,
    to: Annotated[str, typer.Option(help="A position, or a time with its offset: 2026-03-31T23:59:59+08:00.")],
    into: Annotated[str, typer.Option(help="The schema that they are built in, beside the live ones.")],
    views: _Views = None,
) -> None:
    """Build views as of a position or a time in a schema of their own."""
    from adapters.cli import operate

    done = asyncio.run(operate.replay(console, context.obj, views or operate.NAMES, to, into))
    raise typer.Exit(0 if done else 1)


def _operate(context: typer.Context, operation: str, view: str, said: str, *values: int) -> None:
    from adapters.cli import operate

    asyncio.run(operate.once(console, context.obj, operation, (view, *values), said))


@app.command(rich_help_panel="Keep in order")
def migrate(context: typer.Context) -> None:
    """Bring the database's schema up to date; `serve` does so by itself."""
    from adapters.app.database import borrowed_database, bring_up_to_date

    with borrowed_database(context.obj) as database:
        before, after = bring_up_to_date(database)
    console.print(
        f"The schema is at {after}." if before == after else f"Migrated from {before or 'nothing'} to {after}."
    )


@app.command(rich_help_panel="Keep in order")
def config(context: typer.Context) -> None:
    """Show every setting, its value and what it is for; secrets are hidden."""
    from adapters.cli import show

    show.config(console, context.obj)


def main() -> None:
    """The entry point; a fault that the user can mend is one line, not a stack."""
    # Whoever runs a program of PostgreSQL as another user forks; handlers of gRPC's crash in some of those children.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    import psycopg

    from adapters.app.child import Misconfigured
    from adapters.postgres.embedded import EmbeddedServerError
    from ledger.errors import Unavailable

    try:
        app()
    except EmbeddedServerError as error:
        _say(error)
        sys.exit(1)
    except Misconfigured as error:
        _say(error)
        sys.exit(2)
    except (psycopg.OperationalError, Unavailable) as error:
        _say(f"The database cannot be reached; is LOYALTY_DSN right? {str(error).strip()}")
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()

"""`loyalty`: runs the service, shows what it knows, and keeps it in order."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from adapters.app.settings import Settings
from adapters.cli import look, views
from adapters.cli.terminal import console, errors, say

app = typer.Typer(
    help="Loyalty Ledger: an event-sourced ledger for member points.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
app.add_typer(look.app)
app.add_typer(views.app)


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


@contextmanager
def _demo_data(work: str) -> Iterator[None]:
    """Say what to install where data for some work is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        errors.print(f"{work} needs data: pip install 'loyalty-ledger[demo]' ({error.name} is missing).")
        raise typer.Exit(2) from None


@app.command(rich_help_panel="Run")
def demo() -> None:
    """Replay a grocery chain's real year through a service of its own, and tie the books out."""
    with _demo_data("The demonstration"):
        from adapters.cli.demo import run_demo
    raise typer.Exit(0 if run_demo(console) else 1)


@app.command(rich_help_panel="Run")
def bench(
    full: Annotated[bool, typer.Option("--full", help="Ten million events, and real data: half an hour.")] = False,
    only: Annotated[str, typer.Option(help="Only these rows, for example W1,W2.")] = "",
) -> None:
    """Measure the service against its yardsticks; writes build/bench.json."""
    from adapters.cli.bench.run import run_bench

    with _demo_data("The full benchmark"):
        run_bench(console, full=full, only=[name for name in only.upper().split(",") if name])


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
        say(error)
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
        say(error)
        raise typer.Exit(2) from None
    console.print(f"Keep {path} secret; {public} is for everybody who checks heads.")


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
    from adapters.app.logs import quiet_logs
    from adapters.postgres.embedded import EmbeddedServerError
    from ledger.errors import Unavailable

    quiet_logs()
    try:
        app()
    except EmbeddedServerError as error:
        say(error)
        sys.exit(1)
    except Misconfigured as error:
        say(error)
        sys.exit(2)
    except (psycopg.OperationalError, Unavailable) as error:
        say(f"The database cannot be reached; is LOYALTY_DSN right? {str(error).strip()}")
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()

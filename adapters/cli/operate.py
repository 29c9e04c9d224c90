"""What operators do with views: see where they stand, build them anew, go back, and replay what was parked.

What is asked for is written down in the database. The service does it; where none runs, the command itself does.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from adapters.app.database import borrowed_database
from adapters.app.settings import Settings
from adapters.postgres.operations import PostgresOperations
from adapters.postgres.projecting import ProjectionRunner
from adapters.postgres.replaying import make_schema, position_at
from projections.operations import BuildStatus, Operations, State, WrongState
from projections.queries import NotFound
from projections.registry import PROJECTIONS
from projections.watching import paces, until_replayed, watch

NAMES = [projection.name for projection in PROJECTIONS]
RATE_SECONDS = 1.0
"""Between the two looks that tell how fast something is."""
DIFFERENCES_SHOWN_MAX = 10


@asynccontextmanager
async def operations(settings: Settings) -> AsyncIterator[PostgresOperations]:
    """The operations of the configured database; what cannot be done ends the command with one line."""
    with borrowed_database(settings) as database:
        try:
            yield PostgresOperations(database.app_dsn)
        except (NotFound, WrongState) as error:
            Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(1) from None


@asynccontextmanager
async def working(settings: Settings, names: Sequence[str]) -> AsyncIterator[None]:
    """Lead projections in this process where no service does, for as long as a command waits for them."""
    with borrowed_database(settings) as database:
        runner = ProjectionRunner(database.app_dsn, [each for each in PROJECTIONS if each.name in names])
        running = asyncio.create_task(runner.run())
        try:
            yield
        finally:
            runner.stop()
            await running


def _table(title: str, columns: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name, justify in columns.items():
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=name != "why")
    return table


async def projections(console: Console, settings: Settings) -> None:
    """Every build with its state, position, lag and rate; then the keys that are parked."""
    async with operations(settings) as asked:
        rows = await paces(asked, RATE_SECONDS)
        keys = await asked.parked()
    left = ("view", "state")
    names = ("view", "build", "version", "state", "position", "lag", "lag s", "events/s", "parked")
    table = _table("Projections", {name: "left" if name in left else "right" for name in names} | {"why": "left"})
    for status, rate in rows:
        place = status.name if status.schema == "projections" else f"{status.schema}.{status.name}"
        numbers = (status.position, status.lag_events)
        why = f"at {status.failed_position:,}: {status.reason}" if status.failed_position else status.reason or ""
        table.add_row(
            place,
            str(status.build),
            str(status.version),
            "RUNNING, live" if status.live and status.state is State.RUNNING else status.state + ", live" * status.live,
            *(f"{number:,}" for number in numbers),
            f"{status.lag_seconds:,.1f}",
            f"{rate:,}",
            f"{status.parked_keys:,}",
            escape(why),
        )
    console.print(table)
    if keys:
        table = _table("Parked", {"view": "left", "key": "left", "from": "right", "events": "right", "why": "left"})
        for key in keys:
            table.add_row(key.name, key.key, f"{key.position:,}", f"{key.events:,}", escape(key.reason))
        console.print(table)


async def rebuild(console: Console, settings: Settings, names: Sequence[str], rate_max: int | None) -> bool:
    """Build views anew, one after another; whether all took over."""
    async with operations(settings) as asked, working(settings, NAMES):
        return all([await _watch(console, asked, name, await asked.rebuild(name, rate_max)) for name in names])


async def once(console: Console, settings: Settings, operation: str, values: tuple[str | int, ...], said: str) -> None:
    """Ask for what is done at once."""
    async with operations(settings) as asked:
        await getattr(asked, operation)(*values)
    console.print(said)


async def rollback(console: Console, settings: Settings, name: str) -> bool:
    """Go back to the build that was live before; whether it took over."""
    async with operations(settings) as asked, working(settings, NAMES):
        return await _watch(console, asked, name, await asked.rollback(name))


async def swap(console: Console, settings: Settings, name: str) -> bool:
    """Let a build take over although it differs; whether it did."""
    async with operations(settings) as asked, working(settings, NAMES):
        ready = [status for status in await asked.statuses() if status.name == name and status.state is State.READY]
        await asked.swap(name)
        return await _watch(console, asked, name, ready[0].build)


async def replay(console: Console, settings: Settings, names: Sequence[str], to: str, schema: str) -> bool:
    """Build views as of a position or a time, in another schema; whether all are there."""
    async with operations(settings) as asked, working(settings, NAMES):
        with borrowed_database(settings) as database:
            upto = await position_at(database.app_dsn, to)
            make_schema(database.owner_dsn, database.app_dsn, schema)
        return all([await _watch(console, asked, name, await asked.replay(name, upto, schema)) for name in names])


async def replay_parked(console: Console, settings: Settings, name: str) -> bool:
    """Fold what is parked; whether nothing is parked any more."""
    async with operations(settings) as asked, working(settings, NAMES):
        before = {key.key for key in await asked.parked() if key.name == name}
        await asked.replay_parked(name)
        await until_replayed(asked, name)
        left = [key for key in await asked.parked() if key.name == name]
    console.print(f"{name}: {len(before - {key.key for key in left}):,} keys are folded, {len(left):,} are parked.")
    for key in left:
        console.print(f"{key.key} at {key.position:,}: {key.reason}", style="red", markup=False, highlight=False)
    return not left


async def _watch(console: Console, asked: Operations, name: str, build: int) -> bool:
    """Show how a build comes along, and what becomes of it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pace]}"))
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(f"{name}, build {build}", total=None, pace="")
        async for status, rate, seconds_left in watch(asked, name, build):
            left = "" if seconds_left is None else f", {seconds_left:,} s left"
            pace = f"{status.position:,} events, {rate:,}/s{left}, {status.state.lower()}"
            bars.update(bar, completed=status.position, total=status.position + status.lag_events, pace=pace)
    return await _say(console, asked, status)


async def _say(console: Console, asked: Operations, status: BuildStatus) -> bool:
    """Say what became of a build; whether that is what was wanted."""
    name, build = status.name, status.build
    said = f"{name}: build {build}"
    if status.state is State.RUNNING:
        compared = "; no row differs from the one before" if status.differences == 0 else ""
        console.print(f"{said} is live, at position {status.position:,}{compared}.")
    elif status.state is State.REPLAYED:
        console.print(f"{said} stands in schema {status.schema}, as of position {status.position:,}.")
    elif status.state is State.READY:
        await _show_differences(console, asked, name, build, status.differences, status.reason)
    elif status.state is State.CANCELLED:
        console.print(f"{said} was given up.")
    else:
        console.print(f"{said} stopped at position {status.failed_position:,}: {status.reason}", markup=False)
    return status.state in {State.RUNNING, State.REPLAYED}


async def _show_differences(
    console: Console, asked: Operations, name: str, build: int, total: int | None, reason: str | None
) -> None:
    if reason is not None:
        console.print(f"{name}: build {build} cannot take over: {reason}", markup=False)
        return
    console.print(f"{name}: build {build} differs from the live one in {total:,} rows; the live one goes on.")
    for difference in (await asked.differences(name, build))[:DIFFERENCES_SHOWN_MAX]:
        console.print(f"  {difference.table}", highlight=False)
        for who, row in (("live", difference.live), ("rebuilt", difference.rebuilt)):
            console.print(f"    {who:<8} {'is not there' if row is None else row}", markup=False, highlight=False)
    console.print(f"`loyalty swap {name}` lets it take over, `loyalty cancel-rebuild {name}` gives it up.")

"""The commands that build views anew, take builds back, and replay."""

import asyncio
from typing import Annotated

import typer

from adapters.cli.terminal import console

PANEL = "Views"

app = typer.Typer()

_View = Annotated[str, typer.Argument(help="The view, for example balance.")]
_Views = Annotated[list[str] | None, typer.Argument(help="The views, for example balance; none: all of them.")]


@app.command(rich_help_panel=PANEL)
def projections(context: typer.Context) -> None:
    """Show where every view stands: builds, state, position, lag, rate, and what is parked."""
    from adapters.cli import operate

    asyncio.run(operate.projections(console, context.obj))


@app.command(rich_help_panel=PANEL)
def rebuild(
    context: typer.Context,
    views: _Views = None,
    rate: Annotated[int | None, typer.Option(help="Events a second at most, to spare the machine.", min=1)] = None,
) -> None:
    """Build views anew beside the live ones, compare them row by row, and swap. Ctrl-C stops the watching only."""
    from adapters.cli import operate

    done = asyncio.run(operate.rebuild(console, context.obj, views or operate.NAMES, rate))
    raise typer.Exit(0 if done else 1)


@app.command(rich_help_panel=PANEL)
def pause_rebuild(context: typer.Context, view: _View) -> None:
    """Let a rebuild wait."""
    _operate(context, "pause", view, f"{view}: the build waits; `loyalty resume-rebuild {view}` lets it go on.")


@app.command(rich_help_panel=PANEL)
def resume_rebuild(context: typer.Context, view: _View) -> None:
    """Let a rebuild that waits go on, by the service."""
    _operate(context, "resume", view, f"{view}: the build goes on.")


@app.command(rich_help_panel=PANEL)
def cancel_rebuild(context: typer.Context, view: _View) -> None:
    """Give a rebuild up and drop its tables."""
    _operate(context, "cancel", view, f"{view}: the build is no more.")


@app.command(rich_help_panel=PANEL)
def swap(context: typer.Context, view: _View) -> None:
    """Let a rebuilt view take over although it differs from the live one."""
    from adapters.cli import operate

    raise typer.Exit(0 if asyncio.run(operate.swap(console, context.obj, view)) else 1)


@app.command(rich_help_panel=PANEL)
def rollback(context: typer.Context, view: _View) -> None:
    """Go back to the build of a view that was live before."""
    from adapters.cli import operate

    raise typer.Exit(0 if asyncio.run(operate.rollback(console, context.obj, view)) else 1)


@app.command(rich_help_panel=PANEL)
def drop_build(context: typer.Context, view: _View, build: int) -> None:
    """Drop a build that is not live: one that was, one that is under way, or a replay."""
    _operate(context, "drop", view, f"{view}: build {build} is no more.", build)


@app.command(rich_help_panel=PANEL)
def replay_parked(context: typer.Context, view: _View) -> None:
    """Fold the events of parked keys, after what was wrong is repaired."""
    from adapters.cli import operate

    raise typer.Exit(0 if asyncio.run(operate.replay_parked(console, context.obj, view)) else 1)


@app.command(rich_help_panel=PANEL)
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

"""A process that folds, and dies without a word before the nth thing that it says to the database."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from psycopg import AsyncConnection

from adapters.postgres import feed, loading
from adapters.postgres.projecting import ProjectionRunner
from projections.projection import Build
from projections.registry import PROJECTIONS

SMALL = 25
"""Events in a batch, so that there are many transactions to die in."""


def _die_before(number: int) -> None:
    """Every statement, BEGIN, COMMIT and piece of a COPY passes through one method of the driver."""
    wait: Callable[..., Awaitable[Any]] = AsyncConnection.wait
    said = 0

    async def counting(connection: AsyncConnection, *arguments: Any, **options: Any) -> Any:
        nonlocal said
        said += 1
        if said >= number:
            os._exit(9)
        return await wait(connection, *arguments, **options)

    setattr(AsyncConnection, "wait", counting)  # noqa: B010 - mypy knows no other way to replace a method


def follow(dsn: str, number: int) -> None:
    """Run all projections."""
    _die_before(number)
    feed.BATCH_EVENTS_MAX = SMALL
    asyncio.run(ProjectionRunner(dsn).run())


def follow_one(dsn: str, number: int, name: str) -> None:
    """Run one projection."""
    _die_before(number)
    asyncio.run(ProjectionRunner(dsn, [each for each in PROJECTIONS if each.name == name]).run())


def rebuild(dsn: str) -> None:
    """Run all projections, and load what is built anew by processes, however short the log is."""
    loading.NEAR_EVENTS = 0
    asyncio.run(ProjectionRunner(dsn).run())


def load(dsn: str, number: int, build: Build, part: int, parts: int, target: int) -> None:
    """Load one part of a build."""
    _die_before(number)
    loading.BATCH_POSITIONS = SMALL
    loading._fold_part(dsn, build, part, parts, target, None)

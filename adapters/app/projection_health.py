"""Tells the health service how each projection is; commands and other views go on, whatever becomes of one."""

import asyncio
from typing import Protocol

import structlog

from adapters.app.settings import Settings
from ledger.errors import Unavailable
from projections.operations import BuildStatus, Operations, State

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0


class Health(Protocol):
    """Where it is told."""

    async def set_projection_serving(self, name: str, serving: bool) -> None:
        """Say whether a projection is healthy."""


async def watch_projections(operations: Operations, health: Health, settings: Settings) -> None:
    """Look at all live builds every second, and say how they are, until cancelled."""
    told: dict[str, bool] = {}
    while True:
        try:
            live = [status for status in await operations.statuses() if status.live]
        except Unavailable:
            live = []
        for status in live:
            healthy = is_healthy(status, settings.projection_lag_events_max, settings.projection_stall_seconds)
            if told.get(status.name) is not healthy:
                await health.set_projection_serving(status.name, healthy)
                if not healthy:
                    log.warning(
                        "projection.unhealthy", name=status.name, lag_events=status.lag_events, reason=status.reason
                    )
                told[status.name] = healthy
        await asyncio.sleep(LOOK_SECONDS)


def is_healthy(status: BuildStatus, lag_events_max: int, stall_seconds: float) -> bool:
    """Not one that stopped, nor one that lags and has not moved for long."""
    stalled = status.lag_events > lag_events_max and status.idle_seconds > stall_seconds
    return status.state is not State.STOPPED and not stalled

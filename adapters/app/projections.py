"""The process that folds the log into the views."""

import asyncio

from adapters.app.child import Start
from adapters.app.process import run_process, work_until_stopped
from adapters.app.settings import Settings
from adapters.postgres.projecting import ProjectionRunner
from projections.registry import PROJECTIONS


async def run_projections(settings: Settings, start: Start) -> None:
    """Run all projections until asked to stop."""
    runner = ProjectionRunner(start.dsn, PROJECTIONS)
    running = asyncio.create_task(runner.run())
    await work_until_stopped(running)
    runner.stop()
    await running


if __name__ == "__main__":
    run_process(run_projections)

"""The process that folds the log into the views."""

import asyncio

from adapters.app.child import Start
from adapters.app.process import asked_to_stop, run_process
from adapters.app.settings import Settings
from adapters.postgres.projecting import ProjectionRunner
from projections.registry import PROJECTIONS


async def run_projections(settings: Settings, start: Start) -> None:
    """Run all projections until asked to stop."""
    runner = ProjectionRunner(start.dsn, PROJECTIONS)
    running = asyncio.create_task(runner.run())
    stopping = asyncio.create_task(asked_to_stop())
    await asyncio.wait({stopping, running}, return_when=asyncio.FIRST_COMPLETED)
    runner.stop()
    await running


if __name__ == "__main__":
    run_process(run_projections)

"""What ends a process of the service."""

import os
import subprocess
import sys

import pytest

FAIL = """
import asyncio, sys
import uvloop
from adapters.app.process import end_without_memory

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(end_without_memory)
    loop.call_soon(fail)
    await asyncio.sleep(0.1)

def fail():
    raise {fault}

uvloop.run(main())
"""


@pytest.mark.parametrize(("fault", "status"), [("MemoryError", os.EX_OSERR), ("ValueError", 0)])
def test_a_process_out_of_memory_ends_wherever_it_happened(fault: str, status: int) -> None:
    """A writer that could read no more jobs once lived on, and nobody was answered until it was killed."""
    ended = subprocess.run(
        [sys.executable, "-c", FAIL.format(fault=fault)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == status
    assert fault in ended.stderr

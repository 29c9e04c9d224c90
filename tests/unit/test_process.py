"""What ends a process of the service."""

import os
import subprocess
import sys

import pytest

FAIL = """
import asyncio, errno, logging
import uvloop
from adapters.app.process import end_without_memory

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(end_without_memory)
    loop.call_soon(fail)
    await asyncio.sleep(0.1)

def fail():
    {before}
    raise {fault}

uvloop.run(main())
"""


def _ended(fault: str, before: str = "pass") -> "subprocess.CompletedProcess[str]":
    script = FAIL.format(fault=fault, before=before)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("fault", "status"),
    [("MemoryError", os.EX_OSERR), ("OSError(errno.ENOMEM, 'none')", os.EX_OSERR), ("ValueError", 0)],
)
def test_a_process_out_of_memory_ends_wherever_it_happened(fault: str, status: int) -> None:
    """A writer that could read no more jobs once lived on, and nobody was answered until it was killed."""
    ended = _ended(fault)
    assert ended.returncode == status
    assert fault.partition("(")[0] in ended.stderr


def test_a_process_out_of_memory_ends_even_where_that_cannot_be_logged() -> None:
    """Writing the traceback takes memory, too."""
    ended = _ended("MemoryError", before="logging.getLogger('asyncio').addFilter(lambda _: [][0])")
    assert ended.returncode == os.EX_OSERR

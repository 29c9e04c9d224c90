"""The log of the embedded server: its last words, and how it is kept from growing for ever.

The server writes to a file that its starter opened for appending, so cutting it to nothing is safe while it runs.
"""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from adapters.postgres.host import EmbeddedServerError, locked

LOG_BYTES_MAX = 16 * 1024 * 1024
"""One older file is kept beside it, so this and as much again is what a log takes."""

_TAIL_LINES = 20
_TAIL_BYTES = 20_000


def older(log_file: Path) -> Path:
    """Where the lines before the last rotation are."""
    return log_file.with_name(log_file.name + ".1")


def rotate(log_file: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Move what was logged to the older file if it is more than so much; a line of that very moment may be lost."""
    if not _too_large(log_file, bytes_max):
        return
    with suppress(EmbeddedServerError), locked(log_file.with_name(log_file.name + ".lock"), time.monotonic()):
        if _too_large(log_file, bytes_max):  # and not rotated in the meantime by another process, which let go again
            _move(log_file)


def _move(log_file: Path) -> None:
    staging = log_file.with_name(log_file.name + ".new")
    with suppress(OSError):  # A full disk: then these lines are given up, and the service goes on.
        staging.touch(mode=0o600)
        shutil.copyfile(log_file, staging)
        staging.replace(older(log_file))
    os.truncate(log_file, 0)


def _too_large(log_file: Path, bytes_max: int) -> bool:
    try:
        return log_file.stat().st_size > bytes_max
    except FileNotFoundError:
        return False


def tail(log_file: Path, begin: int = 0) -> str:
    """The last lines, none of them from before `begin`, in bytes from the beginning of the file."""
    if not log_file.exists():
        return "(there is none yet)"
    with log_file.open("rb") as log:
        log.seek(max(begin, log_file.stat().st_size - _TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])

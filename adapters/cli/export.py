"""`loyalty export`: a view, or the decoded log, as a file that other programs read."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from adapters.app.database import borrowed_database
from adapters.app.settings import Settings
from adapters.postgres.exporting import CannotExport, Export, open_export

Tell = Callable[[int], object]
"""Told how many rows there are so far."""

LINES_TOLD = 10_000


def run_export(
    errors: Console,
    settings: Settings,
    name: str,
    kind: str,
    first: date | None,
    last: date | None,
    path: Path,
) -> int:
    """Write the file, under its own name only when it is complete; returns the number of rows. Raises CannotExport."""
    if first is not None and last is not None and last < first:
        raise CannotExport("--to is before --from.")
    write = write_csv if kind == "csv" else _parquet_writer()
    with (
        borrowed_database(settings) as database,
        open_export(database.app_dsn, name, first, last) as export,
        whole_file(path) as part,
        _progress(errors, name) as tell,
    ):
        return write(export, part, tell)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file beside that of this name, which takes its place when it is complete, and otherwise is gone."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as fault:
        raise CannotExport(f"{path} cannot be written: {fault.strerror}.") from fault
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _progress(errors: Console, name: str) -> Iterator[Tell]:
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f} rows"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda rows: progress.update(task, completed=rows)


def write_csv(export: Export, path: Path, tell: Tell) -> int:
    """Write lines as they come."""
    lines = 0
    with path.open("wb", buffering=1 << 20) as file:
        for lines, line in enumerate(export.csv()):
            file.write(line)
            if lines % LINES_TOLD == 0:
                tell(lines)
    return lines


def _parquet_writer() -> Callable[[Export, Path, Tell], int]:
    try:
        from adapters.cli.parquet import write_parquet
    except ModuleNotFoundError as missing:
        raise CannotExport(
            f"Parquet needs {missing.name}: pip install 'loyalty-ledger[parquet]'. --format csv needs nothing."
        ) from None
    return write_parquet

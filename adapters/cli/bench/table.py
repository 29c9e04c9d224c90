"""The rows of the benchmark table, and how they are printed and kept."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

OUT = Path("build/bench.json")


class Row(msgspec.Struct):
    """One measurement: a figure, what it is held against, and the bar it should reach, if there is one."""

    id: str
    work: str
    """In a few words: it shares a line with the figures."""
    figure: float
    unit: str
    bar: float | None = None
    lower_is_better: bool = False
    yardstick: float | None = None
    yardstick_name: str = ""
    notes: str = ""
    """What was done, in full, and what else was seen; below the table."""
    details: dict[str, Any] = {}

    @property
    def met(self) -> bool | None:
        """Whether the figure reaches its bar; None without one."""
        if self.bar is None:
            return None
        return self.figure <= self.bar if self.lower_is_better else self.figure >= self.bar

    @property
    def ratio(self) -> float | None:
        """The figure as a part of the yardstick."""
        return self.figure / self.yardstick if self.yardstick else None


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p99, p99.9 and the maximum of latencies, in milliseconds."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    picks = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {name: round(ordered[min(last, int(last * share))] * 1000, 2) for name, share in picks.items()}


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:,.2f}"


def show(console: Console, rows: list[Row]) -> None:
    """Print the table with its notes, and write both to build/bench.json."""
    console.print(_figures(rows), _notes(rows))
    OUT.parent.mkdir(exist_ok=True)
    rows_out = [{**msgspec.to_builtins(row), "met": row.met, "ratio": row.ratio} for row in rows]
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()}
    made = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, "rows": rows_out}
    OUT.write_text(json.dumps(made, indent=2) + "\n")
    console.print(f"The same, with details, is in {OUT}.")


def _figures(rows: list[Row]) -> Table:
    """A line for each row, as wide as the work is long; at 80 columns that wraps, and nothing else does."""
    table = Table(title="Benchmarks", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("work")
    for name in ("figure", "yardstick", "ratio", "bar"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for row in rows:
        table.add_row(
            row.id,
            f"{row.work}, {row.unit}",
            _number(row.figure),
            _number(row.yardstick),
            f"{row.ratio:.2f}" if row.ratio is not None else "",
            f"{'≤' if row.lower_is_better else '≥'} {_number(row.bar)}" if row.bar is not None else "",
            {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[row.met],
        )
    return table


def _notes(rows: list[Row]) -> Table:
    """What stands behind the figures: the yardstick's name, and what else was seen."""
    notes = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        held_against = f"yardstick: {row.yardstick_name}" if row.yardstick_name else ""
        text = "; ".join(part for part in (row.notes, held_against) if part)
        if text:
            notes.add_row(row.id, text)
    return notes

"""The rows of the benchmark table, and how they are printed and kept."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

OUT = Path("build/bench.json")


class Row(msgspec.Struct):
    """One measurement: a figure, what it is held against, and the bar it should reach."""

    id: str
    work: str
    figure: float
    unit: str
    bar: float
    lower_is_better: bool = False
    yardstick: float | None = None
    yardstick_name: str = ""
    notes: str = ""
    details: dict[str, Any] = {}

    @property
    def met(self) -> bool:
        """Whether the figure reaches its bar."""
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
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


def show(console: Console, rows: list[Row]) -> None:
    """Print the table and write it to build/bench.json."""
    table = Table(title="Benchmarks", title_justify="left")
    for name in ("id", "work", "figure", "yardstick", "ratio", "bar", "met"):
        table.add_column(name, justify="left" if name in {"id", "work", "met"} else "right")
    for row in rows:
        table.add_row(
            row.id,
            row.work + (f"\n[dim]{row.notes}[/]" if row.notes else ""),
            f"{_number(row.figure)} {row.unit}",
            f"{_number(row.yardstick)}\n[dim]{row.yardstick_name}[/]" if row.yardstick else "",
            f"{row.ratio:.2f}" if row.ratio is not None else "",
            f"{'≤' if row.lower_is_better else '≥'} {_number(row.bar)}",
            "[green]yes[/]" if row.met else "[red]no[/]",
        )
    console.print(table)
    OUT.parent.mkdir(exist_ok=True)
    rows_out = [{**msgspec.to_builtins(row), "met": row.met, "ratio": row.ratio} for row in rows]
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()}
    made = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, "rows": rows_out}
    OUT.write_text(json.dumps(made, indent=2) + "\n")
    console.print(f"The same, with details, is in {OUT}.")

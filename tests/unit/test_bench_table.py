"""The table of the benchmarks can be read on a narrow terminal and on a wide one."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from adapters.cli.bench import table
from adapters.cli.bench.table import Row, show

NOTE = "100,000 members by Zipf, 4 batches in flight; first tenth 13,878, last tenth 11,826"
ROWS = [
    Row("W1", "earns, batches of 1,000", 12_169, "commands/s", 60_000, False, 43_606, "COPY of the same rows", NOTE),
    Row("W2p99", "single earns, p99", 186.2, "ms", 40, lower_is_better=True),
    Row("R4", "single earns beside a rebuild", 1_944, "calls/s", yardstick=2_430, yardstick_name="the same without it"),
    Row("W8m", "writer memory, a million members touched", 694, "MiB", 1_536, lower_is_better=True),
]


@pytest.fixture(params=[80, 120])
def printed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines, on a terminal of so many columns."""
    monkeypatch.setattr(table, "OUT", tmp_path / "bench.json")
    screen = StringIO()
    show(Console(file=screen, width=request.param), ROWS)
    lines = screen.getvalue().splitlines()
    assert all(len(line) <= request.param for line in lines)
    return [line.rstrip() for line in lines]


def test_each_row_has_its_figures_on_one_line(printed: list[str]) -> None:
    figures = next(line.split() for line in printed if line.strip().startswith("W1 "))
    assert figures[-6:] == ["12,169", "43,606", "0.28", "≥", "60,000", "no"]
    memory = next(line.split() for line in printed if line.strip().startswith("W8m "))
    assert memory[-4:] == ["694", "≤", "1,536", "yes"]


def test_a_row_without_a_bar_is_neither_met_nor_missed(printed: list[str]) -> None:
    figures = next(line.split() for line in printed if line.strip().startswith("R4 "))
    assert figures[-3:] == ["1,944", "2,430", "0.80"]


def test_nothing_is_cut_and_no_word_is_broken(printed: list[str]) -> None:
    words = " ".join(printed).split()
    assert "…" not in " ".join(words)
    for row in ROWS:
        wanted = {*f"{row.work}, {row.unit}".split(), *row.notes.replace(";", "").split()}
        assert wanted <= {word.rstrip(";") for word in words}


def test_notes_stand_below_the_table_with_the_yardstick(printed: list[str]) -> None:
    last_row = max(number for number, line in enumerate(printed) if line.strip().startswith("W8m"))
    note = min(number for number, line in enumerate(printed) if "by Zipf" in line)
    assert note > last_row
    assert "yardstick: COPY of the same rows" in " ".join(" ".join(printed[note:]).split())


def test_what_is_printed_is_kept(printed: list[str]) -> None:
    kept = json.loads(table.OUT.read_text())["rows"]
    assert [(row["id"], row["figure"], row["met"]) for row in kept] == [
        ("W1", 12_169, False),
        ("W2p99", 186.2, False),
        ("R4", 1_944, None),
        ("W8m", 694, True),
    ]

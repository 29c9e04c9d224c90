"""`loyalty verify`: checks the chain, and a head that was kept outside the database."""

from pathlib import Path

import msgspec
from rich.console import Console

from adapters.app.database import borrowed_database
from adapters.app.settings import Settings
from adapters.postgres.verify import check_head, verify


class KeptHead(msgspec.Struct, frozen=True):
    """Where the log stood when it was kept: the last position and its hash, hexadecimal."""

    position: int
    hash: str


def run_verify(console: Console, settings: Settings, head: Path | None, keep_head: Path | None, processes: int) -> bool:
    """Verify and report; returns whether everything is as it was written."""
    with borrowed_database(settings) as database:
        report = verify(database.app_dsn, processes)
        problems = list(report.problems)
        if head is not None:
            kept = msgspec.json.decode(head.read_bytes(), type=KeptHead)
            problem = check_head(database.app_dsn, kept.position, kept.hash)
            problems += [problem] if problem else []
    rate = report.events / max(report.seconds, 0.001)
    console.print(
        f"{report.events:,} events, {report.commands:,} answers in {report.batches:,} batches"
        f" in {report.seconds:.1f} s: {rate:,.0f} events a second."
    )
    for problem in problems[:20]:
        console.print(f"[red]{problem.where} {problem.number}[/] {problem.what}.", highlight=False)
    if len(problems) > 20:
        console.print(f"[red]... and {len(problems) - 20:,} more.[/]")
    if problems:
        return False
    console.print(
        f"[green]Nothing was changed.[/] Head: position {report.position}, hash {report.hash}", soft_wrap=True
    )
    if keep_head is not None:
        keep_head.write_bytes(msgspec.json.encode(KeptHead(report.position, report.hash)) + b"\n")
        console.print(f"Kept in {keep_head}: store it where nobody who can write the database can.")
    return True

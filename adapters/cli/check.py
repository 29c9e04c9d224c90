"""`loyalty verify`: checks the chain, and a head that was kept outside the database."""

from pathlib import Path

from rich.console import Console

from adapters.app.database import borrowed_database
from adapters.app.settings import Settings
from adapters.cli import heads
from adapters.postgres.verify import check_head, verify

PROBLEMS_SHOWN_MAX = 20


def run_verify(
    console: Console, settings: Settings, head: Path | None, keep_head: Path | None, key: Path | None, processes: int
) -> bool:
    """Verify and report; returns whether everything is as it was written.

    A head that is checked belongs to the chain: the records before it are verified with all others.
    Raises HeadError where a head or its key cannot be used; `key` is needed for either.
    """
    if key is None and (head is not None or keep_head is not None):
        raise heads.HeadError("a head is signed: say with which key by --key; `loyalty make-key` makes one")
    kept = heads.read(head, key) if head is not None and key is not None else None
    with borrowed_database(settings) as database:
        report = verify(database.app_dsn, processes)
        problems = report.problems + (check_head(database.app_dsn, kept) if kept is not None else [])
    rate = report.events / max(report.seconds, 0.001)
    console.print(
        f"{report.events:,} events, {report.commands:,} answers in {report.batches:,} batches"
        f" in {report.seconds:.1f} s: {rate:,.0f} events a second."
    )
    for problem in problems[:PROBLEMS_SHOWN_MAX]:
        console.print(f"[red]{problem.where} {problem.number}[/] {problem.what}.", highlight=False)
    if len(problems) > PROBLEMS_SHOWN_MAX:
        console.print(f"[red]... and {len(problems) - PROBLEMS_SHOWN_MAX:,} more.[/]")
    if problems:
        return False
    console.print(
        f"[green]Nothing was changed.[/] Head: position {report.head.position}, hash {report.head.hash}", soft_wrap=True
    )
    if kept is not None:
        console.print(f"The log still holds the head that was kept at position {kept.position:,}.")
    if keep_head is not None and key is not None:
        heads.keep(report.head, keep_head, key)
        console.print(f"Kept in {keep_head}: store it where nobody who can write the database can.")
    return True

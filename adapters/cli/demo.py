"""The demonstration: a grocery chain's real year through the service, and the books tie out."""

import asyncio
import json
import shutil
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapters.app.database import borrowed_database
from adapters.app.settings import Settings
from adapters.cli import operate, replay, tie_out
from adapters.cli.service import open_channel, patiently, running_service
from adapters.completejourney.dataset import Dataset, Day, instant_of
from adapters.postgres.verify import verify
from loyalty.v1 import answers_pb2, commands_pb2_grpc, queries_pb2_grpc
from loyalty.v1 import commands_pb2 as c

BATCH = 1_000
OUT = Path("build")


class Replay:
    """Sends the year's commands, day after day, and counts what comes back."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.commands = commands_pb2_grpc.CommandServiceStub(channel)
        self.queries = queries_pb2_grpc.QueryServiceStub(channel)
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.sent = 0
        self.position = ""

    def run(self, dataset: Dataset, progress: Progress) -> None:
        """The whole year: each day its clock, yesterday's fulfilments, purchases, then redemptions."""
        bar = progress.add_task("replaying 2017", total=dataset.purchases)
        for batch in _chunks(list(replay.opening(dataset)), BATCH):
            self._note(batch, self._send(batch).result())
        placed: list[str] = []
        after = replay.OPENED
        for day, bought in _ahead(dataset):
            names, redeems = _unzip(replay.redemptions(day))
            batch = [replay.advance(replay.day_end(day.date)), *replay.fulfilments(day.date, placed)]
            batch += [*bought.result(), *redeems]
            results = self._note(batch, self._send(batch).result())
            answers = results[len(results) - len(names) :]
            placed = [name for name, result in zip(names, answers, strict=True) if result.HasField("receipt")]
            progress.advance(bar, len(day.baskets))
            after = day.date + timedelta(days=1)
        end = [replay.advance(replay.day_end(after)), *replay.fulfilments(after, placed)]
        end.append(replay.advance(instant_of(replay.END)))
        self._note(end, self._send(end).result())

    def _send(self, commands: list[c.Command]) -> Any:
        """Send commands that belong together, to be decided in order; the answer comes later."""
        return self.commands.Execute.future(c.ExecuteRequest(commands=commands))

    def _note(self, commands: list[c.Command], response: Any) -> list[Any]:
        """Count what became of commands; any error ends the demonstration."""
        for command, result in zip(commands, response.results, strict=True):
            kind = command.WhichOneof("command")
            if result.HasField("receipt"):
                self.accepted[kind] += 1
                self.position = result.receipt.position
            elif result.HasField("refusal"):
                name = answers_pb2.RefusalReason.Name(result.refusal.reason)
                self.refused[name.removeprefix("REFUSAL_REASON_")] += 1
            else:
                raise SystemExit(f"{kind}: {result.error}")
        self.sent += len(commands)
        return list(response.results)

    def sweep(self) -> None:
        """Post what is due at the end of the story; the service does so by itself too, this waits for it."""
        request = c.SweepRequest(programme=replay.PROGRAMME, limit=10_000, min_position=self.position)
        while patiently(self.commands.Sweep, request).remaining:
            pass


def _ahead(dataset: Dataset) -> Iterator[tuple[Day, Future[list[c.Command]]]]:
    """The days, with the commands of the next one in the making while the service is at work on this one."""
    with ThreadPoolExecutor(1) as maker:
        making: deque[tuple[Day, Future[list[c.Command]]]] = deque()
        for day in dataset.days():
            making.append((day, maker.submit(lambda day: list(replay.purchases(day)), day)))
            if len(making) > 1:
                yield making.popleft()
        yield from making


def _chunks(commands: list[c.Command], size: int) -> Iterator[list[c.Command]]:
    source = iter(commands)
    while batch := list(islice(source, size)):
        yield batch


def _unzip(pairs: Iterator[tuple[str, c.Command]]) -> tuple[list[str], list[c.Command]]:
    names, commands = [], []
    for name, command in pairs:
        names.append(name)
        commands.append(command)
    return names, commands


def replay_year(console: Console, channel: grpc.Channel, dataset: Dataset) -> tuple[Replay, float]:
    """Let a service that runs all its processes live through the year; what it answered, and in how many seconds.

    What is due at the end is posted besides, without the clock.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    story = Replay(channel)
    begin = time.perf_counter()
    with Progress(*columns, console=console) as progress:
        story.run(dataset, progress)
    seconds = time.perf_counter() - begin
    story.sweep()
    return story, seconds


def run_demo(console: Console) -> bool:
    """Run it; returns whether the books tie out, the chain verifies, and views built anew are the same."""
    data_dir = OUT / "demo"
    settings = Settings(data_dir=data_dir, host="127.0.0.1", port=0, log_level="warning")
    _forget(settings)
    console.print("Reading the data set ...")
    dataset = Dataset()
    console.print(
        f"{dataset.purchases:,} purchases with {dataset.lines:,} lines, {len(dataset.households):,} households,"
        f" {len(dataset.stores):,} stores, {len(dataset.redemptions):,} coupon redemptions."
    )
    with running_service(settings) as address, open_channel(address) as channel:
        story, seconds = replay_year(console, channel, dataset)
        console.print("Tying out: the log, the views, and a plain sum over the Parquet files ...")
        subscribe = queries_pb2_grpc.QueryServiceStub(channel).SubscribeEvents
        log, log_balances = tie_out.from_log(subscribe)
        views, shipped = tie_out.from_views(story.queries, dataset.households, story.position)
        tied = tie_out.tie_out(log, log_balances, views, shipped)
    with borrowed_database(settings) as database:
        console.print("Building every view anew from the events, beside the live ones ...")
        rebuilt = asyncio.run(operate.rebuild(console, settings, operate.NAMES, None))
        report = verify(database.app_dsn)
        size = _bytes(database.app_dsn)
    result = {
        **log._asdict(),
        "redemptions_refused_out_of_stock": story.refused["OUT_OF_STOCK"],
        "redemptions_refused_insufficient_points": story.refused["INSUFFICIENT_POINTS"],
        "commands": story.sent,
        "commands_per_second": round(story.sent / seconds),
        "seconds": round(seconds, 1),
        "events": report.events,
        "bytes_per_event": round(size / max(report.events, 1)),
        "chain_verified": not report.problems,
        "tie_out": tied,
        "rebuilt_views_equal": rebuilt,
    }
    OUT.mkdir(exist_ok=True)
    (OUT / "demo.json").write_text(json.dumps(result, indent=2) + "\n")
    _print(console, result, data_dir)
    return bool(tied["equal"]) and not report.problems and rebuilt


def _forget(settings: Settings) -> None:
    """Begin anew: the demonstration's own data, and nothing else, is deleted."""
    from adapters.postgres.embedded import EmbeddedServer

    if settings.data_dir.exists():
        EmbeddedServer(settings.data_dir).destroy()
    shutil.rmtree(settings.data_dir, ignore_errors=True)


def _bytes(dsn: str) -> int:
    """What the log takes on disk: events, outcomes and batches, with their indexes."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE oid IN ('ledger.events'::regclass, 'ledger.outcomes'::regclass, 'ledger.batches'::regclass)"
        ).fetchone()
    return int(row[0]) if row else 0


def _print(console: Console, result: dict[str, Any], data_dir: Path) -> None:
    table = Table(title="A grocery chain's year, 2017, in points", title_justify="left")
    for column in ("", "log", "views", "independent sum"):
        table.add_column(column, justify="left" if not column else "right")
    for name, row in result["tie_out"]["figures"].items():
        cells = [f"{row[source]:,}" if source in row else "" for source in ("log", "views", "independent")]
        table.add_row(name.replace("_", " "), *cells)
    console.print(table)
    console.print(
        f"{result['redemptions_refused_out_of_stock']:,} redemptions refused out of stock,"
        f" {result['redemptions_refused_insufficient_points']:,} for too few points."
    )
    console.print(
        f"{result['commands']:,} commands in {result['seconds']} s: {result['commands_per_second']:,} a second;"
        f" {result['events']:,} events, {result['bytes_per_event']:,} bytes each with indexes and outcomes."
    )
    tied = result["tie_out"]
    console.print(
        f"[bold green]The books tie out[/]: {tied['members_compared']:,} balances, member by member."
        if tied["equal"]
        else "[bold red]The books do not tie out[/]: see build/demo.json."
    )
    console.print(
        "[bold green]The hash chain verifies[/], every event and every answer."
        if result["chain_verified"]
        else "[bold red]The hash chain is broken[/]: run `loyalty verify`."
    )
    console.print(
        "[bold green]Every view, rebuilt from the events, is the same[/], row by row."
        if result["rebuilt_views_equal"]
        else "[bold red]A view that was rebuilt from the events differs[/]: run `loyalty projections`."
    )
    console.print("\nThe figures are in build/demo.json. Now look at a member's year:\n")
    console.print(f"  .venv/bin/loyalty --data-dir {data_dir} statement {replay.PROGRAMME} 931\n", highlight=False)

"""The yardsticks: what the machine can do without us, measured in the same run."""

import asyncio
import threading
import time
from typing import Any

import psycopg
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.cli.bench.drive import channel
from ledger.records import COLUMNS, OUTCOME_COLUMNS

_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"


def copy_rate(owner_dsn: str, commands: int, batch: int) -> float:
    """Commands a second when the last rows of the log are copied into tables of the same shape, committed by batch."""
    tables = {"events": (*COLUMNS, "hash"), "outcomes": OUTCOME_COLUMNS}
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS yardstick CASCADE")
        connection.execute("CREATE SCHEMA yardstick")
        rows = {}
        for table, columns in tables.items():
            connection.execute(f"CREATE TABLE yardstick.{table} (LIKE ledger.{table} INCLUDING ALL)")
            order = "position" if table == "events" else "batch DESC, ordinal"
            newest = f"SELECT {', '.join(columns)} FROM ledger.{table} ORDER BY {order} LIMIT {commands}"
            if table == "events":
                last = connection.execute("SELECT max(position) FROM ledger.events").fetchone()
                first = (last[0] if last else 0) - commands
                newest = f"SELECT {', '.join(columns)} FROM ledger.events WHERE position > {first} ORDER BY position"
            with connection.cursor().copy(f"COPY ({newest}) TO STDOUT (FORMAT binary)") as copy:
                data = [bytes(row) for row in copy]
            data[0] = data[0][len(_HEAD) :]
            rows[table] = [row for row in data if row not in (b"", _END)]
        begin = time.perf_counter()
        for place in range(0, commands, batch):
            with connection.transaction():
                for table, columns in tables.items():
                    statement = f"COPY yardstick.{table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)"
                    with connection.cursor().copy(statement) as copy:
                        copy.write(_HEAD + b"".join(rows[table][place : place + batch]) + _END)
        seconds = time.perf_counter() - begin
        connection.execute("DROP SCHEMA yardstick CASCADE")
    return commands / seconds


def empty_calls_rate(address: str, callers: int, seconds: float) -> float:
    """Health checks a second from so many callers: what gRPC itself takes."""
    return uvloop.run(_empty_calls(address, callers, seconds))


async def _empty_calls(address: str, callers: int, seconds: float) -> float:
    count = 0
    async with channel(address) as open_channel:
        stub: Any = health_pb2_grpc.HealthStub(open_channel)
        begin = time.perf_counter()

        async def caller() -> None:
            nonlocal count
            while time.perf_counter() - begin < seconds:
                await stub.Check(health_pb2.HealthCheckRequest())
                count += 1

        await asyncio.gather(*(caller() for _ in range(callers)))
        return count / (time.perf_counter() - begin)


def hot_row_rate(owner_dsn: str, clients: int, seconds: float) -> float:
    """Transactions a second when every command takes one unit of the same row, one transaction each."""
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS public.yardstick_stock")
        connection.execute("CREATE TABLE public.yardstick_stock (sku text PRIMARY KEY, available bigint NOT NULL)")
        connection.execute("INSERT INTO public.yardstick_stock VALUES ('hot', 1000000000)")
    counts = [0] * clients
    end = time.perf_counter() + seconds

    def client(place: int) -> None:
        with psycopg.connect(owner_dsn, autocommit=True) as connection:
            while time.perf_counter() < end:
                connection.execute(
                    "UPDATE public.yardstick_stock SET available = available - 1 WHERE sku = 'hot' AND available > 0"
                )
                counts[place] += 1

    threads = [threading.Thread(target=client, args=(place,)) for place in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE public.yardstick_stock")
    return sum(counts) / seconds


def read_rate(owner_dsn: str, events: int) -> float:
    """Events a second when the log is only read, by binary COPY, and hashed by nobody."""
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        begin = time.perf_counter()
        statement = f"COPY (SELECT * FROM ledger.events ORDER BY position LIMIT {events}) TO STDOUT (FORMAT binary)"
        count = 0
        with connection.cursor().copy(statement) as copy:
            for _ in copy:
                count += 1
        return count / (time.perf_counter() - begin)

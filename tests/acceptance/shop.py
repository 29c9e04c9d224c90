"""A shop on a running service, and what its people have in their hands: a client, the command line, SQL to read."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg.errors import UndefinedTable

from adapters.grpc.client import (
    Amount,
    LedgerClient,
    Line,
    PointUnit,
    Price,
    Receipt,
    Settings,
    Source,
)
from loyalty.v1.types_pb2 import Balance
from projections.registry import PROJECTIONS

UNIT = "points"
VIEWS = {projection.name for projection in PROJECTIONS}
SETTINGS = Settings(
    zone="Asia/Shanghai",
    clock="CLOCK_KIND_WALL",
    units=[PointUnit(name=UNIT)],
    currency="CNY",
    currency_digits=2,
    earning_unit=UNIT,
    earning_rate="1/100",
    rounding="ROUNDING_DOWN",
    point_value="1",
    lot_months=12,
)
"""A point for each yuan, for twelve months; a hundred points pay one yuan."""


class Shop:
    """A programme of its own. Every word here is one command or one question, which sees all commands before it."""

    def __init__(self, ledger: LedgerClient) -> None:
        self.ledger = ledger
        self.position = ledger.open_programme(settings=SETTINGS).position

    def done(self, receipt: Receipt) -> Receipt:
        """Keep where the log stands after a command."""
        self.position = receipt.position
        return receipt

    def joins(self, *members: str) -> None:
        for member in members:
            self.done(self.ledger.enrol_member(member=member))

    def buys(self, member: str, order: str, yuan: int, store: str = "") -> Receipt:
        """A purchase of one line, paid in cash."""
        line = Line(sku="groceries", quantity=1, list_price=yuan * 100, net=yuan * 100)
        return self.done(self.ledger.record_purchase(member=member, order=order, lines=[line], store=store))

    def thanks(self, member: str, points: int, review: str, **about: Any) -> Receipt:
        """Points for a review."""
        source = Source(type="review", id=review)
        return self.done(self.ledger.earn(member=member, points=points, unit=UNIT, source=source, **about))

    def offers(self, reward: str, points: int, stock: int, yuan: int = 0, substitutes: tuple[str, ...] = ()) -> None:
        """A reward of goods by its own name, and what there is of it in the central warehouse."""
        price = Price(points=Amount(unit=UNIT, value=points), cash=yuan * 100)
        self.ledger.define_reward(
            reward=reward, kind="GOODS", price=price, sku=reward, location="central", substitutes=substitutes
        )
        if stock:
            self.done(self.ledger.receive_stock(sku=reward, location="central", quantity=stock, unit_cost=1500))

    def redeems(self, member: str, reward: str, redemption: str, **about: Any) -> Receipt:
        return self.done(self.ledger.redeem(redemption=redemption, member=member, reward=reward, **about))

    def points(self, member: str) -> Balance:
        (balance,) = self.ledger.get_balance(member=member, min_position=self.position).balances
        return balance

    def stock(self, sku: str) -> tuple[int, int, int]:
        """On hand, locked and available in the central warehouse."""
        item = self.ledger.get_inventory(sku=sku, location="central", min_position=self.position).item
        return item.on_hand, item.locked, item.available


def loyalty(data_dir: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "adapters.cli.main", *map(str, arguments)],
        env={**os.environ, "LOYALTY_DATA_DIR": str(data_dir), "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@cache
def reader_dsn(data_dir: Path) -> str:
    """What `loyalty sql --dsn` prints."""
    return loyalty(data_dir, "sql", "--dsn").stdout.strip()


def read(data_dir: Path, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """The rows of a query, by somebody who may only read: connected as `loyalty sql` says."""
    with psycopg.connect(reader_dsn(data_dir)) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


def wait_for_views(data_dir: Path, seconds: float = 30) -> None:
    """Until all views have folded the whole log, by what `projections.status` says; on a first start they come late."""
    deadline = time.monotonic() + seconds
    lags: dict[str, int] = {}
    while set(lags) < VIEWS or any(lags.values()):
        assert time.monotonic() < deadline, lags
        time.sleep(0.02)
        with suppress(UndefinedTable):
            lags = dict(read(data_dir, "SELECT name, lag_events FROM projections.status"))

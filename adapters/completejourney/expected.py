"""What the replay of the grocery year must result in, worked out apart from the ledger and from its reader.

`totals` is a plain sum over the parquet file; `simulate` plays the programme through with dicts and lists.
"""

from bisect import insort
from calendar import monthrange, timegm
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.completejourney import data_folder

ZONE = ZoneInfo("America/New_York")
CENTS_PER_POINT = 100
REWARD_POINTS = 100
REWARD_STOCK = 3
VALID_YEARS = 1
FINAL_DAY = date(2018, 7, 1)

Event = tuple[date, int, int, int, str, int | str]


class Totals(NamedTuple):
    """Plain sums over the transaction lines; `sales_value` in cents, points rounded down per basket."""

    members: int
    purchases: int
    lines: int
    sales_value: int
    points_issued: int


class Expected(NamedTuple):
    """The state once the clock stands at 00:00 in ZONE of FINAL_DAY; `balances` has every household, also at 0."""

    members: int
    purchases: int
    points_issued: int
    points_redeemed: int
    points_expired: int
    points_outstanding: int
    redemptions_placed: int
    redemptions_refused_out_of_stock: int
    redemptions_refused_insufficient_points: int
    balances: dict[str, int]


def totals(folder: Path | None = None) -> Totals:
    """Sums the transaction file; ValueError if an amount in it is not in whole cents."""
    table = _transactions(folder)
    baskets = table.group_by("basket_id").aggregate([("cents", "sum")])
    per_basket = baskets["cents_sum"].to_numpy()
    return Totals(
        members=len(table["household_id"].unique()),
        purchases=len(per_basket),
        lines=table.num_rows,
        sales_value=int(per_basket.sum()),
        points_issued=int((per_basket // CENTS_PER_POINT).sum()),
    )


def simulate(folder: Path | None = None) -> Expected:
    """Plays all purchases and redemptions through, then moves the clock to FINAL_DAY.

    A placed redemption is captured and shipped the next day. That moves points from held to spent and units from
    locked to shipped, and in this year no points expire in between (the first ones do at the end of 2018-01-01).
    So nothing later depends on it, and points and unit are taken here at once.
    """
    purchases = _purchases(folder)
    lots: dict[str, list[list[int]]] = {household: [] for _, _, household, _ in purchases}
    shipped: dict[str, int] = {}
    issued = placed = out_of_stock = insufficient = 0
    for _, _, now, number, household, what in sorted(_events(purchases, _redemptions(folder))):
        if isinstance(what, int):
            if what > 0:
                issued += what
                insort(lots[household], [_expiry(_local_date(now)), now, number, what])
        elif shipped.get(what, 0) + 1 > REWARD_STOCK:
            out_of_stock += 1
        elif _spendable(lots[household], now) < REWARD_POINTS:
            insufficient += 1
        else:
            placed += 1
            shipped[what] = shipped.get(what, 0) + 1
            _spend(lots[household], now, REWARD_POINTS)
    end = _midnight(FINAL_DAY)
    balances = {household: _spendable(own, end) for household, own in lots.items()}
    left = sum(points for own in lots.values() for _, _, _, points in own)
    return Expected(
        members=len(lots),
        purchases=len(purchases),
        points_issued=issued,
        points_redeemed=placed * REWARD_POINTS,
        points_expired=left - sum(balances.values()),
        points_outstanding=sum(balances.values()),
        redemptions_placed=placed,
        redemptions_refused_out_of_stock=out_of_stock,
        redemptions_refused_insufficient_points=insufficient,
        balances=balances,
    )


def _spendable(lots: list[list[int]], now: int) -> int:
    return sum(points for expires, _, _, points in lots if expires > now)


def _spend(lots: list[list[int]], now: int, points: int) -> None:
    """Takes points from the lots that expire first; the lots are in that order."""
    for lot in lots:
        if lot[0] > now:
            taken = min(lot[3], points)
            lot[3] -= taken
            points -= taken


def _events(purchases: list[tuple[int, int, str, int]], redemptions: list[tuple[date, str, str]]) -> list[Event]:
    """(local date, 0 purchase | 1 redemption, time in seconds, number, household, points | coupon), unsorted."""
    events: list[Event] = [
        (_local_date(seconds), 0, seconds, basket, household, total // CENTS_PER_POINT)
        for seconds, basket, household, total in purchases
    ]
    events += [
        (day, 1, _midnight(day + timedelta(days=1)) - 1, row, household, coupon)
        for row, (day, household, coupon) in enumerate(redemptions)
    ]
    return events


def _purchases(folder: Path | None) -> list[tuple[int, int, str, int]]:
    """(time in seconds since the epoch, basket id, household, sales value in cents) of each basket."""
    table = _transactions(folder)
    seconds = table["transaction_timestamp"].cast(pa.timestamp("s")).cast(pa.int64())
    columns = (column.to_pylist() for column in (table["basket_id"], table["household_id"], seconds, table["cents"]))
    heads: dict[int, tuple[int, str]] = {}
    total: dict[int, int] = {}
    for basket, household, instant, amount in zip(*columns, strict=True):
        heads[basket] = (instant, str(household))
        total[basket] = total.get(basket, 0) + amount
    return [(instant, basket, household, total[basket]) for basket, (instant, household) in heads.items()]


def _transactions(folder: Path | None) -> pa.Table:
    """Household, basket and time of each line, with its sales value in whole `cents`."""
    path = (folder or data_folder()) / "transactions.parquet"
    table = pq.read_table(path, columns=["household_id", "basket_id", "sales_value", "transaction_timestamp"])
    hundredfold = table["sales_value"].to_numpy() * 100
    cents = np.rint(hundredfold)
    if np.abs(hundredfold - cents).max() > 1e-6:
        raise ValueError(f"amounts are not in whole cents: {path}")
    return table.append_column("cents", pa.array(cents.astype(np.int64)))


def _redemptions(folder: Path | None) -> list[tuple[date, str, str]]:
    """(day, household, coupon) of each redemption, in file order."""
    rows = pq.read_table((folder or data_folder()) / "coupon_redemptions.parquet")
    days: list[Any] = rows["redemption_date"].cast(pa.date32()).to_pylist()
    households, coupons = map(str, rows["household_id"].to_pylist()), map(str, rows["coupon_upc"].to_pylist())
    return list(zip(days, households, coupons, strict=True))


def _local_date(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, ZONE).date()


@cache
def _midnight(day: date) -> int:
    """Seconds since the epoch at which a local day begins."""
    return timegm(datetime.combine(day, time.min, ZONE).utctimetuple())


@cache
def _expiry(earned: date) -> int:
    """The end of the local day twelve calendar months after `earned`, its day of the month clamped, in seconds."""
    year = earned.year + VALID_YEARS
    last = date(year, earned.month, min(earned.day, monthrange(year, earned.month)[1]))
    return _midnight(last + timedelta(days=1))

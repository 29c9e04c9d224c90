"""Reads the grocery year in replay order: local day by local day, purchases first, then coupon redemptions.

The transaction lines stay in numpy columns sorted once; Python objects are made for one day at a time.
Money is in integer cents, time in integer microseconds since the Unix epoch (UTC), ids are strings.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from adapters.completejourney import data_folder

ZONE = ZoneInfo("America/New_York")
CLOSING = time(23, 59, 59)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_AMOUNTS = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")

Column: TypeAlias = "pa.ChunkedArray[Any]"
Integers = NDArray[np.int64]


class Product(msgspec.Struct, frozen=True, gc=False):
    """A product's attributes; None where the file has none (17 of the products sold are not in its product list)."""

    product_id: str
    brand: str | None = None
    department: str | None = None
    product_category: str | None = None
    product_type: str | None = None
    manufacturer_id: str | None = None
    package_size: str | None = None


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a basket: quantity in units as the file counts them (0 allowed), amounts in cents, none negative."""

    product: Product
    quantity: int
    sales_value: int
    retail_disc: int
    coupon_disc: int
    coupon_match_disc: int


class Basket(msgspec.Struct, frozen=True, gc=False):
    """One purchase; `time` in microseconds since the epoch, `local_day` its date in ZONE, lines in file order."""

    basket_id: str
    household: str
    store: str
    time: int
    local_day: date
    lines: tuple[Line, ...]


class Redemption(msgspec.Struct, frozen=True, gc=False):
    """One coupon redeemed; the file gives only the day, `time` is its replay instant: 23:59:59 of that day in ZONE."""

    household: str
    coupon_upc: str
    campaign_id: str
    redemption_date: date
    time: int


class Day(msgspec.Struct, frozen=True, gc=False):
    """What happened on one local day: baskets in order of (time, basket id), redemptions in file order."""

    date: date
    baskets: list[Basket]
    redemptions: list[Redemption]


class Dataset:
    """The whole year: `households`, `stores` and `coupons` (distinct redeemed ones) by number, and what they did.

    `redemptions` are in file order; `purchases` and `lines` count baskets and transaction lines.
    Raises ModuleNotFoundError without the package, OSError without its files, ValueError for missing values.
    """

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or data_folder()
        read = partial(_read, folder / "transactions.parquet")
        times = read("transaction_timestamp").cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
        basket_ids = read("basket_id").to_numpy()
        order = np.lexsort((basket_ids, times))
        first = np.flatnonzero(np.diff(basket_ids[order], prepend=-1))

        product_ids, product = _distinct(read("product_id"))
        self._products = _products(folder, product_ids)
        self._line_columns = [product[order], read("quantity").to_numpy()[order]]
        self._line_columns += [cents(read(name))[order] for name in _AMOUNTS]
        self._starts = np.append(first, len(order))
        self._times, self._basket_ids = times[order[first]], basket_ids[order[first]]
        self._households, self._household = _names(read("household_id"), order[first])
        self._stores, self._store = _names(read("store_id"), order[first])

        self.lines, self.purchases = len(order), len(first)
        self.households, self.stores = _by_number(self._households), _by_number(self._stores)
        self.redemptions = _redemptions(folder)
        self.coupons = _by_number({redemption.coupon_upc for redemption in self.redemptions})
        pa.default_memory_pool().release_unused()  # the columns as read are no longer needed

    def days(self) -> Iterator[Day]:
        """Every local day that has a purchase or a redemption, in order."""
        redeemed: dict[date, list[Redemption]] = {}
        for redemption in self.redemptions:
            redeemed.setdefault(redemption.redemption_date, []).append(redemption)
        sold = [local_day(int(instant)) for instant in (self._times[0], self._times[-1])]
        day, last = min([*sold, *redeemed]), max([*sold, *redeemed])
        begin = 0
        while day <= last:
            end = int(np.searchsorted(self._times, instant_of(day + _DAY)))
            if begin < end or day in redeemed:
                yield Day(day, self._baskets(day, begin, end), redeemed.get(day, []))
            day, begin = day + _DAY, end

    def baskets(self) -> Iterator[Basket]:
        """Every basket, in order of (time, basket id)."""
        for day in self.days():
            yield from day.baskets

    def _baskets(self, day: date, begin: int, end: int) -> list[Basket]:
        starts = self._starts[begin : end + 1]
        product, *numbers = (column[starts[0] : starts[-1]].tolist() for column in self._line_columns)
        lines = tuple(map(Line, map(self._products.__getitem__, product), *numbers))
        bounds = (starts - starts[0]).tolist()
        heads = (column[begin:end].tolist() for column in (self._basket_ids, self._household, self._store, self._times))
        return [
            Basket(str(basket), self._households[household], self._stores[store], instant, day, lines[start:stop])
            for basket, household, store, instant, start, stop in zip(*heads, bounds, bounds[1:], strict=False)
        ]


def instant_of(day: date, clock: time = time.min) -> int:
    """The instant of a local date and clock time in ZONE, in microseconds since the epoch; midnight by default."""
    return (datetime.combine(day, clock, ZONE) - _EPOCH) // _MICROSECOND


def local_day(instant: int) -> date:
    """The date in ZONE of an instant in microseconds since the epoch."""
    return (_EPOCH + instant * _MICROSECOND).astimezone(ZONE).date()


def to_cents(amount: float) -> int:
    """Cents of an amount as it is written (its shortest repr), ties away from zero.

    Raises ValueError for NaN and OverflowError for infinities.
    """
    return int(Decimal(repr(amount)).scaleb(2).to_integral_value(ROUND_HALF_UP))


def cents(column: Column) -> Integers:
    """`to_cents` of a whole column: each distinct amount is converted once, exactly."""
    amounts, position = _distinct(column)
    return np.array([to_cents(amount) for amount in amounts], dtype=np.int64)[position]


def _distinct(column: Column) -> tuple[list[Any], Integers]:
    """A column's distinct values, and for each row the position of its value among them; ValueError for nulls."""
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()


def _names(column: Column, rows: Integers) -> tuple[list[str], Integers]:
    """A column's distinct values as strings, and the position among them for each of `rows`."""
    values, position = _distinct(column)
    return [str(value) for value in values], position[rows]


def _by_number(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=int))


def _products(folder: Path, product_ids: list[int]) -> list[Product]:
    fields = Product.__struct_fields__
    table = pq.read_table(folder / "products.parquet", columns=list(fields))
    products = map(Product, *(table[field].cast(pa.string()).to_pylist() for field in fields))
    known = {product.product_id: product for product in products}
    return [known.get(name) or Product(name) for name in map(str, product_ids)]


def _redemptions(folder: Path) -> list[Redemption]:
    read = partial(_read, folder / "coupon_redemptions.parquet")
    names = (read(name).cast(pa.string()).to_pylist() for name in ("household_id", "coupon_upc", "campaign_id"))
    days: list[Any] = read("redemption_date").cast(pa.date32()).to_pylist()
    return [
        Redemption(household, coupon, campaign, day, instant_of(day, CLOSING))
        for household, coupon, campaign, day in zip(*names, days, strict=True)
    ]


def _read(path: Path, name: str) -> Column:
    """One column of a parquet file; ValueError if it lacks a value."""
    column = pq.read_table(path, columns=[name])[name]
    if column.null_count:
        raise ValueError(f"values are missing in {name} of {path}")
    return column

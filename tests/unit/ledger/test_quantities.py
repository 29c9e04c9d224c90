"""Rounding and splitting, against exact fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.quantities import VALUE_MAX, Balance, Rounding, parse_fraction, round_fraction, split

numerators = st.integers(-(10**30), 10**30)
denominators = st.integers(1, 10**15)
weights = st.lists(st.integers(0, VALUE_MAX), min_size=1, max_size=30)


@given(numerators, denominators)
def test_down_is_the_whole_number_next_to_it_towards_zero(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    rounded = round_fraction(numerator, denominator, Rounding.DOWN)
    assert abs(rounded) <= abs(exact) < abs(rounded) + 1
    assert rounded * numerator >= 0


@given(numerators, denominators)
def test_up_is_the_whole_number_next_to_it_away_from_zero(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    rounded = round_fraction(numerator, denominator, Rounding.UP)
    assert abs(rounded) - 1 < abs(exact) <= abs(rounded)
    assert rounded * numerator >= 0


@given(numerators, denominators)
def test_half_up_is_the_nearest_whole_number_and_ties_go_away_from_zero(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    rounded = round_fraction(numerator, denominator, Rounding.HALF_UP)
    assert abs(rounded - exact) <= Fraction(1, 2)
    if abs(rounded - exact) == Fraction(1, 2):
        assert abs(rounded) > abs(exact)


@pytest.mark.parametrize(
    ("numerator", "down", "half_up", "up"),
    [(5, 2, 3, 3), (-5, -2, -3, -3), (4, 2, 2, 2), (1, 0, 1, 1), (-1, 0, -1, -1), (0, 0, 0, 0)],
)
def test_halves_are_rounded_as_named(numerator: int, down: int, half_up: int, up: int) -> None:
    found = [round_fraction(numerator, 2, way) for way in (Rounding.DOWN, Rounding.HALF_UP, Rounding.UP)]
    assert found == [down, half_up, up]


@given(st.integers(-VALUE_MAX, VALUE_MAX), weights)
def test_parts_sum_to_the_whole(total: int, weights: list[int]) -> None:
    """Edge case 7."""
    assert sum(split(total, weights)) == total


@given(st.integers(0, VALUE_MAX), weights)
def test_each_part_is_its_exact_share_rounded_down_or_up(total: int, weights: list[int]) -> None:
    """Edge case 7."""
    whole = sum(weights)
    for part, weight in zip(split(total, weights), weights, strict=True):
        if whole:
            assert abs(part - Fraction(total * weight, whole)) < 1
        if whole and not weight:
            assert part == 0


@given(st.integers(0, VALUE_MAX), weights)
def test_what_remains_goes_to_the_largest_remainders(total: int, weights: list[int]) -> None:
    """Edge case 7."""
    whole = sum(weights)
    if not whole:
        return
    shares = [Fraction(total * weight, whole) for weight in weights]
    parts = split(total, weights)
    raised = [share % 1 for share, part in zip(shares, parts, strict=True) if part > share]
    lowered = [share % 1 for share, part in zip(shares, parts, strict=True) if part < share]
    assert not raised or not lowered or min(raised) >= max(lowered)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (14, [333, 333, 333], [5, 5, 4]),
        (1, [1, 2, 2], [0, 1, 0]),
        (10, [0, 0], [10, 0]),
        (0, [3, 4], [0, 0]),
        (7, [5], [7]),
        (100, [1, 1, 1], [34, 33, 33]),
    ],
)
def test_ties_go_to_the_larger_weight_then_to_the_earlier_place(
    total: int, weights: list[int], parts: list[int]
) -> None:
    """Edge case 7."""
    assert split(total, weights) == parts


@pytest.mark.parametrize(
    ("text", "fraction"), [("3", Fraction(3)), ("0.01", Fraction(1, 100)), ("1/100", Fraction(1, 100))]
)
def test_a_fraction_is_read_exactly(text: str, fraction: Fraction) -> None:
    assert parse_fraction(text) == fraction


def test_a_balance_is_all_that_is_owned_less_what_is_owed() -> None:
    assert Balance("anna", "points", open=10, pending=20, held=30, quarantined=40, debt=5).balance == 95

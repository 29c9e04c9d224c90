"""Points and money: integers of minor units, exact fractions, and the few places where anything is rounded."""

from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction

import msgspec

VALUE_MAX = 10**15
"""No amount, in either direction, exceeds this many minor units; larger ones are refused as bad input."""


class Amount(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A number of minor units of a points unit or a currency, always together with that unit."""

    unit: str
    value: int


class Balance(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A member's points in one unit: balance = open + pending + held + quarantined - debt."""

    member: str
    unit: str
    open: int
    pending: int = 0
    held: int = 0
    quarantined: int = 0
    debt: int = 0

    @property
    def balance(self) -> int:
        """All that the member owns, less what the member owes."""
        return self.open + self.pending + self.held + self.quarantined - self.debt


class Rounding(StrEnum):
    """How an exact fraction becomes whole units, once, at a declared place."""

    DOWN = "DOWN"
    """Towards zero."""
    HALF_UP = "HALF_UP"
    """To the nearest; ties away from zero."""
    UP = "UP"
    """Away from zero."""


def round_fraction(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Round numerator / denominator to an integer; the denominator is positive."""
    magnitude = abs(numerator)
    if rounding is Rounding.DOWN:
        whole = magnitude // denominator
    elif rounding is Rounding.HALF_UP:
        whole = (2 * magnitude + denominator) // (2 * denominator)
    else:
        whole = -(-magnitude // denominator)
    return whole if numerator >= 0 else -whole


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` in proportion to non-negative `weights` by largest remainder, so that the parts sum to it exactly.

    Ties go to the larger weight, then to the earlier place. Where no weight is positive, everything goes to the first.
    """
    whole = sum(weights)
    if whole <= 0:
        return [total if place == 0 else 0 for place in range(len(weights))]
    parts = [total * weight // whole for weight in weights]
    rest = total - sum(parts)
    if rest:
        order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), -weights[i], i))
        for place in order[:rest]:
            parts[place] += 1
    return parts


def parse_fraction(text: str) -> Fraction:
    """An exact fraction from `3`, `0.01` or `1/100`; raises ValueError where it is none."""
    return Fraction(text)

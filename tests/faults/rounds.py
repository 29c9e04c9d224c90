"""How often a fault is repeated: a few times in `make test`, as often as was promised in `make test-long`."""

from collections.abc import Sequence
from statistics import median

import pytest


def rounds(few: int, many: int) -> pytest.MarkDecorator:
    """Parametrizes `rounds`."""
    return pytest.mark.parametrize("rounds", [few, pytest.param(many, marks=pytest.mark.long)])


def recovery(seconds: Sequence[float]) -> str:
    """Times to recovery, in a few words."""
    return f"{len(seconds)} rounds, answering again after {median(seconds):.2f} s, {max(seconds):.2f} s at most"

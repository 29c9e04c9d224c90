"""What the tests of faults share."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import FIGURE


@pytest.fixture
def figure(record_property: Callable[[str, Any], None]) -> Callable[[str], None]:
    """Keeps a figure, which is shown when all tests are done."""
    return lambda text: record_property(FIGURE, text)

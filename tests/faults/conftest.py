"""What the tests of faults share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import FIGURE
from tests.faults.stand import Stand, stand

QUEUE_COMMANDS = 3_000
"""Small enough to be flooded."""


@pytest.fixture
def figure(record_property: Callable[[str, Any], None]) -> Callable[[str], None]:
    """Keeps a figure, which is shown when all tests are done."""
    return lambda text: record_property(FIGURE, text)


@pytest.fixture(scope="session")
def under_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One stand for all faults that need nothing special: it bears one after the other, as in life."""
    with stand(tmp_path_factory.mktemp("stand"), LOYALTY_QUEUE_COMMANDS_MAX=str(QUEUE_COMMANDS)) as made:
        yield made

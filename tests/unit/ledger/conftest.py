"""A fresh desk for every test."""

from collections.abc import Iterator

import pytest

from tests.unit.ledger.desk import Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()

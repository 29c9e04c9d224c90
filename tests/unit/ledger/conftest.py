"""A fresh desk for every test."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.unit.ledger.desk import Desk

# No test asserts a time, and machines that run tests are slow now and then.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()

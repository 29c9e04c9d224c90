"""A service for each file, and a programme for each story."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.grpc.client import LedgerClient
from adapters.postgres.embedded import EmbeddedServer
from tests.acceptance.shop import Shop
from tests.integration.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Started as a user starts it."""
    data_dir = tmp_path_factory.mktemp("acceptance") / "data"
    service = Service(data_dir).start()
    try:
        service.wait_until_serving()
        yield service
    finally:
        service.stop()
        EmbeddedServer(data_dir).destroy()


@pytest.fixture
def data_dir(service: Service) -> Path:
    """Where the service keeps its data."""
    return service.data_dir


@pytest.fixture
def shop(service: Service, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A shop whose programme is named after the story."""
    programme = request.node.name.removeprefix("test_")[:64]
    with LedgerClient(service.address, programme=programme, channel="app", actor="shop-backend") as ledger:
        yield Shop(ledger)

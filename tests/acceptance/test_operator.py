"""An operator: starts it, looks at it, cuts its power, and stops it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.grpc.client import LedgerClient, Retries
from adapters.postgres.embedded import EmbeddedServer, ServerState
from tests.acceptance.shop import VIEWS, Shop, loyalty, read, wait_for_views
from tests.integration.service import Service, free_port


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Service]:
    """A service at a port of its own, which is the same after each start."""
    service = Service(tmp_path / "data", LOYALTY_PORT=str(free_port()))
    yield service
    service.stop()
    EmbeddedServer(service.data_dir).destroy()


def client(service: Service) -> LedgerClient:
    """A till that asks again for as long as a restart takes."""
    retries = Retries(attempts_max=60, seconds_max=0.5)
    return LedgerClient(service.address, programme="club", channel="till", actor="till-1", retries=retries)


def test_a_service_is_started_used_stopped_and_started_again(machine: Service) -> None:
    """What was recorded is there after a restart; a stop leaves nothing running."""
    machine.start().wait_until_serving()
    with client(machine) as ledger:
        shop = Shop(ledger)
        shop.joins("anna")
        shop.buys("anna", "A-1", yuan=100)
        wait_for_views(machine.data_dir)
        machine.stop()
        assert EmbeddedServer(machine.data_dir).status() is ServerState.STOPPED
        assert "anna" in loyalty(machine.data_dir, "statement", "club", "anna").stdout, "no service is needed to look"
        assert EmbeddedServer(machine.data_dir).status() is ServerState.STOPPED, "and afterwards it is as it was"
        machine.start().wait_until_serving()
        assert shop.points("anna").open == 100


def test_power_that_is_cut_under_load_loses_and_doubles_nothing(machine: Service) -> None:
    """Kill -9 of everything while a till sends; it asks again by command id, and each point is there once (O08)."""
    machine.start().wait_until_serving()
    with client(machine) as ledger:
        shop = Shop(ledger)
        shop.joins("anna")
        receipts = []

        def send() -> None:
            for number in range(300):
                receipts.append(shop.thanks("anna", 1, review=f"r-{number}"))

        till = threading.Thread(target=send)
        till.start()
        while len(receipts) < 20:
            time.sleep(0.01)
        os.kill(EmbeddedServer(machine.data_dir).endpoint().pid, signal.SIGKILL)
        machine.kill()
        assert till.is_alive(), "all was sent before the power was cut: that shows nothing"
        machine.start().wait_until_serving()
        till.join()
        assert shop.points("anna").open == len(receipts) == 300
    assert loyalty(machine.data_dir, "verify").returncode == 0


def test_a_database_that_dies_is_started_again(machine: Service) -> None:
    """Writer, projections and clients find it again by themselves."""
    machine.start().wait_until_serving()
    with client(machine) as ledger:
        shop = Shop(ledger)
        shop.joins("anna")
        os.kill(EmbeddedServer(machine.data_dir).endpoint().pid, signal.SIGKILL)
        machine.await_logged("database.died")
        shop.thanks("anna", 10, review="r-1")
        assert shop.points("anna").open == 10


def test_the_views_say_how_far_they_are(machine: Service) -> None:
    """`projections.status`: position, lag in events and in seconds, and whether something stopped."""
    machine.start().wait_until_serving()
    with client(machine) as ledger:
        Shop(ledger).joins("anna")
        wait_for_views(machine.data_dir)
    rows = read(machine.data_dir, "SELECT name, state, lag_events, lag_seconds, live FROM projections.status")
    assert {row[0] for row in rows} == VIEWS
    assert {row[1:] for row in rows} == {("RUNNING", 0, 0.0, True)}


def test_settings_are_shown_and_wrong_ones_are_named(tmp_path: Path) -> None:
    """`loyalty config` says what is set and what for, and hides secrets; a wrong setting is named."""
    shown = loyalty(tmp_path, "config", LOYALTY_PORT="7001", LOYALTY_DSN="host=db password=hush").stdout
    assert "7001" in shown
    assert "LOYALTY_QUEUE_COMMANDS_MAX" in shown
    assert "hush" not in shown
    wrong = loyalty(tmp_path, "config", LOYALTY_PORT="99999")
    assert wrong.returncode == 2
    assert "port" in wrong.stderr


def test_a_schema_is_migrated_once(machine: Service) -> None:
    """`loyalty migrate` makes it, and then has nothing to do; it leaves the database as it found it."""
    first, second = (loyalty(machine.data_dir, "migrate") for _ in range(2))
    assert first.stdout.startswith("Migrated from nothing")
    assert second.stdout.startswith("The schema is at")
    assert EmbeddedServer(machine.data_dir).status() is ServerState.STOPPED


def test_the_log_is_followed_on_the_command_line(machine: Service) -> None:
    """`loyalty events`: one JSON object a line, filtered by topic."""
    machine.start().wait_until_serving()
    with client(machine) as ledger:
        Shop(ledger).joins("anna", "bo")
    lines = loyalty(machine.data_dir, "events", "--topic", "member.enrolled.v1").stdout.splitlines()
    assert len(lines) == 2
    assert '"stream":"club/member/anna"' in lines[0]

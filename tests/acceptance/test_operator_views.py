"""The operator and the views, on the command line: where they stand, built anew, taken back, replayed as of then."""

from datetime import UTC, datetime

import psycopg

from adapters.postgres.embedded import EmbeddedServer
from tests.acceptance.shop import Shop, loyalty, read, wait_for_views
from tests.acceptance.test_operator import client, machine
from tests.integration.service import Service

__all__ = ("machine",)


def test_views_are_rebuilt_swapped_and_taken_back_without_downtime(machine: Service) -> None:
    """`loyalty rebuild`: nothing differs; where something does, it is shown and waits; `rollback` and `drop-build`."""
    machine.start().wait_until_serving()
    with client(machine) as ledger:
        shop = Shop(ledger)
        shop.joins("anna")
        shop.thanks("anna", 10, review="r-1")
        wait_for_views(machine.data_dir)
        same = loyalty(machine.data_dir, "rebuild", "balance", "due")
        assert (same.returncode, same.stdout.count("no row differs")) == (0, 2), same.stdout + same.stderr
        with psycopg.connect(EmbeddedServer(machine.data_dir).endpoint().app_dsn) as connection:
            connection.execute("UPDATE projections.balance_b2_buckets SET remaining = 11")
        other = loyalty(machine.data_dir, "rebuild", "balance")
        assert other.returncode == 1
        assert "differs from the live one in 1 rows" in other.stdout
        assert "'remaining': 11" in other.stdout
        assert "'remaining': 10" in other.stdout
        listed = loyalty(machine.data_dir, "projections", COLUMNS="200").stdout
        assert [line.split()[1:4] for line in listed.splitlines() if line.split()[:1] == ["balance"]] == [
            ["1", "2", "RETIRED"],
            ["2", "2", "RUNNING,"],
            ["3", "2", "READY"],
        ]
        assert shop.points("anna").open == 11
        assert loyalty(machine.data_dir, "swap", "balance").returncode == 0
        assert shop.points("anna").open == 10
        refused = loyalty(machine.data_dir, "drop-build", "balance", "3")
        assert (refused.returncode, refused.stderr.strip()) == (1, "build 3 of balance is live")
        assert loyalty(machine.data_dir, "drop-build", "balance", "2").returncode == 0
        back = loyalty(machine.data_dir, "rollback", "balance")
        assert "build 1 is live" in back.stdout


def test_views_are_rebuilt_where_no_service_runs(machine: Service) -> None:
    """The command does the work itself, and ends."""
    machine.start().wait_until_serving()
    with client(machine) as ledger:
        Shop(ledger).joins("anna")
        wait_for_views(machine.data_dir)
    machine.stop()
    done = loyalty(machine.data_dir, "rebuild", "programmes")
    assert "programmes: build 2 is live" in done.stdout, done.stderr


def test_an_auditor_gets_a_view_as_of_then(machine: Service) -> None:
    """`loyalty replay --to --into`: by position or by time, in a schema of its own."""
    machine.start().wait_until_serving()
    with client(machine) as ledger:
        shop = Shop(ledger)
        shop.joins("anna")
        shop.thanks("anna", 10, review="r-1")
        then = datetime.now(UTC).isoformat()
        shop.thanks("anna", 5, review="r-2")
        wait_for_views(machine.data_dir)
    done = loyalty(machine.data_dir, "replay", "balance", "--to", then, "--into", "audit")
    assert done.returncode == 0, done.stderr
    sums = [read(machine.data_dir, f"SELECT sum(remaining)::int FROM {schema}.balance_buckets") for schema in SCHEMAS]
    assert sums == [[(10,)], [(15,)]]
    wrong = loyalty(machine.data_dir, "replay", "balance", "--to", "yesterday", "--into", "audit")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("yesterday is neither a position nor a time")


SCHEMAS = ("audit", "projections")

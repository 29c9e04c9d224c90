"""Heads kept outside the database: what whoever rules the database can do to the log, and how it is found all the same.

The one who tampers is thorough: hashes, batches and the shard's row agree with each other afterwards.
"""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from adapters.cli.main import app
from ledger.commands import Request, Transfer
from ledger.quantities import Amount
from ledger.receipts import Outcome
from ledger.refusals import Refusal
from tests.conftest import Database
from tests.integration.tampering import tampering
from tests.integration.views_world import World, running_world
from tests.unit.ledger.desk import PROGRAMME


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """A programme in which something has happened."""
    async with running_world(database) as world:
        await world.open()
        await world.given("anna earns 10", "bo earns 20")
        yield world


class Auditor:
    """Somebody with a directory that nobody else can write, a key, and the command line."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.head = directory / "head.json"
        self.key = directory / "heads"
        self._dsn = database.app_dsn
        self.run("make-key", self.key)

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], env={"LOYALTY_DSN": self._dsn})

    def keep(self) -> Result:
        return self.run("verify", "--keep-head", self.head, "--key", self.key)

    def check(self, key: Path | None = None) -> Result:
        public = self.key.with_name("heads.pub")
        return self.run("verify", "--head", self.head, "--key", key or public)


@pytest.fixture
def auditor(database: Database, tmp_path: Path) -> Auditor:
    return Auditor(database, tmp_path)


def cut_off(database: Database, batches: int) -> None:
    """Take the last batches away, and leave a log that is sound in itself."""
    with tampering(database.superuser_dsn) as connection:
        connection.execute(
            """
            WITH gone AS (
                DELETE FROM ledger.batches WHERE batch > (SELECT max(batch) - %s FROM ledger.batches)
                RETURNING batch, first_position),
            events AS (DELETE FROM ledger.events WHERE position >= (SELECT min(first_position) FROM gone))
            DELETE FROM ledger.outcomes WHERE batch IN (SELECT batch FROM gone)
            """,
            (batches,),
        )
        connection.execute(
            """
            UPDATE ledger.shards SET
                (position, hash) = (SELECT position, hash FROM ledger.events ORDER BY position DESC LIMIT 1),
                (batch, batch_hash) = (SELECT batch, hash FROM ledger.batches ORDER BY batch DESC LIMIT 1)
            """
        )


async def lead_anew(world: World) -> None:
    """The writer finds another log than it left, steps down, and carries on from what is there."""
    led = asyncio.Event()
    world.writer.on_lead = lambda leads: led.set() if leads else None
    await world.execute([transfer(world, b"lost")])
    await asyncio.wait_for(led.wait(), 10)


def transfer(world: World, name: bytes) -> Request:
    """More points than anybody has: a refusal."""
    command = Transfer("anna", "bo", Amount("points", 1_000))
    return Request(name.rjust(16, b"\0"), PROGRAMME, world.now, (command,), "till-1", "shop")


async def test_a_head_is_still_held_after_the_log_has_grown(world: World, auditor: Auditor) -> None:
    assert auditor.keep().exit_code == 0
    await world.given("anna earns 5")
    checked = auditor.check()
    assert checked.exit_code == 0
    assert "still holds the head" in checked.stdout


async def test_a_tail_that_was_cut_off_is_found_by_a_kept_head_only(world: World, auditor: Auditor) -> None:
    auditor.keep()
    kept = json.loads(auditor.head.read_text())["head"]
    cut_off(world.database, batches=1)
    assert auditor.run("verify").exit_code == 0, "the log is sound in itself"
    checked = auditor.check()
    assert checked.exit_code == 1
    assert f"position {kept['position']} of the kept head is missing" in checked.stdout
    assert f"batch {kept['batch']} of the kept head is missing" in checked.stdout


async def test_a_tail_that_was_rewritten_is_found_by_a_kept_head_only(world: World, auditor: Auditor) -> None:
    auditor.keep()
    kept = json.loads(auditor.head.read_text())["head"]
    cut_off(world.database, batches=1)
    await lead_anew(world)
    await world.given("anna earns 20", "anna earns 1")
    assert auditor.run("verify").exit_code == 0, "the log is sound in itself"
    checked = auditor.check()
    assert checked.exit_code == 1
    assert f"position {kept['position']} has another hash than in the kept head" in checked.stdout


async def test_a_refusal_that_was_cut_off_is_found_although_it_left_no_event(world: World, auditor: Auditor) -> None:
    (answer,) = await world.execute([transfer(world, b"refused")])
    assert isinstance(answer, Outcome)
    assert isinstance(answer.answer, Refusal)
    auditor.keep()
    kept = json.loads(auditor.head.read_text())["head"]
    cut_off(world.database, batches=1)
    checked = auditor.check()
    assert checked.exit_code == 1
    assert "position" not in checked.stdout
    assert f"batch {kept['batch']} of the kept head is missing" in checked.stdout


async def test_a_byte_changed_before_a_kept_head_is_named(world: World, auditor: Auditor) -> None:
    auditor.keep()
    with tampering(world.database.superuser_dsn) as connection:
        connection.execute("UPDATE ledger.events SET actor = 'somebody' WHERE position = 2")
    checked = auditor.check()
    assert checked.exit_code == 1
    assert "position 2 does not match its hash" in checked.stdout


@pytest.mark.parametrize("field", ["position", "hash", "batch", "batch_hash", "kept_at"])
async def test_a_forged_head_proves_nothing(world: World, auditor: Auditor, field: str) -> None:
    auditor.keep()
    forged = json.loads(auditor.head.read_text())
    other = {"position": 1, "hash": "00" * 32, "batch": 1, "batch_hash": "00" * 32, "kept_at": "2031-01-01T00:00:00Z"}
    (forged if field == "kept_at" else forged["head"])[field] = other[field]
    auditor.head.write_text(json.dumps(forged))
    checked = auditor.check()
    assert checked.exit_code == 2
    assert "was not signed with" in checked.stderr


async def test_a_head_signed_with_another_key_proves_nothing(world: World, auditor: Auditor, tmp_path: Path) -> None:
    auditor.run("make-key", tmp_path / "forger")
    auditor.run("verify", "--keep-head", auditor.head, "--key", tmp_path / "forger")
    checked = auditor.check()
    assert checked.exit_code == 2
    assert "was not signed with" in checked.stderr
    assert auditor.check(key=tmp_path / "forger").exit_code == 0, "a private key has its public one in it"


async def test_what_cannot_be_used_is_said(world: World, auditor: Auditor, tmp_path: Path) -> None:
    public, other = auditor.key.with_name("heads.pub"), tmp_path / "other"
    other.write_text("{}")
    attempts = {
        "say with which key": ("verify", "--keep-head", auditor.head),
        "signing takes the private one": ("verify", "--keep-head", auditor.head, "--key", public),
        "is no key": ("verify", "--keep-head", auditor.head, "--key", other),
        "is no head that was kept": ("verify", "--head", other, "--key", public),
        "cannot read": ("verify", "--head", tmp_path / "nowhere", "--key", public),
        "cannot write": ("make-key", auditor.key),
    }
    for said, arguments in attempts.items():
        ended = auditor.run(*arguments)
        assert ended.exit_code == 2, arguments
        assert said in ended.stderr
    assert not auditor.head.exists()


def test_the_private_key_is_for_its_owner_only(auditor: Auditor) -> None:
    assert stat.S_IMODE(auditor.key.stat().st_mode) == 0o600
    assert "PRIVATE" not in auditor.key.with_name("heads.pub").read_text()

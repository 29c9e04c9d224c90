"""Finance and auditors: they reckon the log again, keep a head of it, and are told which byte was changed."""

import json
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.embedded import EmbeddedServer
from tests.acceptance.shop import UNIT, Shop, loyalty, read
from tests.integration.tampering import tampering


@pytest.fixture
def year(shop: Shop) -> Shop:
    """What a shop does in a year, in short."""
    shop.joins("anna", "bo")
    shop.buys("anna", "A-1", yuan=900)
    shop.thanks("bo", 50, review="r-1")
    shop.offers("mug", points=500, stock=2)
    shop.redeems("anna", "mug", redemption="R-1")
    shop.done(shop.ledger.fulfil(redemption="R-1"))
    shop.done(shop.ledger.transfer(sender="anna", receiver="bo", points=150, unit=UNIT))
    return shop


def test_balances_follow_from_the_events_alone(year: Shop) -> None:
    """Whoever reads the log from its first position on comes to the same balances as the service (F06)."""
    balances: Counter[str] = Counter()
    versions: Counter[str] = Counter()
    for recorded in year.ledger.subscribe_events(follow=False):
        event = json.loads(recorded.event)
        versions[recorded.stream] += 1
        assert recorded.version == versions[recorded.stream], "a stream has no gaps"
        member = recorded.stream.rpartition("/")[2]
        match recorded.topic:
            case "points.earned.v1":
                balances[member] += event["points"]
            case "points.redeemed.v1" | "points.transferred_out.v1":
                balances[member] -= sum(part["points"] for part in event["parts"])
            case "points.transferred_in.v1":
                balances[member] += sum(lot["points"] for lot in event["lots"])
    assert balances == {"anna": 250, "bo": 200}
    assert {member: year.points(member).balance for member in balances} == balances


def test_the_log_can_be_read_in_sql(year: Shop, data_dir: Path) -> None:
    """Events are JSON, their instants are time stamps, and each credit names what it stands on (E19, F06)."""
    rows = read(
        data_dir,
        "SELECT stream, event ->> 'points', event -> 'source' ->> 'type', (event ->> 'expires_at')::timestamptz"
        " - occurred_at > interval '11 months', actor, channel FROM ledger.event_log"
        " WHERE programme = %s AND topic = 'points.earned.v1' ORDER BY position",
        year.ledger.aio.header.programme,
    )
    programme = year.ledger.aio.header.programme
    assert rows == [
        (f"{programme}/member/anna", "900", "order", True, "shop-backend", "app"),
        (f"{programme}/member/bo", "50", "review", True, "shop-backend", "app"),
    ]


def test_a_head_is_kept_and_checked_after_the_log_has_grown(year: Shop, data_dir: Path, tmp_path: Path) -> None:
    """Keep a signed head outside the database; later the public key shows that the log still holds it (K04)."""
    assert loyalty(data_dir, "make-key", tmp_path / "heads").returncode == 0
    kept = loyalty(data_dir, "verify", "--keep-head", tmp_path / "head.json", "--key", tmp_path / "heads")
    assert kept.returncode == 0, kept.stderr
    year.buys("bo", "A-2", yuan=10)
    checked = loyalty(data_dir, "verify", "--head", tmp_path / "head.json", "--key", tmp_path / "heads.pub")
    assert checked.returncode == 0, checked.stdout
    assert "Nothing was changed" in checked.stdout
    assert "still holds the head" in checked.stdout


def test_a_byte_that_was_changed_is_named(year: Shop, data_dir: Path) -> None:
    """Whoever rules the database gives anna nine points for one; the verification names the position (K04)."""
    change = "UPDATE ledger.events SET event = convert_to(replace(convert_from(event, 'UTF8'), %s, %s), 'UTF8')"
    where = " WHERE programme = %s AND topic = 'points.earned.v1' AND stream LIKE '%%anna' RETURNING position"
    honest, forged = '"points":900', '"points":909'
    superuser = EmbeddedServer(data_dir).endpoint().superuser_dsn
    programme = year.ledger.aio.header.programme
    with tampering(superuser) as connection:
        ((position,),) = connection.execute((change + where).encode(), (honest, forged, programme)).fetchall()
    found = loyalty(data_dir, "verify")
    with tampering(superuser) as connection:
        connection.execute((change + where).encode(), (forged, honest, programme))
    assert found.returncode == 1
    assert f"position {position} does not match its hash" in found.stdout
    assert found.stdout.count("does not match") == 1
    assert loyalty(data_dir, "verify").returncode == 0


def test_nobody_changes_the_log_by_the_applications_own_hand(year: Shop, data_dir: Path) -> None:
    """The role that the service uses may neither update nor delete nor truncate what was recorded (F06)."""
    for statement in ("UPDATE ledger.events SET actor = 'x'", "DELETE FROM ledger.outcomes", "TRUNCATE ledger.batches"):
        with (
            psycopg.connect(EmbeddedServer(data_dir).endpoint().app_dsn) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement.encode())

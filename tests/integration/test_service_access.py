"""A real service behind tokens, from its settings to its log (K05)."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.grpc.client import LedgerClient, NotFound, PermissionDenied, Refused, Settings, Source, Unauthenticated
from loyalty.v1.types_pb2 import PointUnit
from tests.integration.access_world import AUDIENCE, ISSUER, Issuer
from tests.integration.service import Service

SHOP = Settings(
    zone="Asia/Shanghai", clock="CLOCK_KIND_WALL", units=[PointUnit(name="points")], currency="CNY", currency_digits=2,
    earning_unit="points", earning_rate="1/100", rounding="ROUNDING_DOWN", point_value="1",
)  # fmt: skip


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "keys.json")


@pytest.fixture
def service(tmp_path: Path, issuer: Issuer) -> Iterator[Service]:
    settings = {"TOKEN_KEYS": str(issuer.path), "TOKEN_AUDIENCE": AUDIENCE, "TOKEN_ISSUER": ISSUER}
    service = Service(tmp_path / "data", **{f"LOYALTY_{name}": value for name, value in settings.items()}).start()
    try:
        service.wait_until_serving()
        yield service
    finally:
        service.stop()


def test_duties_are_kept_apart_and_the_log_says_who_did_what(service: Service, issuer: Issuer) -> None:
    def client(sub: str, *roles: str, programmes: tuple[str, ...] = ("shop",)) -> LedgerClient:
        token = issuer.token(sub=sub, roles=list(roles), programmes=list(programmes))
        return LedgerClient(service.address, programme="shop", channel="app", actor="anybody", token=token)

    with (
        LedgerClient(service.address, programme="shop", channel="app", actor="anybody") as nobody,
        client("setup", "administrator") as administrator,
        client("app", "channel") as channel,
        client("auditor", "finance") as finance,
        client("rival", "channel", "finance", programmes=("rival",)) as rival,
    ):
        with pytest.raises(Unauthenticated):
            nobody.open_programme(settings=SHOP)
        with pytest.raises(PermissionDenied):
            channel.open_programme(settings=SHOP)
        administrator.open_programme(settings=SHOP)
        channel.enrol_member(member="anna")
        with pytest.raises(PermissionDenied):
            administrator.earn(member="anna", points=5, unit="points", source=Source(type="gift", id="g-1"))
        earned, refused = uuid.uuid4(), uuid.uuid4()
        source = Source(type="review", id="r-1")
        receipt = channel.earn(member="anna", points=5, unit="points", source=source, command_id=earned)
        with pytest.raises(Refused):
            channel.earn(member="bo", points=5, unit="points", source=source, command_id=refused)

        assert finance.get_balance(member="anna", min_position=receipt.position).balances[0].open == 5
        assert [event.actor for event in finance.subscribe_events(follow=False)] == ["setup", "app", "app"]
        for command_id in (earned, refused):
            assert finance.get_command(command_id=command_id).programme == "shop"
            with pytest.raises(PermissionDenied):
                rival.get_command(command_id=command_id)
        with pytest.raises(NotFound):
            rival.get_command(command_id=uuid.uuid4())
        for ask in (lambda: rival.get_balance(member="anna"), lambda: list(rival.subscribe_events(follow=False))):
            with pytest.raises(PermissionDenied):
                ask()
        assert not list(rival.subscribe_events(programme="rival", stream="shop/member/anna", follow=False))
    assert '"total": 1' in service.log.read_text()


def test_it_refuses_to_start_beyond_loopback_without_protection(tmp_path: Path) -> None:
    settings = {"LOYALTY_HOST": "0.0.0.0", "LOYALTY_DATA_DIR": str(tmp_path / "data")}
    ended = subprocess.run(
        [sys.executable, "-m", "adapters.cli.main", "serve"],
        env=settings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "TLS and" in ended.stderr
    assert not (tmp_path / "data").exists()

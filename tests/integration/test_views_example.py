"""The view that the README shows is a whole view: it is taken out of it and run, rebuilt too."""

import importlib.util
import re
import sys
from pathlib import Path

import psycopg
import pytest

import projections
from adapters.postgres.operations import PostgresOperations
from projections.operations import State
from projections.projection import Projection
from tests.conftest import Database
from tests.integration.test_rebuild import reaches
from tests.integration.views_world import caught_up, projecting, running_world
from tests.unit.ledger.desk import PROGRAMME

README = Path(projections.__file__).with_name("README.md").read_text()
LINES_MAX = 60


def blocks() -> dict[str, str]:
    """The code blocks of the README, by language."""
    return dict(re.findall(r"```(sql|python)\n(.*?)```", README, re.DOTALL))


@pytest.fixture
def tallies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Projection:
    """The README's view, from a folder of its own."""
    (tmp_path / "view.sql").write_text(blocks()["sql"])
    (tmp_path / "fold.py").write_text(blocks()["python"])
    spec = importlib.util.spec_from_file_location("tallies_fold", tmp_path / "fold.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "tallies_fold", module)
    spec.loader.exec_module(module)
    projection = module.TALLIES
    assert isinstance(projection, Projection)
    return projection


def test_the_example_is_short() -> None:
    assert sum(len(block.splitlines()) for block in blocks().values()) < LINES_MAX


async def test_the_example_runs(database: Database, tallies: Projection) -> None:
    async with running_world(database) as world, projecting(database, (tallies,)):
        await world.open()
        await world.given("anna earns 10", "bo earns 5")
        await caught_up(world, "tallies")
        world.operations = PostgresOperations(database.app_dsn, (tallies,))
        await world.operations.rebuild("tallies")
        assert (await reaches(world, "tallies", 2, State.RUNNING)).differences == 0
        await world.given("anna earns 1")
        await caught_up(world, "tallies")
    with psycopg.connect(database.app_dsn) as connection:
        assert connection.execute("SELECT * FROM projections.tallies").fetchall() == [(PROGRAMME, 3, 16)]

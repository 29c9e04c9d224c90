"""The way to PostgreSQL under load: cut, delayed, stalled; and a PostgreSQL that is restarted."""

import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from adapters.postgres.embedded import EmbeddedServer, StopMode
from adapters.postgres.store import LEASE_SECONDS
from tests.faults.proxy import CutAt, WireInThread, wire_in_thread
from tests.faults.rounds import recovery, rounds
from tests.faults.stand import Stand, stand

Figure = Callable[[str], None]

LEADS = "store.lead"
"""What the writer logs each time it has connected anew."""


class Wired(NamedTuple):
    """A service that reaches its database by a DSN, over a wire."""

    stand: Stand
    wire: WireInThread


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    """One for this module: it bears one fault after the other."""
    directory = tmp_path_factory.mktemp("wired")
    database = EmbeddedServer(directory / "data", sync_initdb=False)
    endpoint = database.start()
    with wire_in_thread(endpoint.app_dsn) as wire:
        dsns = {"LOYALTY_DSN": wire.dsn, "LOYALTY_OWNER_DSN": endpoint.owner_dsn}
        with stand(directory, database, **dsns) as made:
            yield Wired(made, wire)


@rounds(few=6, many=50)
def test_connections_that_are_cut_lose_and_double_nothing(wired: Wired, figure: Figure, rounds: int) -> None:
    """All at once, or one at its commit, on the way there or back: nobody knows the outcome, and it is looked up."""
    recoveries = []
    led = wired.stand.service.log.read_text().count(LEADS)
    with wired.stand.load() as load:
        for round_number in range(rounds):
            time.sleep(random.uniform(0.1, 0.3))
            cut_at = time.monotonic()
            if round_number % 3 == 0:
                wired.wire.cut_all()
            else:
                wired.wire.cut_next(CutAt.COMMIT if round_number % 3 == 1 else CutAt.ANSWER)
            recoveries.append(load.wait_for_answers(cut_at))
    felt = wired.stand.service.log.read_text().count(LEADS) - led
    assert felt >= rounds // 3, "every third cut is of all connections, and was not felt"
    figure(f"{recovery(recoveries)}; {load.attempts_failed} calls had to be made again")
    figure(wired.stand.check())


def test_a_slow_way_to_the_database_is_only_slow(wired: Wired, figure: Figure) -> None:
    """Twenty milliseconds each way, and nothing fails."""
    with wired.stand.load() as load, wired.wire.delayed(0.02):
        began_at = time.monotonic()
        while len(load.calls) < 10:
            load.wait_for_answers(time.monotonic())
        figure(f"{len(load.calls) / (time.monotonic() - began_at):.1f} calls a second from 4 clients, none failed")
    assert load.attempts_failed == 0
    figure(wired.stand.check())


@rounds(few=1, many=10)
def test_a_way_that_goes_silent_is_waited_for(wired: Wired, figure: Figure, rounds: int) -> None:
    """Nothing arrives for longer than the lease, and nobody is told: what was under way is known afterwards."""
    recoveries = []
    with wired.stand.load() as load:
        for _ in range(rounds):
            load.wait_for_answers(time.monotonic())
            with wired.wire.stalled():
                time.sleep(LEASE_SECONDS + 1)
            recoveries.append(load.wait_for_answers(time.monotonic()))
    figure(f"{recovery(recoveries)}, from the moment when the way was free")
    figure(wired.stand.check())


@rounds(few=1, many=20)
@pytest.mark.parametrize("mode", [StopMode.FAST, StopMode.IMMEDIATE])
def test_a_postgresql_that_is_restarted_is_found_again(
    wired: Wired, figure: Figure, mode: StopMode, rounds: int
) -> None:
    """As an operator restarts it, or as it crashes: the service, reaching it by a DSN, finds it again by itself."""
    recoveries = []
    with wired.stand.load() as load:
        for _ in range(rounds):
            load.wait_for_answers(time.monotonic())
            wired.stand.database.stop(mode)
            wired.stand.database.start()
            recoveries.append(load.wait_for_answers(time.monotonic()))
    figure(f"{recovery(recoveries)}, from the moment when it was up; {load.attempts_failed} calls had to be made again")
    figure(wired.stand.check())

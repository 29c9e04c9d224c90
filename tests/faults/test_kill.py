"""`kill -9` under load: of the whole service, of each of its processes, of PostgreSQL."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.cluster import DATABASE
from tests.faults.load import WAIT_SECONDS_MAX
from tests.faults.rounds import recovery, rounds
from tests.faults.stand import POSTGRESQL, Stand, stand

Figure = Callable[[str], None]

COMMIT_DELAY_MICROSECONDS = 20_000


def _died_inside_a_commit(log: Path) -> int:
    """How many batches were copied and never reported as committed."""
    copied: Counter[int] = Counter()
    for line in log.read_text().splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            if entry["event"] == "batch.copied":
                copied[entry["batch"]] += 1
            elif entry["event"] == "batch.committed":
                copied[entry["batch"]] -= 1
    return sum(1 for count in copied.values() if count > 0)


def _slow_down_commits(under_test: Stand) -> None:
    """Let each wait before its flush, from the next start of the service on, so that a kill can be aimed at it."""
    with psycopg.connect(under_test.database.endpoint().superuser_dsn, autocommit=True) as superuser:
        for setting in (f"commit_delay = {COMMIT_DELAY_MICROSECONDS}", "commit_siblings = 0"):
            superuser.execute(f"ALTER DATABASE {DATABASE} SET {setting}".encode())


@rounds(few=6, many=50)
def test_kill_9_of_the_service_loses_and_doubles_nothing(tmp_path: Path, figure: Figure, rounds: int) -> None:
    """Unanswered commands are sent again with their ids (edge case 13); every other kill is aimed at a commit."""
    recoveries, unanswered = [], 0
    with stand(tmp_path, LOYALTY_LOG_LEVEL="debug") as under_test:
        service = under_test.service
        _slow_down_commits(under_test)
        for round_number in range(rounds):
            with under_test.load():
                time.sleep(random.uniform(0.3, 0.8))
                service.kill(after="batch.copied" if round_number % 2 else "")
            begin = time.monotonic()
            service.start()
            unanswered += under_test.settle()
            recoveries.append(time.monotonic() - begin)
        inside = _died_inside_a_commit(service.log)
        figure(f"{recovery(recoveries)}; {inside} kills inside a commit, {unanswered} commands sent again")
        figure(under_test.check())
    assert unanswered > 0, "no kill interrupted anything: the test did not test that"
    assert inside > 0, "no kill fell between COPY and commit: the test did not test that"


@rounds(few=2, many=20)
@pytest.mark.parametrize("victim", ["gateway", "writer", "projections", POSTGRESQL])
def test_kill_9_of_one_process_is_made_good(under_test: Stand, figure: Figure, victim: str, rounds: int) -> None:
    """Another takes its place, the rest lives on, and clients that ask again get their answers (edge case 13)."""
    recoveries = []
    with under_test.load() as load:
        for _ in range(rounds):
            time.sleep(random.uniform(0.1, 0.5))
            load.wait_for_answers(time.monotonic())
            before = under_test.pids()
            killed_at = under_test.kill(victim)
            after = _pids_with_another(under_test, victim, before[victim])
            recoveries.append(load.wait_for_answers(killed_at))
            assert {**after, victim: 0} == {**before, victim: 0}
    if victim in ("gateway", "writer"):  # while PostgreSQL is away, commands wait for it
        assert load.attempts_failed > 0, "no kill interrupted anything"
    figure(f"{recovery(recoveries)}; {load.attempts_failed} calls had to be made again")
    figure(under_test.check())


def _pids_with_another(under_test: Stand, victim: str, killed: int) -> dict[str, int]:
    """The process ids once there is another in the place of the one that was killed."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while (pids := under_test.pids()).get(victim, killed) == killed:
        assert time.monotonic() < deadline, f"no other {victim} was started"
        time.sleep(0.02)
    return pids


def test_a_stop_under_load_answers_whatever_it_takes(under_test: Stand) -> None:
    """What was accepted is answered, what is not answered was not accepted: the log is what clients were told."""
    try:
        with under_test.load() as load:
            load.wait_for_answers(time.monotonic())
            under_test.service.stop()
    finally:
        under_test.service.start()
    under_test.journal.unanswered.clear()
    under_test.check()

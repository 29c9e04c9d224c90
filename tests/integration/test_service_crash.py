"""What a crash leaves: every acknowledged command exactly once, nothing half-done, and a chain that verifies."""

import json
import random
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import grpc
import psycopg
import pytest

from adapters.postgres.embedded import EmbeddedServer
from adapters.postgres.verify import verify
from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import queries_pb2 as q
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from tests.integration.service import PROGRAMME, UNIT, Service, earn, enrol, open_programme, stubs

ROUNDS = 10
MEMBERS = [f"m{number}" for number in range(50)]


class Load:
    """Callers that send batches until the service is gone; what was acknowledged is remembered."""

    def __init__(self, address: str, callers: int) -> None:
        self.acknowledged: dict[str, str] = {}
        self.unanswered: list[c.ExecuteRequest] = []
        self._address = address
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(place,)) for place in range(callers)]
        for thread in self._threads:
            thread.start()

    def _call(self, place: int) -> None:
        numbers = random.Random(place)
        with grpc.insecure_channel(self._address) as channel:
            commands, _ = stubs(channel)
            while not self._stop.is_set():
                batch = c.ExecuteRequest()
                for _ in range(numbers.choice((1, 20, 200))):
                    request = earn(numbers.choice(MEMBERS), source=uuid.uuid4().hex)
                    batch.commands.add(earn=request)
                try:
                    response = commands.Execute(batch, timeout=10)
                except grpc.RpcError:
                    self.unanswered.append(batch)
                    return
                if not self._note(batch, response):
                    return

    def _note(self, batch: c.ExecuteRequest, response: c.ExecuteResponse) -> bool:
        """Whether everything was acknowledged: a gateway whose writer died answers each command by itself."""
        left = c.ExecuteRequest()
        for command, result in zip(batch.commands, response.results, strict=True):
            if result.HasField("receipt"):
                self.acknowledged[command.earn.header.command_id] = command.earn.member
            else:
                assert result.error.reason == "UNAVAILABLE", result
                left.commands.append(command)
        if left.commands:
            self.unanswered.append(left)
        return not left.commands

    def end(self) -> None:
        """Stop the callers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


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


def test_kill_9_under_load_loses_no_acknowledged_command(tmp_path: Path) -> None:
    """Ten rounds of SIGKILL under load; unanswered commands are sent again with their ids (edge case 13)."""
    data_dir = tmp_path / "data"
    acknowledged: dict[str, str] = {}
    unanswered: list[c.ExecuteRequest] = []
    inside = 0
    recoveries = []
    try:
        for round_number in range(ROUNDS):
            begin = time.monotonic()
            service = Service(data_dir).start()
            service.wait_until_serving()
            recoveries.append(time.monotonic() - begin)
            with service.channel() as channel:
                commands, _ = stubs(channel)
                if round_number == 0:
                    open_programme(commands)
                    enrol(commands, *MEMBERS)
                acknowledged.update(_again(commands, unanswered))
            load = Load(service.address, callers=4)
            time.sleep(random.uniform(0.3, 0.8))
            # Every other kill is aimed at the moment between COPY and commit.
            service.kill(after="batch.copied" if round_number % 2 else "")
            load.end()
            acknowledged.update(load.acknowledged)
            unanswered = load.unanswered
            inside += _died_inside_a_commit(service.log)
        service = Service(data_dir).start()
        service.wait_until_serving()
        _check_exactly_once(service, data_dir, acknowledged, unanswered)
        service.stop()
    finally:
        EmbeddedServer(data_dir).destroy()
    print(
        f"{len(acknowledged)} acknowledged over {ROUNDS} kills, {inside} of them between COPY and commit's answer;"
        f" serving again {max(recoveries[1:]):.2f} s after a start at most"
    )
    assert inside > 0, "no kill fell between COPY and commit: the test did not test that"


def _again(commands: CommandServiceStub, unanswered: list[c.ExecuteRequest]) -> dict[str, str]:
    """Send what was not answered once more, with the same ids; all of it is accepted."""
    acknowledged = {}
    for batch in unanswered:
        for command, result in zip(batch.commands, commands.Execute(batch).results, strict=True):
            assert result.HasField("receipt"), result
            acknowledged[command.earn.header.command_id] = command.earn.member
    return acknowledged


def _check_exactly_once(
    service: Service, data_dir: Path, acknowledged: dict[str, str], unanswered: list[c.ExecuteRequest]
) -> None:
    maybe = {command.earn.header.command_id for batch in unanswered for command in batch.commands}
    endpoint = EmbeddedServer(data_dir).endpoint()
    with psycopg.connect(endpoint.app_dsn) as connection:
        rows = connection.execute(
            "SELECT command_id::text, count(*), min(split_part(stream, '/', 3)) FROM ledger.events"
            " WHERE topic = 'points.earned.v1' GROUP BY 1"
        ).fetchall()
    recorded = {row[0]: (row[1], row[2]) for row in rows}
    assert all(count == 1 for count, _ in recorded.values())
    assert set(acknowledged) <= set(recorded)
    assert set(recorded) - set(acknowledged) <= maybe
    assert all(recorded[command_id][1] == member for command_id, member in acknowledged.items())
    balances = Counter(member for _, member in recorded.values())
    with service.channel() as channel:
        commands, queries = stubs(channel)
        position = commands.Earn(earn(MEMBERS[0], source="last")).position
        balances[MEMBERS[0]] += 1
        for member in MEMBERS:
            answer = queries.GetBalance(q.GetBalanceRequest(programme=PROGRAMME, member=member, min_position=position))
            shown = {balance.unit: balance.open for balance in answer.balances}
            assert shown.get(UNIT, 0) == 100 * balances[member]
    assert verify(endpoint.app_dsn).problems == []


@pytest.mark.parametrize("victim", ["gateway", "writer"])
def test_kill_9_of_one_process_under_load_loses_no_acknowledged_command(tmp_path: Path, victim: str) -> None:
    """The other one goes on; what was on its way is sent again with its ids (edge case 13)."""
    data_dir = tmp_path / "data"
    service = Service(data_dir).start()
    acknowledged: dict[str, str] = {}
    resent = 0
    try:
        service.wait_until_serving()
        with service.channel() as channel:
            commands, _ = stubs(channel)
            open_programme(commands)
            enrol(commands, *MEMBERS)
        for _ in range(4):
            load = Load(service.address, callers=4)
            time.sleep(random.uniform(0.3, 0.8))
            survivors = service.replace(victim)
            load.end()
            acknowledged.update(load.acknowledged)
            service.wait_until_serving()
            assert survivors == {name: pid for name, pid in service.pids().items() if name != victim}
            with service.channel() as channel:
                acknowledged.update(_again(stubs(channel)[0], load.unanswered))
            resent += sum(len(batch.commands) for batch in load.unanswered)
        _check_exactly_once(service, data_dir, acknowledged, [])
    finally:
        service.stop()
        EmbeddedServer(data_dir).destroy()
    assert resent > 0, "no kill interrupted anything: the test did not test that"


def test_a_stop_under_load_answers_whatever_it_takes(tmp_path: Path) -> None:
    """What was accepted is answered, what is not answered was not accepted: nobody has to ask again."""
    data_dir = tmp_path / "data"
    service = Service(data_dir).start()
    try:
        service.wait_until_serving()
        with service.channel() as channel:
            commands, _ = stubs(channel)
            open_programme(commands)
            enrol(commands, *MEMBERS)
        load = Load(service.address, callers=4)
        time.sleep(random.uniform(0.3, 0.8))
        service.stop()
        load.end()
        assert load.acknowledged
        service.start()
        service.wait_until_serving()
        _check_exactly_once(service, data_dir, load.acknowledged, [])
    finally:
        service.stop()
        EmbeddedServer(data_dir).destroy()


@pytest.mark.parametrize("victim", ["gateway", "writer", "projections"])
def test_the_supervisor_replaces_a_process_that_died(tmp_path: Path, victim: str) -> None:
    """A killed child comes back by itself, and the service answers as before."""
    data_dir = tmp_path / "data"
    service = Service(data_dir).start()
    try:
        service.wait_until_serving()
        with service.channel() as channel:
            commands, _ = stubs(channel)
            open_programme(commands)
            enrol(commands, "anna")
        service.replace(victim)
        service.wait_until_serving()
        with service.channel() as channel:
            commands, queries = stubs(channel)
            position = commands.Earn(earn("anna", source="1")).position
            answer = queries.GetBalance(q.GetBalanceRequest(programme=PROGRAMME, member="anna", min_position=position))
            assert answer.balances[0].open == 100
    finally:
        service.stop()
        EmbeddedServer(data_dir).destroy()

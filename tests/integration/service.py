"""A real service for tests: started as a user starts it, killed as a machine kills it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import types_pb2 as t
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from loyalty.v1.queries_pb2_grpc import QueryServiceStub

PROGRAMME = "shop"
UNIT = "points"
READY = "ready on "


def free_port() -> int:
    """A port of the loopback that nobody uses now: for a service that keeps it from one start to the next."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


class Service:
    """`loyalty serve` in a data directory or on a database, listening on a free port of the loopback."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.log = data_dir.parent / f"{data_dir.name}-{uuid.uuid4().hex[:6]}.log"
        self._environment = {
            **os.environ,
            "LOYALTY_DATA_DIR": str(data_dir),
            "LOYALTY_PORT": "0",
            "LOYALTY_LOG_LEVEL": "debug",
            "LOYALTY_LOG_FORMAT": "json",
            **settings,
        }
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    def start(self) -> "Service":
        """Start it and wait until it listens; it may stand by for now."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "adapters.cli.main", "serve"],
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(READY):
                self.address = line.removeprefix(READY).strip()
                return self
        raise AssertionError(f"the service did not start:\n{self.log.read_text()[-3000:]}")

    def wait_until_serving(self, seconds: float = 30) -> float:
        """Wait for its health; returns how many seconds that took."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if self.is_serving():
                return time.monotonic() - begin
            time.sleep(0.02)
        raise AssertionError(f"not serving after {seconds} s:\n{self.log.read_text()[-3000:]}")

    def is_serving(self) -> bool:
        """Whether it says that it can be used."""
        with grpc.insecure_channel(self.address) as channel:
            try:
                stub: Any = health_pb2_grpc.HealthStub(channel)
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def pids(self) -> dict[str, int]:
        """The process ids of the supervisor and its children, by name."""
        assert self._process is not None
        found = {"supervisor": self._process.pid}
        for child in psutil.Process(self._process.pid).children():
            with contextlib.suppress(psutil.Error):  # it died between being listed and being asked
                _, _, name = " ".join(child.cmdline()).partition(" -m adapters.app.")
                if name:
                    found[name] = child.pid
        return found

    def signal(self, number: int, *names: str) -> None:
        """Send a signal to some of its processes."""
        pids = self.pids()
        for name in names:
            os.kill(pids[name], number)

    def kill(self, after: str = "") -> None:
        """Kill the whole service with SIGKILL, the writer first; PostgreSQL lives on.

        With `after`, wait for that word to be logged once more, and kill at that very moment.
        """
        assert self._process is not None
        pids = dict(sorted(self.pids().items(), reverse=True))  # writer, supervisor, projections, gateway
        if after:
            self._await_logged_once_more(after)
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        for pid in pids.values():
            while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.005)
        self._close()

    def await_logged(self, word: str, seconds: float = 30) -> None:
        """Wait until a word has been logged."""
        deadline = time.monotonic() + seconds
        while word not in self.log.read_text():
            assert time.monotonic() < deadline, f"{word} was not logged"
            time.sleep(0.02)

    def _await_logged_once_more(self, word: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        with self.log.open("rb") as log:
            log.seek(0, os.SEEK_END)
            while word.encode() not in log.read():
                assert time.monotonic() < deadline, f"{word} was not logged"

    def replace(self, victim: str, seconds: float = 20) -> dict[str, int]:
        """Kill one of its processes with SIGKILL and wait for another in its place; returns the ids of the others."""
        others = self.pids()
        killed = others.pop(victim)
        os.kill(killed, signal.SIGKILL)
        deadline = time.monotonic() + seconds
        while self.pids().get(victim, killed) == killed:
            assert time.monotonic() < deadline, f"no other {victim} was started"
            time.sleep(0.05)
        return others

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._close()

    def _close(self) -> None:
        assert self._process is not None
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def channel(self) -> grpc.Channel:
        """A channel to it; the caller closes it."""
        return grpc.insecure_channel(self.address)


def header(command_id: str | None = None, **fields: Any) -> t.Header:
    """What every command carries; dated now."""
    made = t.Header(
        command_id=command_id or str(uuid.uuid4()), programme=PROGRAMME, actor="test", channel="till", **fields
    )
    made.occurred_at.GetCurrentTime()
    return made


def settings(**changes: Any) -> t.Settings:
    """A programme on the wall clock, one point a yuan."""
    usual: dict[str, Any] = {
        "zone": "Asia/Shanghai",
        "clock": t.CLOCK_KIND_WALL,
        "units": [t.PointUnit(name=UNIT)],
        "currency": "CNY",
        "currency_digits": 2,
        "earning_unit": UNIT,
        "earning_rate": "1/100",
        "rounding": t.ROUNDING_DOWN,
        "point_value": "1",
        "lot_months": 12,
    }
    return t.Settings(**(usual | changes))


def open_programme(commands: CommandServiceStub, **changes: Any) -> None:
    """Open the programme."""
    commands.OpenProgramme(c.OpenProgrammeRequest(header=header(), settings=settings(**changes)))


def enrol(commands: CommandServiceStub, *members: str) -> None:
    """Members of the programme."""
    batch = [c.Command(enrol_member=c.EnrolMemberRequest(header=header(), member=member)) for member in members]
    for result in commands.Execute(c.ExecuteRequest(commands=batch)).results:
        assert result.HasField("receipt"), result


def earn(member: str, source: str, points: int = 100, command_id: str | None = None) -> c.EarnRequest:
    """A grant of points."""
    return c.EarnRequest(
        header=header(command_id),
        member=member,
        points=t.Amount(unit=UNIT, value=points),
        source=t.Source(type="order", id=source),
    )


def stubs(channel: grpc.Channel) -> tuple[CommandServiceStub, QueryServiceStub]:
    """Both services behind a channel."""
    return CommandServiceStub(channel), QueryServiceStub(channel)

"""A service in the background, for the demonstration and the benchmarks: started, waited for, and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.app.settings import Settings
from adapters.grpc.client import Tls

MESSAGE_BYTES_MAX = 64 * 1024 * 1024
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
)
READY = "ready on "
PROCESSES = "adapters.app."
"""What the names of the modules begin with that a supervisor starts as processes."""


class BackgroundService:
    """`loyalty serve` in processes of its own, ready for commands."""

    def __init__(self, settings: Settings) -> None:
        """Start it and wait until its writer leads. Raises RuntimeError if it does not get there."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "adapters.cli.main", "serve"],
            env={**os.environ, **settings.environment()},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.address = self._read_address()
            _await_health(self.address)
        except BaseException:
            self.stop()
            raise

    def _read_address(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(READY):
                return line.removeprefix(READY).strip()
        raise RuntimeError("the service did not start; what it logged stands above")

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        self._process.send_signal(signal.SIGTERM)
        self._end()

    def kill(self) -> None:
        """End all its processes as `kill -9` does, the supervisor first; PostgreSQL goes on."""
        own = psutil.Process(self._process.pid)
        children = [child for child in own.children() if any(part.startswith(PROCESSES) for part in child.cmdline())]
        processes = [own, *children]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes)
        self._end()

    def _end(self) -> None:
        assert self._process.stdout is not None
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def running_service(settings: Settings) -> Iterator[str]:
    """A service for a while; gives the address it answers at. Raises RuntimeError if it does not start."""
    service = BackgroundService(settings)
    try:
        yield service.address
    finally:
        service.stop()


def _await_health(address: str, seconds: float = 60) -> None:
    """Wait until the writer leads: it listens a moment before."""
    deadline = time.monotonic() + seconds
    with open_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        while stub.Check(health_pb2.HealthCheckRequest()).status != health_pb2.HealthCheckResponse.SERVING:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the service at {address} does not lead after {seconds:.0f} s")
            time.sleep(0.01)


def open_channel(address: str) -> grpc.Channel:
    """A channel to a service that is configured as this process is."""
    credentials = channel_credentials()
    if credentials is None:
        return grpc.insecure_channel(address, options=OPTIONS)
    return grpc.secure_channel(address, credentials, options=OPTIONS)


def channel_credentials() -> grpc.ChannelCredentials | None:
    """What the command line trusts and shows, as configured; None where the service does not encrypt."""
    tls, token = client_access()
    if tls is None or token is None:
        return tls.credentials() if tls else None
    return grpc.composite_channel_credentials(tls.credentials(), grpc.access_token_call_credentials(token))


def client_access() -> tuple[Tls | None, str | None]:
    """The same as the Python client takes it: TLS and token."""
    settings = Settings()
    if settings.tls_certificate is None:
        return None, None
    tls = Tls.of_files(settings.cli_ca, settings.cli_certificate, settings.cli_key)
    return tls, settings.cli_token.get_secret_value() if settings.cli_token else None


def patiently(call: Callable[[Any], Any], request: Any, seconds: float = 120) -> Any:
    """Make a call again while the service says UNAVAILABLE, for example because a view has yet to catch up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call(request)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > deadline:
                raise
            time.sleep(0.2)

"""What goes wrong while clients are at work."""

import os
import signal
import time
from collections.abc import Callable

import psycopg

from adapters.postgres.embedded import EmbeddedServer
from tests.integration.service import Service
from tests.linearizability.wire import Wire

Fault = Callable[[Service, Wire], None]


def kill_writer(service: Service, wire: Wire) -> None:
    """The writer dies; another is started."""
    service.replace("writer")


def kill_gateway(service: Service, wire: Wire) -> None:
    """The gateway dies with all connections; another is started."""
    service.replace("gateway")


def kill_projections(service: Service, wire: Wire) -> None:
    """The views stand still until another process folds them."""
    service.replace("projections")


def kill_service(service: Service, wire: Wire) -> None:
    """All of it but PostgreSQL dies between COPY and commit, or so; it is started again."""
    service.kill(after="batch.copied")
    wire.target = service.start().address


def kill_postgres(service: Service, wire: Wire) -> None:
    """PostgreSQL dies and recovers from its log."""
    os.kill(EmbeddedServer(service.data_dir).endpoint().pid, signal.SIGKILL)


def end_sessions(service: Service, wire: Wire) -> None:
    """PostgreSQL ends the sessions of writer, gateway and projections."""
    with psycopg.connect(EmbeddedServer(service.data_dir).endpoint().superuser_dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def stop_writer(service: Service, wire: Wire) -> None:
    """The writer stands still for longer than callers wait, then goes on."""
    _stand_still(service, 2)


def hang_writer(service: Service, wire: Wire) -> None:
    """The writer stands still until the gateway gives it up, then goes on."""
    _stand_still(service, 6.5)


def _stand_still(service: Service, seconds: float) -> None:
    service.signal(signal.SIGSTOP, "writer")
    time.sleep(seconds)
    service.signal(signal.SIGCONT, "writer")


def cut_connections(service: Service, wire: Wire) -> None:
    """Every client's connection is reset."""
    wire.cut()


def lose_answers(service: Service, wire: Wire) -> None:
    """Commands arrive, answers do not; then the connections are reset."""
    wire.loses_answers = True
    time.sleep(0.3)
    wire.cut()
    wire.loses_answers = False


FAULTS: tuple[Fault, ...] = (
    kill_writer,
    kill_gateway,
    kill_projections,
    kill_service,
    kill_postgres,
    end_sessions,
    stop_writer,
    hang_writer,
    cut_connections,
    lose_answers,
)

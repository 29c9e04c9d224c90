"""`loyalty sql`: psql, or whatever else reads PostgreSQL, as the role that may only read."""

import os
import signal
import subprocess
from collections.abc import Sequence

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.app.database import borrowed_database
from adapters.app.settings import Settings
from adapters.postgres.binaries import find_binaries
from adapters.postgres.embedded import EmbeddedServer
from adapters.postgres.host import SystemUser
from projections.dictionary import READER


def connection_string(settings: Settings) -> str:
    """How to connect to the configured database; with the password where it is the embedded one.

    Raises EmbeddedServerError where that does not run.
    """
    if settings.dsn is None:
        return EmbeddedServer(settings.data_dir).reader_dsn()
    known = conninfo_to_dict(settings.dsn.get_secret_value())
    known.pop("password", None)
    return make_conninfo("", **{**known, "user": READER})


def run_psql(settings: Settings, arguments: Sequence[str]) -> int:
    """Run psql to its end; returns its exit code. The embedded server is started for that long, if need be."""
    psql = find_binaries(SystemUser(os.geteuid(), os.getegid())) / "psql"
    with borrowed_database(settings):
        target = conninfo_to_dict(connection_string(settings))
        # Not on the command line, where everybody could read it.
        password = target.pop("password", None)
        environment = {**os.environ, "PGPASSWORD": str(password)} if password else None
        # Ctrl-C is psql's: there it ends a query.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            command = [str(psql), f"--dbname={make_conninfo('', **target)}", *arguments]
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            signal.signal(signal.SIGINT, before)

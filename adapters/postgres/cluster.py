"""A PostgreSQL cluster on disk: where its parts lie, who owns them, its passwords, and how it is made.

Knows nothing of processes: whether a server runs is the business of `embedded`.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.postgres.binaries import POSTGRES_MAJOR, find_binaries
from adapters.postgres.host import EmbeddedServerError, SystemUser, service_state_dir, service_user

SUPERUSER = "loyalty_superuser"
OWNER = "loyalty_owner"
APP = "loyalty_app"
DATABASE = "loyalty"

_SETTINGS_FILE = "server.conf"
# A socket's path has 103 bytes on macOS, 107 on Linux; 14 of them are `/.s.PGSQL.5432`. libpq splits hosts at commas.
_SOCKET_DIR_FORM = re.compile(r"[\w./~+-]{1,89}", re.ASCII)
# pg_ctl hands the path to a shell in double quotes.
_UNFIT_FOR_SHELL = re.compile(r'["$`\\\n]')


@dataclass(frozen=True, slots=True)
class Cluster:
    """The parts of a cluster. `home` is `data_dir`, or a place elsewhere when PostgreSQL's user cannot reach that."""

    data_dir: Path
    home: Path

    @property
    def pgdata(self) -> Path:
        """What PostgreSQL calls its data directory; it exists only when it is complete."""
        return self.home / "pgdata"

    @property
    def settings_file(self) -> Path:
        return self.home / _SETTINGS_FILE

    @property
    def log_file(self) -> Path:
        return self.data_dir / "postgres.log"

    @property
    def credentials_file(self) -> Path:
        return self.data_dir / "credentials.json"

    @property
    def note_file(self) -> Path:
        """Holds the path of `home`, when that is not `data_dir`."""
        return self.data_dir / "cluster-home"

    @property
    def socket_dir(self) -> Path:
        """Where the next server puts its socket: in `home`, or in the temporary directory if that path is too long."""
        inside = self.home / "run"
        if _SOCKET_DIR_FORM.fullmatch(str(inside)):
            return inside
        return Path(tempfile.gettempdir()).resolve() / f"loyalty-{_digest(self.home)}"

    def passwords(self) -> dict[str, str]:
        """The password of each role.

        Raises:
            EmbeddedServerError: they are lost.
        """
        try:
            passwords: dict[str, str] = json.loads(self.credentials_file.read_text())
        except FileNotFoundError:
            raise EmbeddedServerError(
                f"{self.credentials_file} with the passwords of {self.pgdata} is missing: "
                f"put it back, or delete {self.home} to begin without its data"
            ) from None
        return passwords

    def add_password(self, role: str) -> str:
        """The password of a role that came later than the cluster; made, and kept, at the first time."""
        passwords = self.passwords()
        if role not in passwords:
            passwords[role] = secrets.token_urlsafe(24)
            _write_private(self.credentials_file, json.dumps(passwords, indent=2) + "\n")
        return passwords[role]

    def check_version(self) -> None:
        """Refuse a cluster made by another major version of PostgreSQL.

        Raises:
            EmbeddedServerError: it was.
        """
        made_by = (self.pgdata / "PG_VERSION").read_text().strip()
        if made_by != str(POSTGRES_MAJOR):
            raise EmbeddedServerError(
                f"{self.pgdata} was made by PostgreSQL {made_by}, but the binaries here are version {POSTGRES_MAJOR}: "
                f"use the release of this project that made it, or bring it over with pg_upgrade"
            )

    def make_socket_dir(self, user: SystemUser) -> Path:
        """Make the socket directory, for `user` alone.

        Raises:
            EmbeddedServerError: something of somebody else is in its place.
        """
        directory = self.socket_dir
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (user.uid, os.geteuid()):
            raise EmbeddedServerError(f"{directory} should be ours, for the socket, but is not: remove it")
        user.own(directory)
        return directory


def find_cluster(data_dir: Path) -> Cluster:
    """The cluster of a data directory, whether or not it has been made yet."""
    try:
        home = Path((data_dir / "cluster-home").read_text().strip())
    except FileNotFoundError:
        home = data_dir
    return Cluster(data_dir, home)


def make_cluster(data_dir: Path, *, sync: bool) -> Cluster:
    """Make a cluster with checksums, the three roles and the database `loyalty`; one that exists already is kept.

    Args:
        data_dir: an existing directory.
        sync: flush it to the disk; without, a power cut soon after may destroy it.

    Raises:
        EmbeddedServerError: initdb failed, or a cluster is there but not its passwords.
    """
    cluster = find_cluster(data_dir)
    if not cluster.pgdata.exists():
        user = service_user()
        cluster = Cluster(data_dir, _choose_home(data_dir, user))
        if cluster.home != data_dir:
            _write_private(cluster.note_file, f"{cluster.home}\n")
        if not cluster.pgdata.exists():
            _initialise(cluster, user, sync=sync)
    cluster.passwords()
    return cluster


def _choose_home(data_dir: Path, user: SystemUser) -> Path:
    if user.may(data_dir, os.X_OK):
        if _UNFIT_FOR_SHELL.search(str(data_dir)):
            raise EmbeddedServerError(f"pg_ctl cannot work with the path {data_dir}: choose a plainer one")
        return data_dir
    home = service_state_dir() / _digest(data_dir)
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    return home


def _initialise(cluster: Cluster, user: SystemUser, *, sync: bool) -> None:
    if not cluster.credentials_file.exists():
        passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER, APP)}
        _write_private(cluster.credentials_file, json.dumps(passwords, indent=2) + "\n")
    # Everything happens under another name: a crash on the way leaves nothing that looks like a cluster.
    staging = cluster.home / "pgdata.new"
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir()
    user.own(staging)
    password_file = cluster.home / "initdb-password"
    _write_private(password_file, cluster.passwords()[SUPERUSER])
    user.own(password_file)
    try:
        _run_initdb(staging, password_file, user, sync=sync)
    finally:
        password_file.unlink()
    _create_roles_and_database(staging, cluster.passwords(), user, sync=sync)
    with (staging / "postgresql.conf").open("a") as configuration:
        configuration.write(f"\ninclude '../{_SETTINGS_FILE}'\n")
        configuration.flush()
        os.fsync(configuration.fileno())
    staging.rename(cluster.pgdata)
    _flush(cluster.home)


def _run_initdb(pgdata: Path, password_file: Path, user: SystemUser, *, sync: bool) -> None:
    command: list[str | Path] = [find_binaries(user) / "initdb", f"--pgdata={pgdata}", f"--username={SUPERUSER}"]
    command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8"]
    # Text sorts by code point, on every machine and after every upgrade of its C library.
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    _execute(command if sync else [*command, "--no-sync"], user, pgdata.parent)


def _create_roles_and_database(pgdata: Path, passwords: dict[str, str], user: SystemUser, *, sync: bool) -> None:
    """In single-user mode, for which no server need run and no client connect. It takes one statement a line."""
    statements = [f"CREATE ROLE {role} LOGIN PASSWORD '{passwords[role]}';" for role in (OWNER, APP)]
    # The owner of a database owns its schema `public` too, through pg_database_owner.
    statements.append(f"CREATE DATABASE {DATABASE} OWNER {OWNER};")
    command: list[str | Path] = [find_binaries(user) / "postgres", "--single", "-D", pgdata, "-c", "exit_on_error=on"]
    # A statement that fails is not repeated in the error: it has a password in it.
    command += ["-c", f"fsync={'on' if sync else 'off'}", "-c", "log_min_error_statement=panic", "postgres"]
    _execute(command, user, pgdata.parent, stdin="\n".join(statements) + "\n")


def _execute(command: Sequence[str | Path], user: SystemUser, cwd: Path, stdin: str = "") -> None:
    result = user.run(command, cwd=cwd, stdin=stdin)
    if result.returncode != 0:
        raise EmbeddedServerError(f"{command[0]} failed with {result.returncode} and said:\n{result.stdout}")


def _write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    staging = path.with_name(path.name + ".new")
    staging.unlink(missing_ok=True)
    with os.fdopen(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    staging.replace(path)


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]

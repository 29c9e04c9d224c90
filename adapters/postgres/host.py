"""What the embedded server needs of the machine: a lock between processes, the user PostgreSQL runs as, permissions.

Knows nothing of PostgreSQL but that it refuses to run as root.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SERVICE_USER = "loyalty-postgres"
SERVICE_STATE_DIR = Path("/var/lib/loyalty-ledger")

_LOCK_POLL_SECONDS = 0.02
_USER_CREATION_SECONDS = 30.0
_CREATE_USER = (
    ("useradd", "--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin"),
    ("adduser", "--system", "--group", "--no-create-home", "--shell=/usr/sbin/nologin"),
)


class EmbeddedServerError(RuntimeError):
    """The embedded PostgreSQL cannot do what was asked; the message says why, and what to do."""


@contextmanager
def locked(path: Path, deadline: float) -> Iterator[None]:
    """Hold an exclusive lock on `path`, among all threads and processes of this machine. Dies with its holder.

    Args:
        path: the lock file, made when missing.
        deadline: until when to wait, in seconds of `time.monotonic`.

    Raises:
        EmbeddedServerError: somebody else still held the lock at the deadline.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise EmbeddedServerError(f"another process is at work here and holds {path}; try again") from None
                time.sleep(_LOCK_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A user of the operating system, by number."""

    uid: int
    gid: int

    def may(self, path: Path, access: int) -> bool:
        """Whether permission bits allow `access` (os.R_OK, X_OK, added) to a resolved `path`, and the way there."""
        return self._granted(path, access) and all(self._granted(parent, os.X_OK) for parent in path.parents)

    def _granted(self, path: Path, access: int) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & access == access

    def own(self, path: Path) -> None:
        """Make `path` this user's, and only this user's."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)
        path.chmod(path.stat().st_mode & 0o700)

    def run(
        self, command: Sequence[str | Path], *, cwd: Path, stdin: str = "", output: int | IO[bytes] = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as this user, in the C locale, with nothing of our environment; its errors go to `output` too.

        Raises:
            EmbeddedServerError: the command cannot be run, or not as this user.
        """
        drop = self.uid != os.geteuid()
        try:
            return subprocess.run(
                command,
                cwd=cwd,
                input=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                # PG* variables of the caller would change the server's settings.
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                umask=0o077,
                user=self.uid if drop else None,
                group=self.gid if drop else None,
                extra_groups=[] if drop else None,
            )
        except OSError as error:
            raise EmbeddedServerError(f"cannot run {command[0]} as the user number {self.uid}: {error}") from error


def owner_of(path: Path) -> SystemUser:
    """The user a file or directory belongs to.

    Raises:
        EmbeddedServerError: it belongs to root, as whom PostgreSQL does not run.
    """
    status = path.stat()
    if status.st_uid == 0:
        raise EmbeddedServerError(f"{path} belongs to root, as whom PostgreSQL does not run: give it to another user")
    return SystemUser(status.st_uid, status.st_gid)


def service_user() -> SystemUser:
    """The user a new server runs as: the caller; for root, the system user `loyalty-postgres`, made when missing.

    Raises:
        EmbeddedServerError: that user cannot be made.
    """
    if os.geteuid() != 0:
        return SystemUser(os.geteuid(), os.getegid())
    with locked(service_state_dir() / "lock", time.monotonic() + _USER_CREATION_SECONDS):
        return _find_service_user() or _create_service_user()


def service_state_dir() -> Path:
    """The directory for what the service user must reach; only root can make it."""
    if not SERVICE_STATE_DIR.exists():
        SERVICE_STATE_DIR.mkdir(exist_ok=True)
        SERVICE_STATE_DIR.chmod(0o755)
    return SERVICE_STATE_DIR


def _find_service_user() -> SystemUser | None:
    try:
        entry = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return None
    return SystemUser(entry.pw_uid, entry.pw_gid)


def _create_service_user() -> SystemUser:
    said = "neither useradd nor adduser was found"
    for command in _CREATE_USER:
        if shutil.which(command[0]):
            said = subprocess.run([*command, SERVICE_USER], capture_output=True, text=True, check=False).stderr.strip()
            break
    user = _find_service_user()
    if user is None:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and its user {SERVICE_USER} could not be made: {said}. "
            f"Make it yourself, or run as an ordinary user."
        )
    return user

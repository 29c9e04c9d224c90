"""One process of the service, as its supervisor sees it, and what the two say to each other.

A process prints lines; where starting it again cannot help, it ends with status EX_CONFIG and the reason as its last.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO

import msgspec
import structlog

from adapters.app.liveness import Pauses, Silence
from adapters.app.settings import Settings

log = structlog.get_logger(__name__)

LISTENING = "listening "
"""With the port behind it, what the gateway prints once it takes calls."""
SIGN_OF_LIFE = "\n"
"""What a process prints every second as long as it does its work."""


class Misconfigured(Exception):
    """Raised when a process can never do its work as it is configured; the message says what to change."""


class Start(msgspec.Struct, frozen=True):
    """What a supervisor tells a process on the first line of its standard input, where nobody else can read it."""

    dsn: str
    socket: str
    """Where the writer listens for its gateway; only their user can reach the directory."""


class Child:
    """One process of the service; started again when it dies, with a pause that grows where it dies again and again.

    One that lives but falls silent is ended: it was stopped, its event loop hangs, or it cannot do its work any more.
    """

    def __init__(self, name: str, settings: Settings, on_line: Callable[[str], None]) -> None:
        self.name = name
        self.settings = settings
        """What the process gets at its next start."""
        self._on_line = on_line
        self._process: subprocess.Popen[str] | None = None
        self._reading: threading.Thread | None = None
        self._last_line = ""
        self._silence = Silence(0.0)
        self._pauses = Pauses()
        self._start_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def watch(self, start: Start) -> None:
        """Start the process if it does not run and its time has come.

        Raises Misconfigured when it said that starting it again cannot help.
        """
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            if self._process.returncode == os.EX_CONFIG:
                assert self._reading is not None
                self._reading.join()
                raise Misconfigured(self._last_line)
            log.warning("process.died", name=self.name, status=self._process.returncode)
            self._start_at = now + self._pauses.after_death(now)
            self._process = None
        if self._process is None:
            if now >= self._start_at:
                self._start(start)
        elif (seconds := self._silence.look(now)) > self.settings.silence_seconds_max:
            log.error("process.silent", name=self.name, seconds=round(seconds))
            self._process.kill()
            self._silence = Silence(now)

    def _start(self, start: Start) -> None:
        self._silence = Silence(time.monotonic())
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"adapters.app.{self.name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.settings.environment()},
            start_new_session=True,  # Ctrl-C goes to the supervisor, which stops the children in order.
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # By the pipe and not by the environment: a password has no place where other processes can read it.
        self._process.stdin.write(msgspec.json.encode(start).decode() + "\n")
        self._process.stdin.flush()
        self._reading = threading.Thread(target=self._read, args=(self._process.stdout, self._silence), daemon=True)
        self._reading.start()

    def _read(self, output: IO[str], silence: Silence) -> None:
        for line in output:
            silence.end()
            if line != SIGN_OF_LIFE:
                self._last_line = line.rstrip("\n")
                self._on_line(self._last_line)

    def stop(self, seconds: float) -> None:
        """Ask the process to end and wait; kill it if it takes too long."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.error("process.killed", name=self.name, seconds=seconds)
            self._process.kill()
            self._process.wait()
        self._process.stdin.close()
        self._process = None

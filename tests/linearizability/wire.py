"""A stretch of wire between clients and the service, at an address that stays, which can be cut or lose answers."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Wire:
    """Passes on what comes to `address` to wherever it leads now. Faults hit the connections that there are."""

    def __init__(self, target: str) -> None:
        self.target = target
        """Where new connections lead: `host:port`."""
        self.loses_answers = False
        """Whether what the service says is thrown away; what clients say still arrives."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()

    def cut(self) -> None:
        """Reset all connections, in the middle of whatever they carry."""
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        host, _, port = self.target.rpartition(":")
        try:
            service = socket.create_connection((host, int(port)), timeout=5)
        except OSError:
            client.close()
            return
        service.settimeout(None)
        with self._lock:
            self._ends |= {client, service}
        back = threading.Thread(target=self._pass_on, args=(service, client, True), daemon=True)
        back.start()
        self._pass_on(client, service, False)
        back.join()
        with self._lock:
            self._ends -= {client, service}
        client.close()
        service.close()

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if not (answers and self.loses_answers):
                    target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wire(target: str) -> Iterator[Wire]:
    """A wire to a service."""
    laid = Wire(target)
    accepting = threading.Thread(target=laid._accept, daemon=True)
    accepting.start()
    try:
        yield laid
    finally:
        laid._listener.shutdown(socket.SHUT_RDWR)
        laid._listener.close()
        accepting.join()
        laid.cut()

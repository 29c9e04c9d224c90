"""Frames on a stream socket: four bytes of length in network order, then a message. Knows nothing of what they say."""

import asyncio
import struct
from collections.abc import Callable
from typing import cast

import msgspec
import structlog

_LENGTH = struct.Struct(">I")
FRAME_BYTES_MAX = 64 * 1024 * 1024
"""Four times what one call of gRPC may bring: encoded ids and the names of fields make commands longer."""
UNSENT_BYTES_MAX = 1024 * 1024
"""What one end may have waiting for the other before it is told to pause."""

_log = structlog.get_logger(__name__)


class Frames(asyncio.Protocol):
    """One connection. What is sent in one turn of the event loop goes out together, so small frames cost little."""

    def __init__(self, on_frame: "Callable[[Frames, bytearray], None]") -> None:
        """`on_frame` takes each frame; the connection ends when it raises a MsgspecError, since one made no sense."""
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended."""
        self._on_frame = on_frame
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._unsent: list[bytes] = []

    def send(self, message: bytes) -> None:
        """Send a frame; nothing happens when the connection has ended."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent += (_LENGTH.pack(len(message)), message)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and not self._transport.is_closing():
            self._transport.writelines(unsent)

    def close(self) -> None:
        """End the connection when all that was sent has gone out."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(UNSENT_BYTES_MAX)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        begin = 0
        try:
            while len(received) - begin >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(received, begin)
                if length > FRAME_BYTES_MAX:
                    raise msgspec.MsgspecError(f"a frame of {length} bytes")
                end = begin + _LENGTH.size + length
                if len(received) < end:
                    break
                self._on_frame(self, received[begin + _LENGTH.size : end])
                begin = end
        except msgspec.MsgspecError as error:
            _log.error("ipc.bad_frame", problem=str(error))
            self.abort()
        del received[:begin]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)

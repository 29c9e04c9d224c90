"""Connections of the write side: what goes over the wire is binary, and an instant is an integer on either side."""

import struct
from collections.abc import Sequence

from psycopg import AsyncConnection, Connection
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

from ledger.calendar import Instant
from ledger.records import Y2K_OFFSET

_UUID_OID = 2950
_UUID_ARRAY_OID = 2951
_TIMESTAMPTZ_OID = 1184
_ARRAY_HEAD = struct.Struct(">iiIii")
_INSTANT = struct.Struct(">q")


class UuidArray(bytes):
    """A parameter of type uuid[], packed as PostgreSQL receives it: an array of thousands costs next to nothing."""

    @classmethod
    def of(cls, uuids: Sequence[bytes]) -> "UuidArray":
        """From UUIDs of 16 bytes each."""
        head = _ARRAY_HEAD.pack(1, 0, _UUID_OID, len(uuids), 1)
        return cls(head + b"".join([b"\x00\x00\x00\x10" + uuid for uuid in uuids]))


class _UuidArrayDumper(Dumper):
    format = Format.BINARY
    oid = _UUID_ARRAY_OID

    def dump(self, obj: UuidArray) -> bytes:
        return obj


class _UuidLoader(Loader):
    format = Format.BINARY

    def load(self, data: bytes | bytearray | memoryview) -> bytes:
        return bytes(data)


class _InstantLoader(Loader):
    format = Format.BINARY

    def load(self, data: bytes | bytearray | memoryview) -> Instant:
        instant: int = _INSTANT.unpack(data)[0]
        return instant + Y2K_OFFSET


def register(context: AdaptContext) -> None:
    """Teach a connection or cursor that UUIDs are 16 bytes and that instants are integers."""
    context.adapters.register_dumper(UuidArray, _UuidArrayDumper)
    context.adapters.register_loader(_UUID_OID, _UuidLoader)
    context.adapters.register_loader(_TIMESTAMPTZ_OID, _InstantLoader)


async def connect_async(dsn: str, application: str) -> AsyncConnection:
    """A connection in autocommit for asyncio; the caller says where transactions begin."""
    connection = await AsyncConnection.connect(dsn, autocommit=True, application_name=application)
    register(connection)
    return connection


def connect_sync(dsn: str, application: str) -> Connection:
    """A connection in autocommit for threads and commands."""
    connection = Connection.connect(dsn, autocommit=True, application_name=application)
    register(connection)
    return connection

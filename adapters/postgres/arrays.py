"""Columns of rows as parameters: arrays, packed as PostgreSQL receives them."""

import struct
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Any

from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = struct.Struct(">iiIii")
_LENGTH = struct.Struct(">i")
_NULL = b"\xff\xff\xff\xff"


class _Array(bytes):
    """An array as it goes over the wire."""


class TextArray(_Array):
    """A parameter of type text[]."""


class IntegerArray(_Array):
    """A parameter of type integer[]."""


class BigintArray(_Array):
    """A parameter of type bigint[]."""


class _TextArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1009

    def dump(self, obj: _Array) -> bytes:
        return obj


class _IntegerArrayDumper(_TextArrayDumper):
    oid = 1007


class _BigintArrayDumper(_TextArrayDumper):
    oid = 1016


def register_arrays(context: AdaptContext) -> None:
    """Teach a connection to send these arrays."""
    context.adapters.register_dumper(TextArray, _TextArrayDumper)
    context.adapters.register_dumper(IntegerArray, _IntegerArrayDumper)
    context.adapters.register_dumper(BigintArray, _BigintArrayDumper)


def _texts(values: Sequence[str | None]) -> TextArray:
    length = _LENGTH.pack
    encoded = [None if value is None else value.encode() for value in values]
    fields = [_NULL if text is None else length(len(text)) + text for text in encoded]
    return TextArray(_HEAD.pack(1, None in values, 25, len(values), 1) + b"".join(fields))


def _numbers(values: Sequence[int | None], kind: type[Any], oid: int, size: int, letter: str) -> Any:
    head = _HEAD.pack(1, None in values, oid, len(values), 1)
    if None in values:
        field = struct.Struct(f">i{letter}").pack
        return kind(head + b"".join([_NULL if value is None else field(size, value) for value in values]))
    return kind(head + struct.pack(f">{f'i{letter}' * len(values)}", *chain.from_iterable(zip(repeat(size), values))))


PACKERS: dict[str, Callable[[Sequence[Any]], _Array]] = {
    "text": _texts,
    "integer": lambda values: _numbers(values, IntegerArray, 23, 4, "i"),
    "bigint": lambda values: _numbers(values, BigintArray, 20, 8, "q"),
}
"""How values of a column's type become an array, by the type's name in SQL."""

"""The contract as these tests know it: its RPCs, its documented reasons, and the paths of its fields."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from tests.integration.access_world import contract

README = Path(__file__).parents[2] / "protos" / "README.md"
_ERROR = re.compile(r"^\| `([A-Z_]+)` \| ([A-Z_]+) \|", re.MULTILINE)
_REASON = re.compile(r"^\| `([A-Z_]+)` \|[^|]*\|$", re.MULTILINE)
_STEP = re.compile(r"([a-z][a-z0-9_]*)(?:\[(\d+)\])?").fullmatch


class Rpc(NamedTuple):
    """One method of a service."""

    path: str
    request: type[Message]
    answer: type[Message]
    takes_stream: bool
    gives_stream: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def rpcs() -> Iterator[Rpc]:
    """Every RPC of every file of the contract."""
    for method in contract():
        yield Rpc(
            f"/{method.containing_service.full_name}/{method.name}",
            GetMessageClass(method.input_type),
            GetMessageClass(method.output_type),
            method.client_streaming,
            method.server_streaming,
        )


def documented() -> dict[str, grpc.StatusCode]:
    """Every reason that the README lists, with its status: those without one of their own are refusals."""
    text = README.read_text()
    refusals = dict.fromkeys(_REASON.findall(text), grpc.StatusCode.FAILED_PRECONDITION)
    return refusals | {reason: grpc.StatusCode[status] for reason, status in _ERROR.findall(text)}


def parse(kind: type[Message], raw: bytes) -> Message | None:
    """The message that these bytes are, if they are one."""
    try:
        return kind.FromString(raw)
    except DecodeError:
        return None


def resolves(message: Message, path: str) -> bool:
    """Whether a path such as `lines[2].net` leads to a field, or a oneof, of this very message."""
    found: Any = message
    for step in path.split("."):
        match = _STEP(step)
        if match is None or not isinstance(found, Message):
            return False
        name, place = match[1], match[2]
        if name not in found.DESCRIPTOR.fields_by_name:
            return name in found.DESCRIPTOR.oneofs_by_name and step == path.rsplit(".", maxsplit=1)[-1]
        found = getattr(found, name)
        if place is not None:
            if isinstance(found, Message | str) or not hasattr(found, "__len__") or int(place) >= len(found):
                return False
            found = found[int(place)]
    return True

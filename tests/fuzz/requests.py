"""Requests with something wrong: a valid one first, then changes anywhere in it, then to its bytes."""

import base64
import json
from typing import Any
from uuid import UUID

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

from loyalty.v1 import commands_pb2 as c
from tests.fuzz.contract import Rpc
from tests.fuzz.opening import NOW_SECONDS, PROGRAMME
from tests.fuzz.skeletons import DEPTH_MAX, Draw, add, clear_headers, rarely, set_valid, skeleton

MUTATIONS_MAX = 3
MANY = (33, 65, 101, 1_001)
"""Each beyond one of the limits of lists."""

TEXTS: tuple[str, ...] = (
    "", " ", "x" * 65, "x" * 3_000, "积" * 64, "\u3000", "\x00", "a\x00b", "a\nb", "\x7f", "\x85", "\u2028", "\ufeff",
    "\U0010ffff", "a/b", "a@b", "..", "%", "%2F", "%zz", "'; --", "{}", "nan", "1e999", "1/0", "-1", "0/5", "9" * 18,
    "1-ffffffffffffff", "1-", "2-1", "Mars/Phobos", "../../etc/passwd", "/", "America", "anna:0", "anna:99", ":1",
    "anna:" + "9" * 19,
)  # fmt: skip
"""Bad, or odd, or both."""
NUMBERS = (0, -1, 1, 2, 3, 100, 10**6, 10**9, 10**12, 10**15, 10**15 + 1, -(10**15), -(10**15) - 1)
SECONDS = (
    0, 1, -1, -62_135_596_800, NOW_SECONDS + 299, NOW_SECONDS + 301, NOW_SECONDS - 29 * 86_400,
    NOW_SECONDS - 31 * 86_400,
    NOW_SECONDS - 40 * 365 * 86_400, NOW_SECONDS + 86_400, 253_370_764_799, 253_370_764_800, 253_402_300_799,
    253_402_300_800,
    2**63 - 1, -(2**63),
)  # fmt: skip
NANOS = (0, 1, -1, 999, 999_999_999, 1_000_000_000, 2**31 - 1, -(2**31))
RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
TAILS = (
    b"\xf8\x3f\x01",
    b"\xfa\x3f\x03new",
    b"\xff",
    b"\x0a\x7f",
    b"\x0a\xff\xff\xff\xff\x0f",
    b"\x0b",
    b"\x0a\x02\xed\xa0",
)
"""Unknown fields, a length beyond the end, a group that is not closed, half a surrogate."""

page_keys = st.lists(st.one_of(st.sampled_from(NUMBERS + RANGES[2]), st.sampled_from(TEXTS)), max_size=4)
page_tokens = st.builds(lambda key: base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("="), page_keys)


def mutate(draw: Draw, message: Message, depth: int = 0) -> None:
    """Change one thing, anywhere in a message."""
    fields = list(message.DESCRIPTOR.fields)
    if not fields:
        return
    if isinstance(message, Timestamp):
        message.seconds, message.nanos = draw(st.sampled_from(SECONDS)), draw(st.sampled_from(NANOS))
        return
    field = draw(st.sampled_from(fields))
    value = getattr(message, field.name)
    if field.is_repeated:
        _mutate_list(draw, message, field, depth)
    elif field.message_type is not None:
        present = message.HasField(field.name)
        if present and draw(st.integers(0, 3)) == 0:
            message.ClearField(field.name)
        elif not present and depth < DEPTH_MAX:
            set_valid(draw, message, field, depth)
        else:
            mutate(draw, value, depth + 1)
    else:
        setattr(message, field.name, bad_scalar(draw, field))


def _mutate_list(draw: Draw, message: Message, field: Any, depth: int) -> None:
    items = getattr(message, field.name)
    way = draw(st.sampled_from(("inside", "inside", "inside", "empty", "twice", "many", "more")))
    if way == "empty":
        message.ClearField(field.name)
    elif not items:
        add(draw, message, field, depth)
    elif way == "twice":
        items.append(items[0])
    elif way == "many":
        items.extend([items[0]] * draw(st.sampled_from(MANY)))
    elif way == "more":
        add(draw, message, field, depth)
    else:
        place = draw(st.integers(0, len(items) - 1))
        if field.message_type is not None:
            mutate(draw, items[place], depth + 1)
        else:
            items[place] = bad_scalar(draw, field)


def bad_scalar(draw: Draw, field: Any) -> Any:
    """A value that the wire can carry; mostly none that the field may have."""
    kind = field.cpp_type
    if field.type == FieldDescriptor.TYPE_STRING:
        texts = [st.sampled_from(TEXTS), st.text(max_size=70)]
        if field.name == "page_token":
            texts = [page_tokens, *texts]
        if field.name in ("command_id", "target"):
            texts = [st.just(str(UUID(int=7))), *texts]
        return draw(st.one_of(texts))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return draw(st.binary(max_size=100))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return draw(st.booleans())
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return draw(st.sampled_from((0, 1, 2, 99, -1, 2**31 - 1, -(2**31))))
    least, most = RANGES[kind]
    return draw(st.one_of(st.sampled_from([n for n in NUMBERS if least <= n <= most]), st.integers(least, most)))


def nest(draw: Draw, request: Message) -> None:
    """Put the commands of a batch into a group, or a group into a group."""
    if isinstance(request, c.ExecuteRequest | c.ExecuteStreamRequest) and request.commands:
        group = c.Command(group=c.Group(commands=request.commands))
        for member in group.group.commands:
            if draw(st.booleans()):
                clear_headers(member)
        group.group.header.MergeFromString(skeleton(draw, group.group.header.DESCRIPTOR).SerializeToString())
        request.commands.append(group)


@st.composite
def wires(draw: Draw, rpc: Rpc) -> bytes:
    """A request as bytes: valid, wrong in up to three places, or no message at all."""
    message = skeleton(draw, rpc.request.DESCRIPTOR)
    for _ in range(draw(st.integers(0, MUTATIONS_MAX))):
        mutate(draw, message)
    if rarely(draw):
        nest(draw, message)
    wire = message.SerializeToString()
    return bytes(draw(st.one_of(st.just(wire), st.just(wire), st.just(wire), spoiled(wire))))


@st.composite
def spoiled(draw: Draw, wire: bytes) -> bytes:
    """Bytes cut off, changed, or added."""
    way = draw(st.sampled_from(("cut", "tail", "byte", "utf-8")))
    if way == "tail" or not wire:
        return bytes(wire + draw(st.sampled_from(TAILS)))
    place = draw(st.integers(0, len(wire) - 1))
    if way == "cut":
        return wire[:place]
    if way == "utf-8":
        # Half a surrogate, in the place of a name that nearly every request has.
        return wire.replace(PROGRAMME.encode(), b"\xed\xa0\x80\xed\xa0"[: len(PROGRAMME)])
    return wire[:place] + bytes([draw(st.integers(0, 255))]) + wire[place + 1 :]

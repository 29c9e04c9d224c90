"""Requests as a channel would send them, made from their descriptors and about the same few things."""

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

from loyalty.v1 import commands_pb2 as c
from tests.fuzz.opening import NOW_SECONDS, PROGRAMME, UNIT

Draw = Callable[[st.SearchStrategy[Any]], Any]
Described = Any
"""A descriptor, of whichever implementation."""

DEPTH_MAX = 5
"""Of messages within messages; deeper ones are left out."""
FEW = 2
NEEDED = {"header", "points", "source", "price", "settings", "occurred_at", "units", "lines", "commands"}
"""Without these nearly every request is refused for the same reason."""
KNOWN: dict[str, tuple[Any, ...]] = {
    "programme": (PROGRAMME, PROGRAMME, PROGRAMME, "zoo"),
    "member": ("anna", "bo"),
    "sender": ("anna", "north"),
    "receiver": ("bo", "south"),
    "unit": (UNIT,),
    "sku": ("cup",),
    "location": ("north", "south"),
    "locations": ("north", "south"),
    "reward": ("mug", "pass"),
    "substitutes": ("mug", "pass"),
    "hold": ("h1", "h2"),
    "lock": ("k1", "k2"),
    "order": ("o1", "o2"),
    "redemption": ("r1", "r2"),
    "lot": ("anna:1", "anna:2", "bo:1"),
    "zone": ("Asia/Shanghai", "America/St_Johns", "Pacific/Apia"),
    "currency": ("CNY",),
    "earning_unit": (UNIT,),
    "earning_rate": ("1/100", "0.01", "0"),
    "point_value": ("1", "1/3"),
    "unit_cost": ("1/100", "0.01"),
    "tax_rate": ("13/100", "0.13"),
    "min_position": ("", "1-1", "1-3"),
    "after": ("", "1-1", "1-3"),
    "page_token": ("",),
    "topics": ("points.earned.v1", "member.enrolled.v1"),
    "traceparent": ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",),
    "quantity": (1, 2),
    "counted": (5,),
    "line": (0, 1),
    "list_price": (500,),
    "net": (400,),
    "gross": (452,),
    "digits": (0, 2),
    "currency_digits": (2,),
    "hold_seconds": (3_600,),
    "backdating_seconds": (3_600,),
    "lot_months": (0, 12),
    "pending_days": (0, 3),
    "follow": (False,),
}
"""What a field of this name holds in a valid request, so that requests are about the same few things."""


command_ids = st.builds(str, st.uuids(version=4))


def rarely(draw: Draw) -> bool:
    """One time in ten; a number from the middle, since the ends of a range are drawn more often."""
    return bool(draw(st.integers(0, 9)) == 6)


def skeleton(draw: Draw, descriptor: Described, depth: int = 0) -> Message:
    """A request as a channel would send it."""
    message: Message = GetMessageClass(descriptor)()
    choices = {name: draw(st.sampled_from(list(one.fields))) for name, one in descriptor.oneofs_by_name.items()}
    for field in descriptor.fields:
        oneof = field.containing_oneof
        if oneof is not None and len(oneof.fields) > 1 and choices[oneof.name] is not field:
            continue
        if (field.has_presence or field.is_repeated) and not _needed(field) and draw(st.booleans()):
            continue
        if depth >= DEPTH_MAX and field.message_type is not None:
            continue
        if not _needed(field) and rarely(draw):
            continue
        set_valid(draw, message, field, depth)
    if isinstance(message, c.Group):
        for member in message.commands:
            clear_headers(member)
    return message


def _needed(field: Any) -> bool:
    """Without these nearly every request is refused for the same reason."""
    return field.name in (
        "header",
        "points",
        "source",
        "price",
        "settings",
        "occurred_at",
        "units",
        "lines",
        "commands",
    )


def set_valid(draw: Draw, message: Message, field: Any, depth: int) -> None:
    if field.is_repeated:
        for _ in range(draw(st.integers(1, FEW))):
            add(draw, message, field, depth)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(_valid_message(draw, field, depth))
    else:
        setattr(message, field.name, _valid_scalar(draw, field))


def add(draw: Draw, message: Message, field: Any, depth: int) -> None:
    """One more item of a repeated field."""
    item = _valid_message(draw, field, depth) if field.message_type is not None else _valid_scalar(draw, field)
    getattr(message, field.name).append(item)


def _valid_message(draw: Draw, field: Any, depth: int) -> Message:
    if field.message_type.full_name == Timestamp.DESCRIPTOR.full_name:
        later = 0 if field.name in ("occurred_at", "cut_off", "at") else 86_400
        return Timestamp(seconds=NOW_SECONDS + later)
    return skeleton(draw, field.message_type, depth + 1)


def _valid_scalar(draw: Draw, field: Any) -> Any:
    if field.name in ("command_id", "target"):
        return draw(command_ids)
    kind = field.cpp_type
    known = [value for value in KNOWN.get(field.name, ()) if type(value) is type(field.default_value)]
    if known:
        return draw(st.sampled_from(known))
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return draw(st.sampled_from([value.number for value in field.enum_type.values][1:]))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return draw(st.booleans())
    if field.type == FieldDescriptor.TYPE_STRING:
        # Descriptions and new ids: whatever their field is called.
        return field.name if field.containing_type.name != "PointUnit" else UNIT
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"\x00\x01"
    return draw(st.sampled_from((0, 1, 2, 10)))


def clear_headers(command: c.Command) -> None:
    """Members of a group have none."""
    kind = command.WhichOneof("command")
    if kind is not None:
        getattr(command, kind).ClearField("header")

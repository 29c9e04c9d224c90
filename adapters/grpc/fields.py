"""Single fields of a request, checked and put into the ledger's form.

What is checked here is what the ledger can't know: the form of ids, texts, times, amounts and fractions. Every function
takes the path of its field and raises InvalidCommand with it.
"""

import re
from binascii import unhexlify
from collections.abc import Mapping, Sequence, Sized
from datetime import date
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.calendar import NEVER, SECOND, Instant
from ledger.errors import InvalidCommand
from ledger.ids import ID_LENGTH_MAX, encode_id
from ledger.quantities import VALUE_MAX, Amount, parse_fraction
from loyalty.v1 import types_pb2

TEXT_LENGTH_MAX = 64
"""Descriptive texts, such as a category, have at most as many characters as an id."""
CORRELATION_LENGTH_MAX = 128
SOURCE_LENGTH_MAX = 2 * ID_LENGTH_MAX + 1
LOTS_MAX = 1_000
NAMES_MAX = 10_000
"""How many names are remembered; a client that sends new ones for ever costs time, not memory."""

_Choice = TypeVar("_Choice")
_Items = TypeVar("_Items", bound=Sized)

_names: dict[str, str] = {}
known_name = _names.get
"""What `name` remembers, without a call of its own for what is read most: `known_name(text) or name(text, field)`."""

_SECONDS_END = NEVER // SECOND
_PLAIN_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]").search
_FRACTION = re.compile(r"[0-9]{1,18}(?:[./][0-9]{1,18})?").fullmatch
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_DAYS = (date(1970, 1, 1), date(9998, 12, 30))
_TRACE_LENGTH = 55
_NO_TRACE, _NO_PARENT = bytes(16), bytes(8)


def ident(text: str, field: str) -> str:
    """An id of 1 to 64 characters, percent-encoded where a stream's name needs it."""
    if _PLAIN_ID(text):
        return text
    return encode_id(_checked(text, field, ID_LENGTH_MAX))


def name(text: str, field: str) -> str:
    """An id of which there are few, such as a programme or a channel: checked once, then remembered."""
    known = known_name(text)
    if known is None:
        known = ident(text, field)
        if len(_names) >= NAMES_MAX:
            _names.clear()
        _names[text] = known
    return known


def source_id(text: str, field: str) -> str:
    """The id of what a grant stands on; slashes stay, since a purchase's order is called `<channel>/<order>`."""
    if _PLAIN_ID(text):
        return text
    return "/".join(map(encode_id, _checked(text, field, SOURCE_LENGTH_MAX).split("/")))


def lot(text: str, field: str) -> str:
    """The id of a lot, `<member>:<number>`, as the ledger gave it."""
    member, colon, number = text.rpartition(":")
    if not (colon and number.isascii() and number.isdecimal() and len(number) <= 18):
        raise InvalidCommand(field, "is not the id of a lot")
    return f"{ident(member, field)}:{int(number)}"


def lots(texts: Sequence[str], field: str) -> tuple[str, ...]:
    """Lots by their ids."""
    return tuple(lot(text, f"{field}[{place}]") for place, text in enumerate(at_most(texts, LOTS_MAX, field)))


def optional_ident(text: str, field: str) -> str:
    """An id, or nothing."""
    return ident(text, field) if text else ""


def label(text: str, field: str) -> str:
    """A text of 1 to 64 characters that is kept as it is."""
    if text.isalnum() and len(text) <= TEXT_LENGTH_MAX:
        return text
    return _checked(text, field, TEXT_LENGTH_MAX)


def optional_label(text: str, field: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """A text that may be empty and is kept as it is."""
    return _checked(text, field, length_max) if text else ""


def _checked(text: str, field: str, length_max: int) -> str:
    if not text:
        raise InvalidCommand(field, "is missing")
    if len(text) > length_max:
        raise InvalidCommand(field, f"has {len(text)} characters, at most {length_max} are allowed")
    # U+3000, the space of Chinese text, isn't "printable", but may stand in a category.
    if not text.isprintable() and _CONTROL(text):
        raise InvalidCommand(field, "has control characters")
    return text


def command_id(text: str, field: str) -> bytes:
    """The 16 bytes of a UUID in its form of 36 characters."""
    # A slice and unhexlify take a third of the time of uuid.UUID, which also takes braces, URNs and misplaced hyphens.
    if len(text) == 36 and text[8:24:5] == "----":
        try:
            number = unhexlify(text.replace("-", ""))
        except ValueError:
            number = b""
        if len(number) == 16:
            return number
    raise InvalidCommand(field, "is not a UUID" if text else "is missing")


def trace(text: str) -> bytes:
    """W3C trace context as 26 bytes: version, trace id, parent id, flags; none where it is malformed.

    Source: W3C Trace Context, 3.2.2 and 4.3; later versions may be longer, and are read as far as they are known.
    """
    if len(text) > _TRACE_LENGTH:
        if text.startswith("00") or text[_TRACE_LENGTH] != "-":
            return b""
        text = text[:_TRACE_LENGTH]
    if len(text) < _TRACE_LENGTH or not text[2] == text[35] == text[52] == "-" or text != text.lower():
        return b""
    try:
        packed = unhexlify(text.replace("-", ""))
    except ValueError:
        return b""
    if len(packed) != 26 or packed[0] == 0xFF or packed[1:17] == _NO_TRACE or packed[17:25] == _NO_PARENT:
        return b""
    return packed


def instant(moment: Timestamp, field: str) -> Instant:
    """Microseconds since 1970; finer digits are cut off."""
    seconds, nanos = moment.seconds, moment.nanos
    if 0 <= seconds < _SECONDS_END and 0 <= nanos < 1_000_000_000:
        return seconds * SECOND + nanos // 1000
    raise InvalidCommand(field, "is not a time from 1970 to 9998")


def required_instant(message: Message, field: str) -> Instant:
    """A time that must be there."""
    if not message.HasField(field):
        raise InvalidCommand(field, "is missing")
    return instant(getattr(message, field), field)


def optional_instant(message: Message, field: str) -> Instant | None:
    """A time that may be left out."""
    return instant(getattr(message, field), field) if message.HasField(field) else None


def day(text: str, field: str) -> date:
    """A local day, `YYYY-MM-DD`."""
    # Without the pattern, dates of weeks and dates without hyphens would pass.
    if _DAY(text):
        try:
            found = date.fromisoformat(text)
        except ValueError:
            found = date.min
        if _DAYS[0] <= found <= _DAYS[1]:
            return found
    raise InvalidCommand(field, "is not a day from 1970-01-01 to 9998-12-30, as YYYY-MM-DD" if text else "is missing")


def optional_day(text: str, field: str) -> date | None:
    """A local day that may be left out."""
    return day(text, field) if text else None


def number(value: int, field: str) -> int:
    """A number whose magnitude is at most 10^15."""
    if -VALUE_MAX <= value <= VALUE_MAX:
        return value
    raise InvalidCommand(field, f"must be from {-VALUE_MAX} to {VALUE_MAX}, not {value}")


def optional_number(message: Message, field: str) -> int | None:
    """A number that may be left out."""
    return number(getattr(message, field), field) if message.HasField(field) else None


def amount(message: types_pb2.Amount, field: str) -> Amount:
    """A number of minor units with its unit."""
    unit, value = message.unit, message.value
    if not unit.isalnum() or len(unit) > TEXT_LENGTH_MAX:
        label(unit, f"{field}.unit")
    if not -VALUE_MAX <= value <= VALUE_MAX:
        number(value, f"{field}.value")
    return Amount(unit, value)


def fraction(text: str, field: str) -> str:
    """An exact fraction that isn't negative, such as `3`, `0.01` or `1/100`, kept as it is written."""
    # Fraction itself would also take exponents, and compute 1e999999999 digit by digit.
    try:
        if _FRACTION(text):
            parse_fraction(text)
            return text
    except ZeroDivisionError:
        pass
    raise InvalidCommand(field, "is not a fraction such as 3, 0.01 or 1/100" if text else "is missing")


def choice(table: Mapping[int, _Choice], value: int, field: str) -> _Choice:
    """The ledger's word for a value of an enum; the table has those values that are allowed."""
    try:
        return table[value]
    except KeyError:
        raise InvalidCommand(field, "is not known" if value else "is missing") from None


def at_most(items: _Items, most: int, field: str) -> _Items:
    """A repeated field with a limit."""
    if len(items) > most:
        raise InvalidCommand(field, f"has {len(items)} items, at most {most} are allowed")
    return items

"""Names of things: identifiers and streams.

A stream is named `<programme>/<kind>/<id>`; every id part has 1 to 64 characters of `[A-Za-z0-9._~-]`. Anything else is
percent-encoded at the edge, so that a name can be split again without looking anything up.
"""

from urllib.parse import quote, unquote

ID_LENGTH_MAX = 64


def encode_id(text: str) -> str:
    """Percent-encode what may not stand in a stream's name; an id that is allowed already comes back unchanged."""
    return text if text.isalnum() and text.isascii() else quote(text, safe="")


def decode_id(text: str) -> str:
    """What a caller called a thing, from the id in a stream's name: the inverse of `encode_id`."""
    return unquote(text) if "%" in text else text


def programme_stream(programme: str) -> str:
    """The stream of a programme's settings and clock."""
    return f"{programme}/programme"


def member_stream(programme: str, member: str) -> str:
    """The stream of one member: lots, holds, caps."""
    return f"{programme}/member/{member}"


def order_stream(programme: str, channel: str, order: str) -> str:
    """The stream of one order; its first version makes "one order earns once" a property of the primary key."""
    return f"{programme}/order/{channel}/{order}"


def redemption_stream(programme: str, redemption: str) -> str:
    """The stream of one redemption, from its placing to its end."""
    return f"{programme}/redemption/{redemption}"


def reversal_stream(programme: str, command_id: bytes) -> str:
    """The stream of what was reversed of one command."""
    return f"{programme}/reversal/{command_id.hex()}"


def reward_stream(programme: str, reward: str) -> str:
    """The stream of one reward's definitions."""
    return f"{programme}/reward/{reward}"


def allocation_stream(programme: str) -> str:
    """The stream of a programme's allocation policy."""
    return f"{programme}/allocation"


def sku_stream(programme: str, sku: str) -> str:
    """The stream of what goes for a SKU wherever it lies."""
    return f"{programme}/sku/{sku}"


def stock_stream(programme: str, sku: str, location: str) -> str:
    """The stream of one stock item: a SKU at a location."""
    return f"{programme}/stock/{sku}@{location}"


def lot_id(member: str, number: int) -> str:
    """The id of a member's n-th lot, counted from 1; `:` stands in no member id, so it splits again."""
    return f"{member}:{number}"


def lot_number(lot: str) -> int:
    """The number of a lot within its member, the inverse of `lot_id`."""
    return int(lot.rpartition(":")[2])

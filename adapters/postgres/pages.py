"""Pages by key: an opaque token carries the key of the last row that was given."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from ledger.errors import InvalidCommand
from projections.queries import Page

Row = TypeVar("Row")


def read_token(token: str, first: Sequence[Any]) -> list[Any]:
    """The key in a page token, or `first` for an empty one. Raises InvalidCommand for what this query never gave."""
    if not token:
        return list(first)
    try:
        key = msgspec.json.decode(urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=list[str | int])
    except (ValueError, msgspec.MsgspecError):
        key = []
    # PostgreSQL knows no text with a NUL, and no row has one.
    if list(map(type, key)) != list(map(type, first)) or any("\0" in part for part in key if isinstance(part, str)):
        raise InvalidCommand("page_token", "was not given by this query")
    return key


def page(found: Sequence[Row], size: int, key: Callable[[Row], Sequence[Any]], position: int) -> Page[Row]:
    """A page of at most `size` rows out of those found; one found beyond says that there is a next page."""
    if len(found) <= size:
        return Page(tuple(found), "", position)
    rows = tuple(found[:size])
    token = urlsafe_b64encode(msgspec.json.encode(key(rows[-1]))).decode().rstrip("=")
    return Page(rows, token, position)

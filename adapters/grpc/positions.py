"""Positions of the log as clients see them: opaque tokens, so that a log can have more than one shard one day."""

import re

from ledger.errors import InvalidCommand

SHARD = 1
"""The one shard there is today."""

_TOKEN = re.compile(rf"{SHARD}-(0|[1-9a-f][0-9a-f]{{0,14}})").fullmatch


def position_token(position: int) -> str:
    """The token of a position."""
    return f"{SHARD}-{position:x}"


def parse_position(token: str, field: str) -> int:
    """The position of a token; 0, before the first event, for an empty one. Raises InvalidCommand."""
    if not token:
        return 0
    match = _TOKEN(token)
    if match is None:
        raise InvalidCommand(field, "is not a position that this service gave")
    return int(match[1], 16)

"""Paths of fields within a request, from those within a command: the ledger knows no headers, no kinds of messages."""

import re

from ledger.errors import InvalidCommand
from loyalty.v1 import commands_pb2 as pb

_OF_HEADER = frozenset({"occurred_at"})
_MEMBER = re.compile(r"commands\[(\d+)\]\.(.+)").fullmatch


def in_request(fault: InvalidCommand, command: pb.Command | None = None) -> InvalidCommand:
    """What the ledger found wrong with a command, its field named as in the request; a group is named by `command`."""
    group = command.group if command is not None and command.HasField("group") else None
    # A group of one is decided like a command by itself.
    place, field = 0, fault.field
    if group is not None and (member := _MEMBER(field)):
        place, field = int(member[1]), member[2]
    if field in _OF_HEADER:
        field = f"header.{field}"
    elif group is not None:
        field = f"commands[{place}].{group.commands[place].WhichOneof('command')}.{field}"
    return InvalidCommand(field, fault.problem)

"""Batches under access control: each command is checked as if it came alone, and denied in its place."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import grpc

from adapters.grpc.access.callers import ALL_PROGRAMMES, Caller
from adapters.grpc.access.denials import programme_forbidden, role_missing
from adapters.grpc.access.roles import GROUP, KIND_RULES, kinds_of
from adapters.grpc.faults import Denied
from adapters.grpc.from_proto import COMMANDS_MAX
from adapters.grpc.to_proto import fill_result
from loyalty.v1 import commands_pb2 as pb


class Checked(NamedTuple):
    """What a check found."""

    size: int
    """The commands, those in groups counted."""
    denied: Mapping[int, Denied]
    """By their place in the batch."""


def check_batch(commands: Any, caller: Caller) -> Checked:
    """Check the commands of a batch, and write the caller's actor into them; one that is too large is refused whole."""
    denied: dict[int, Denied] = {}
    size = len(commands)
    if size > COMMANDS_MAX:
        return Checked(size, {})  # decoding says so
    actor, programmes, kinds = caller.actor, caller.programmes, kinds_of(caller.roles)
    everywhere = ALL_PROGRAMMES in programmes
    for place, command in enumerate(commands):
        kind = command.WhichOneof("command")
        if kind is None:
            continue  # decoding says so
        body = getattr(command, kind)
        header = body.header
        header.actor = actor
        if not everywhere and header.programme not in programmes:
            denied[place] = programme_forbidden(header.programme)
        elif kind == GROUP:
            size += len(body.commands) - 1
            if size > COMMANDS_MAX:
                return Checked(size, {})
            members = {member.WhichOneof("command") for member in body.commands} - {None, GROUP}
            if not kinds.issuperset(members):
                denied[place] = role_missing(KIND_RULES[min(members - kinds)])
        elif kind not in kinds:
            denied[place] = role_missing(KIND_RULES[kind])
    return Checked(size, denied)


def permitted(request: Any, denied: Mapping[int, Denied]) -> Any:
    """The batch without what was denied."""
    if not denied:
        return request
    return type(request)(commands=[each for place, each in enumerate(request.commands) if place not in denied])


def complete(response: pb.ExecuteResponse, denied: Mapping[int, Denied]) -> pb.ExecuteResponse:
    """The answer to a batch with what was denied in its places."""
    if not denied:
        return response
    whole = pb.ExecuteResponse()
    given = iter(response.results)
    for place in range(len(response.results) + len(denied)):
        result = whole.results.add()
        if place in denied:
            fill_result(result, denied[place])
        else:
            result.CopyFrom(next(given))
    return whole


class CheckedStream:
    """A stream of batches as its service sees it: what it reads is checked, what it writes is completed."""

    def __init__(self, context: Any, check: Callable[[Any], Mapping[int, Denied]]) -> None:
        """`check` says what of a batch is denied; it raises Denied to end the stream."""
        self._context = context
        self._check = check
        self._denied: deque[Mapping[int, Denied]] = deque()

    async def read(self) -> Any:
        """The next batch without what is denied, or EOF."""
        batch = await self._context.read()
        if batch is grpc.aio.EOF:
            return batch
        denied = self._check(batch)
        self._denied.append(denied)
        return permitted(batch, denied)

    async def write(self, response: pb.ExecuteResponse) -> None:
        """Answer the earliest batch that has no answer yet."""
        await self._context.write(complete(response, self._denied.popleft()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


class CheckedWriter:
    """A stream of answers as its service sees it: nothing is written for a caller whose credential has ended."""

    def __init__(self, context: Any, check: Callable[[], None]) -> None:
        """`check` raises Denied to end the stream."""
        self._context = context
        self._check = check

    async def write(self, response: Any) -> None:
        """Send an answer."""
        self._check()
        await self._context.write(response)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

"""Requests that are no messages: gRPC ends such a call with UNKNOWN, which says nothing of what to mend.

Where a service is registered through `Tolerant`, its methods get the DecodeError in the place of a request; `readable`
raises it where the other errors are told, so that access control comes first.
"""

from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError


class Tolerant:
    """A server that services are registered at, as far as generated code uses one."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Nothing: the same handlers come by their names."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Register a service whose methods take requests that can't be read; streams raise where they are read."""
        tolerant = {
            name: handler if handler.request_streaming else _tolerant(handler) for name, handler in handlers.items()
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, tolerant),))


def readable(request: Any) -> None:
    """Raises DecodeError for a request that could not be read."""
    if type(request) is DecodeError:
        raise request


def _tolerant(handler: Any) -> Any:
    return handler._replace(request_deserializer=_or_error(handler.request_deserializer))


def _or_error(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def decode_or_error(raw: bytes) -> Any:
        try:
            return decode(raw)
        except DecodeError as error:
            return error

    return decode_or_error

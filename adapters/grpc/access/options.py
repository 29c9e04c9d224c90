"""How access control is configured, and the guard that follows from it."""

from collections.abc import Mapping

import msgspec

from adapters.grpc.access.callers import Caller
from adapters.grpc.access.credentials import Credentials
from adapters.grpc.access.guard import Guard
from adapters.grpc.access.keys import keys_at
from adapters.grpc.access.limits import RateLimits
from adapters.grpc.access.tokens import TokenRules, Tokens


class AccessOptions(msgspec.Struct, frozen=True):
    """Who may call: by token, by client certificate, or by either."""

    tokens: TokenRules | None = None
    certificates: Mapping[str, Caller] = {}
    """By the names in client certificates; they take mutual TLS."""
    commands_per_second: int | None = None
    """How many commands one caller may send; None: as many as they like."""


def guard_of(options: AccessOptions) -> Guard:
    """The guard of a server. Raises OSError or ValueError for keys that can't be used."""
    tokens = Tokens(keys_at(options.tokens.keys), options.tokens) if options.tokens else None
    limits = RateLimits(options.commands_per_second) if options.commands_per_second else None
    return Guard(Credentials(tokens, options.certificates), limits)

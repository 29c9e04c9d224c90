"""Who calls: what a credential says of its holder, once it is verified."""

import math
from collections.abc import Iterable
from enum import StrEnum

import msgspec

ALL_PROGRAMMES = "*"


class Role(StrEnum):
    """What somebody does; a caller may have several. None includes another: duties are kept apart."""

    CHANNEL = "channel"
    """A shop, a till, a mini-program, an order system: earns, redeems, moves stock."""
    FINANCE = "finance"
    """Reads everything, the log included."""
    ANALYST = "analyst"
    """Reads the views."""
    OPERATOR = "operator"
    """Keeps the service running: clocks, expiries, sweeps."""
    ADMINISTRATOR = "administrator"
    """Sets programmes and rewards up."""


_ROLES = {role.value: role for role in Role}


class Caller(msgspec.Struct, frozen=True):
    """The holder of a verified credential."""

    actor: str
    """Recorded as the actor of every command, whatever the request says."""
    roles: frozenset[Role]
    programmes: frozenset[str]
    """By the names that requests use; `*` stands for all of them."""
    expires_at: float = math.inf
    """When the credential ends, in seconds since 1970."""

    def may_enter(self, programme: str) -> bool:
        """Whether the programme is one of the caller's; no name means all of them."""
        return programme in self.programmes or ALL_PROGRAMMES in self.programmes


def known_roles(names: Iterable[str]) -> frozenset[Role]:
    """The roles among these names; those of other systems, which identity providers list too, are passed over."""
    return frozenset(_ROLES[name] for name in names if name in _ROLES)

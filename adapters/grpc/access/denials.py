"""Why a call, or a command of a batch, is denied. The reasons are part of the contract; protos/README.md lists them."""

from enum import StrEnum

import grpc

from adapters.grpc.access.roles import Rule
from adapters.grpc.faults import Denied, Fault


class Denial(StrEnum):
    """The reason in `ErrorInfo`."""

    CREDENTIAL_MISSING = "CREDENTIAL_MISSING"
    CREDENTIAL_INVALID = "CREDENTIAL_INVALID"
    CREDENTIAL_EXPIRED = "CREDENTIAL_EXPIRED"
    ROLE_MISSING = "ROLE_MISSING"
    PROGRAMME_FORBIDDEN = "PROGRAMME_FORBIDDEN"
    RATE_LIMITED = "RATE_LIMITED"


def credential_missing() -> Denied:
    """There is no credential."""
    return Denied(_unauthenticated(Denial.CREDENTIAL_MISSING, "send a token, or present a client certificate"))


def credential_invalid(why: str) -> Denied:
    """The credential proves nothing; `why` goes to the log only, since a forger would learn from it."""
    return Denied(_unauthenticated(Denial.CREDENTIAL_INVALID, "the credential is not valid for this service"), why)


def credential_expired() -> Denied:
    """The token was good once."""
    return Denied(_unauthenticated(Denial.CREDENTIAL_EXPIRED, "the token has expired: send a new one"))


def _unauthenticated(denial: Denial, message: str) -> Fault:
    return Fault(grpc.StatusCode.UNAUTHENTICATED, denial, message)


def role_missing(rule: Rule) -> Denied:
    """None of the caller's roles may do this."""
    roles = ", ".join(sorted(rule.roles)) or "none"
    message = f"{rule.name} is for these roles: {roles}"
    facts = {"rpc": rule.name, "roles": roles}
    return Denied(Fault(grpc.StatusCode.PERMISSION_DENIED, Denial.ROLE_MISSING, message, facts=facts))


def programme_forbidden(programme: str) -> Denied:
    """The programme is none of the caller's."""
    message = f"programme {programme!r} is not among the caller's"
    if not programme:
        message = "no programme is named, which is for callers of all programmes"
    facts = {"programme": programme}
    return Denied(Fault(grpc.StatusCode.PERMISSION_DENIED, Denial.PROGRAMME_FORBIDDEN, message, facts=facts))


def rate_limited() -> Denied:
    """The caller has to wait."""
    message = "this caller sends too much, nothing was stored: retry later"
    return Denied(Fault(grpc.StatusCode.RESOURCE_EXHAUSTED, Denial.RATE_LIMITED, message))

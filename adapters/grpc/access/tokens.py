"""Tokens: JSON Web Tokens (RFC 7519) whose signature and claims are verified; the verified ones are remembered.

Of the claims, `sub` is the actor, `roles` and `programmes` are lists of texts, `exp` and `aud` must be there. As
RFC 8725 asks, the algorithms are configured and never taken from a token.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, InvalidKeyIdError, JoseError, MissingClaimError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from adapters.grpc.access.callers import Caller, known_roles
from adapters.grpc.access.denials import credential_expired, credential_invalid
from adapters.grpc.access.keys import Keys
from adapters.grpc.fields import label
from ledger.errors import InvalidCommand

REMEMBERED_MAX = 10_000
"""Verified tokens that are remembered; a signature takes 30 to 100 microseconds, looking one up takes one."""
SKEW_SECONDS = 30
"""What the clocks of the issuer and of this machine may differ by."""


class TokenRules(msgspec.Struct, frozen=True):
    """What a token must say to count here."""

    keys: str
    """Where the JWK set is: a file or a URL."""
    audience: str
    issuer: str = ""
    """Empty: the keys alone say who issued it."""
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    """Never those of shared secrets: whoever can verify such a token could also make one."""


class _Claims(msgspec.Struct):
    sub: str
    exp: float
    roles: list[str] = []
    programmes: list[str] = []


class Tokens:
    """Who holds a token."""

    def __init__(self, keys: Keys, rules: TokenRules, now: Callable[[], float] = time.time) -> None:
        self.keys = keys
        self._now = now
        # Header fields that nobody knows are passed over (RFC 7515, 4.2); critical ones never are.
        self._registry = JWSRegistry(algorithms=rules.algorithms, strict_check_header=False)
        issuer: dict[str, Any] = {"iss": {"essential": True, "value": rules.issuer}} if rules.issuer else {}
        self._claims = JWTClaimsRegistry(
            lambda: int(now()),
            SKEW_SECONDS,
            exp={"essential": True},
            sub={"essential": True},
            aud={"essential": True, "value": rules.audience},
            **issuer,
        )
        self._callers: OrderedDict[bytes, Caller] = OrderedDict()
        self._version = 0

    async def caller(self, token: str) -> Caller:
        """The holder. Raises Denied, or Unavailable as long as there are no keys."""
        if self._version != self.keys.version:
            self._version = self.keys.version
            self._callers.clear()
        name = sha256(token.encode()).digest()
        caller = self._callers.get(name)
        if caller is not None:
            if caller.expires_at <= self._now():
                del self._callers[name]
                raise credential_expired()
            self._callers.move_to_end(name)
            return caller
        caller = await self._verified(token)
        self._callers[name] = caller
        if len(self._callers) > REMEMBERED_MAX:
            self._callers.popitem(last=False)
        return caller

    async def _verified(self, token: str) -> Caller:
        try:
            return self._verify(token)
        except InvalidKeyIdError:
            renewed = await self.keys.renew_for_unknown()
        if renewed:
            with suppress(InvalidKeyIdError):
                return self._verify(token)
        raise credential_invalid("unknown key")

    def _verify(self, token: str) -> Caller:
        """Raises InvalidKeyIdError for an unknown key, Denied for everything else that is wrong."""
        keys = self.keys.present()
        try:
            claims = jwt.decode(token, keys, registry=self._registry).claims
            self._claims.validate(claims)
            said = msgspec.convert(claims, _Claims)
            actor = label(said.sub, "sub")
        except InvalidKeyIdError:
            raise
        except ExpiredTokenError:
            raise credential_expired() from None
        except (InvalidClaimError, MissingClaimError) as error:
            raise credential_invalid(error.description) from None
        except JoseError as error:
            raise credential_invalid(error.error) from None
        except (msgspec.ValidationError, InvalidCommand) as error:
            raise credential_invalid(str(error)) from None
        except Exception as error:  # whatever a forged token breaks in its verification, it proves nothing
            raise credential_invalid(type(error).__name__) from None
        return Caller(actor, known_roles(said.roles), frozenset(said.programmes), said.exp + SKEW_SECONDS)

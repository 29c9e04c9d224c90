"""What a call shows of its caller: a token in its metadata, or the client certificate of its connection."""

from collections.abc import Mapping
from typing import Any

from adapters.grpc.access.callers import Caller
from adapters.grpc.access.denials import credential_invalid, credential_missing
from adapters.grpc.access.tokens import Tokens

AUTHORIZATION = "authorization"
_SCHEME = "bearer "


class Credentials:
    """Finds the caller of a call. A token counts before a certificate: it says more of who stands behind the call."""

    def __init__(self, tokens: Tokens | None, certificates: Mapping[str, Caller]) -> None:
        """`certificates` by the names in them: subject alternative names, or the common name where there are none."""
        self._tokens = tokens
        self._certificates = certificates

    async def run(self) -> None:
        """Keep the keys of tokens fresh, until cancelled."""
        if self._tokens is not None:
            await self._tokens.keys.run()

    async def caller(self, context: Any) -> Caller:
        """The caller behind a servicer context. Raises Denied, or Unavailable as long as there are no keys."""
        shown = [value for key, value in context.invocation_metadata() if key == AUTHORIZATION]
        if shown:
            if self._tokens is None or len(shown) > 1 or not shown[0].lower().startswith(_SCHEME):
                raise credential_invalid("not one bearer token, or tokens are not configured")
            return await self._tokens.caller(shown[0][len(_SCHEME) :].strip())
        names = context.peer_identities()
        if not names:
            raise credential_missing()
        for name in names:
            caller = self._certificates.get(name.decode(errors="replace"))
            if caller is not None:
                return caller
        raise credential_invalid("the certificate names nobody who is configured")

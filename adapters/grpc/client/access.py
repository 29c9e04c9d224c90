"""What a client shows of itself: TLS with or without a certificate of its own, and a token."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path

import grpc

from adapters.grpc.addresses import host_of, is_loopback

Token = str | Callable[[], str | Awaitable[str]]
"""A token, or what gives one: it is asked before every attempt, so let it keep the token while that is good."""

Options = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Tls:
    """PEM: whom the client trusts, and the certificate that it shows."""

    ca: bytes | None = None
    """Who issued the service's certificate; None: one of the public authorities."""
    certificate: bytes | None = None
    """For mutual TLS: the client's certificate and its chain, with its `key`."""
    key: bytes | None = None

    @classmethod
    def of_files(cls, ca: Path | None = None, certificate: Path | None = None, key: Path | None = None) -> "Tls":
        """The same from files. Raises OSError."""
        return cls(*(path.read_bytes() if path else None for path in (ca, certificate, key)))

    def credentials(self) -> grpc.ChannelCredentials:
        """As gRPC takes them."""
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)


class Bearer:
    """Puts a token into the metadata of calls."""

    def __init__(self, token: Token | None) -> None:
        self._token = token

    async def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata of one call."""
        token = self._token
        if callable(token):
            given = token()
            token = await given if isawaitable(given) else given
        return (("authorization", f"Bearer {token}"),) if token else ()


def open_channel(target: str, tls: Tls | None, token: Token | None, options: Options) -> grpc.aio.Channel:
    """A channel to a service. Raises ValueError for a token that would go to another machine unencrypted."""
    if tls is not None:
        return grpc.aio.secure_channel(target, tls.credentials(), options=options)
    if token is not None and not is_loopback(host_of(target)):
        raise ValueError(f"a token is sent to {target} with TLS only")
    return grpc.aio.insecure_channel(target, options=options)

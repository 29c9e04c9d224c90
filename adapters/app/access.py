"""From the settings to the options of the gRPC server: address, TLS, and who may call."""

from adapters.app.settings import Settings
from adapters.grpc.access.callers import Caller
from adapters.grpc.access.options import AccessOptions
from adapters.grpc.access.tls import TlsFiles
from adapters.grpc.access.tokens import TokenRules
from adapters.grpc.server import ServerOptions


def server_options(settings: Settings) -> ServerOptions:
    """How the server of a service listens."""
    return ServerOptions(
        f"{settings.host}:{settings.port}",
        tls=_tls(settings),
        access=_access(settings) if settings.authenticates else None,
        grace_seconds=settings.stop_seconds,
    )


def _tls(settings: Settings) -> TlsFiles | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)


def _access(settings: Settings) -> AccessOptions:
    tokens = None
    if settings.token_keys is not None and settings.token_audience is not None:
        issuer = settings.token_issuer or ""
        tokens = TokenRules(settings.token_keys, settings.token_audience, issuer, settings.token_algorithms)
    certificates = {
        name: Caller(name, granted.roles, granted.programmes) for name, granted in settings.client_certificates.items()
    }
    return AccessOptions(tokens, certificates, settings.caller_commands_per_second)

"""TLS of the server: certificates from files, read again at the first connection after they changed."""

import ssl
from pathlib import Path
from typing import Any

import grpc
import msgspec
import structlog

_log = structlog.get_logger(__name__)

_Stamp = tuple[tuple[int, int, int], ...]


class TlsFiles(msgspec.Struct, frozen=True):
    """PEM files."""

    certificate: Path
    """The server's certificate, followed by those between it and the root."""
    key: Path
    """Its private key, not encrypted."""
    client_ca: Path | None = None
    """Who issues the certificates of clients; given, it makes every connection show one: mutual TLS."""


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Credentials that follow their files. Raises OSError or ValueError for files that can't be used now."""
    reloader: Any = _Reloader(files)  # gRPC takes none for no change, its types do not
    return grpc.dynamic_ssl_server_credentials(
        reloader.configuration, reloader, require_client_authentication=files.client_ca is not None
    )


class _Reloader:
    """Called by gRPC before every handshake, in a thread of its own.

    Files that do not fit together are passed over until they do: a certificate and its key never change in one moment.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamp = _stamp(files)
        self._refused: _Stamp = ()
        self.configuration = _read(files)

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        """The files' configuration if they changed, or none for no change."""
        try:
            stamp = _stamp(self._files)
            if stamp in (self._stamp, self._refused):
                return None
            self._refused = stamp
            configuration = _read(self._files)
        except (OSError, ValueError) as fault:
            _log.warning("tls.not_reloaded", fault=str(fault))
            return None
        self._stamp = stamp
        _log.info("tls.reloaded", certificate=str(self._files.certificate))
        return configuration


def _stamp(files: TlsFiles) -> _Stamp:
    """What tells whether a file changed, also when it was replaced by renaming or by a link to another one."""
    stats = [path.stat() for path in (files.certificate, files.key, files.client_ca) if path is not None]
    return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in stats)


def _read(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    chain, key = files.certificate.read_bytes(), files.key.read_bytes()
    roots = files.client_ca.read_bytes() if files.client_ca else None
    _check(files)
    return grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=roots)


def _check(files: TlsFiles) -> None:
    """Raises ValueError unless the files fit together; gRPC itself would say no more than that it can't listen."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except ssl.SSLError as error:
        reason = error.reason or error
        raise ValueError(f"{files.certificate} and {files.key} are not a certificate and its key: {reason}") from None
    if files.client_ca is not None:
        try:
            context.load_verify_locations(files.client_ca)
        except ssl.SSLError as error:
            raise ValueError(f"{files.client_ca} has no certificates: {error.reason or error}") from None


def _no_password() -> str:
    """Without this, OpenSSL would ask the terminal for the password of an encrypted key."""
    return ""

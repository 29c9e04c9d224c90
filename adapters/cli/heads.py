"""Heads kept outside the database: where the log stood, signed, so that a tail cut off or rewritten later is found.

Ed25519 and no shared secret: whoever checks a head needs the public key only, and cannot make one.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from adapters.postgres.verify import LogHead

_PURPOSE = b"loyalty-ledger head\n"
"""In front of what is signed: no signature made for something else passes for one of a head."""


class HeadError(Exception):
    """Raised when a key or a kept head cannot be used; the message says why."""


class SignedHead(msgspec.Struct, frozen=True):
    """The contents of a head file, as JSON."""

    head: LogHead
    kept_at: datetime
    signature: bytes
    """Ed25519 over `loyalty-ledger head`, a line feed, and head and kept_at as they stand in the file; base64."""


def _signed_bytes(head: LogHead, kept_at: datetime) -> bytes:
    return _PURPOSE + msgspec.json.encode((head, kept_at))


def make_key(path: Path) -> Path:
    """Write a new private key, readable by its owner only, and beside it the public one, whose path is returned.

    Raises HeadError where one of the files exists or cannot be written.
    """
    private = Ed25519PrivateKey.generate()
    public_path = path.with_name(path.name + ".pub")
    private_text = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public_text = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    try:
        for file, text, mode in ((path, private_text, 0o600), (public_path, public_text, 0o644)):
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
                opened.write(text)
    except OSError as error:
        raise HeadError(f"cannot write {error.filename}: {error.strerror}") from error
    return public_path


def keep(head: LogHead, path: Path, key: Path) -> None:
    """Write a signed head. Raises HeadError where the key is no private one or the file cannot be written."""
    private = _load(key)
    if not isinstance(private, Ed25519PrivateKey):
        raise HeadError(f"{key} is a public key: signing takes the private one")
    kept_at = datetime.now(UTC)
    signed = SignedHead(head, kept_at, private.sign(_signed_bytes(head, kept_at)))
    try:
        path.write_bytes(msgspec.json.encode(signed) + b"\n")
    except OSError as error:
        raise HeadError(f"cannot write {path}: {error.strerror}") from error


def read(path: Path, key: Path) -> LogHead:
    """The head in a file, if it was signed with this key. Raises HeadError otherwise."""
    loaded = _load(key)
    public = loaded.public_key() if isinstance(loaded, Ed25519PrivateKey) else loaded
    try:
        signed = msgspec.json.decode(path.read_bytes(), type=SignedHead)
        public.verify(signed.signature, _signed_bytes(signed.head, signed.kept_at))
    except OSError as error:
        raise HeadError(f"cannot read {path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise HeadError(f"{path} is no head that was kept: {error}") from error
    except InvalidSignature:
        raise HeadError(f"{path} was not signed with {key}, or was changed since: it proves nothing") from None
    return signed.head


def _load(path: Path) -> Ed25519PrivateKey | Ed25519PublicKey:
    try:
        text = path.read_bytes()
        key = (
            serialization.load_pem_private_key(text, password=None)
            if b"PRIVATE KEY" in text
            else serialization.load_pem_public_key(text)
        )
    except OSError as error:
        raise HeadError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise HeadError(f"{path} is no key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise HeadError(f"{path} is a key of another kind than Ed25519")
    return key

"""The keys that tokens are verified with: a JWK set (RFC 7517), from a file or a URL, read again now and then."""

import asyncio
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from adapters.grpc.addresses import is_loopback
from ledger.errors import Unavailable

KEY_SET_BYTES_MAX = 1024 * 1024
FETCH_SECONDS_MAX = 5.0
FILE_SECONDS = 2.0
"""How old the keys of a file get: a key that was taken out is of no more use after this time."""
URL_SECONDS = 300.0
RETRY_SECONDS = 10.0
"""Between two fetches when one failed, or when a token names a key that nobody knows."""

_log = structlog.get_logger(__name__)


class Keys:
    """The present keys; `run` renews them, and so does a token with a new key, but not at every such token."""

    def __init__(
        self, location: str, read: Callable[[], bytes], age_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Made by `keys_at`; `read` gives the JSON of a JWK set, or raises OSError or ValueError."""
        self._location = location
        self._read = read
        self._age_seconds = age_seconds
        self._clock = clock
        self._stored: bytes | None = None
        self._keys: KeySet | None = None
        self._tried_at = -RETRY_SECONDS
        self._failed = False
        self._renewing: asyncio.Task[None] | None = None
        self.version = 0
        """Grows when the keys change."""

    def load(self) -> None:
        """Read the keys at once. Raises OSError or ValueError."""
        self._take(self._read())

    def present(self) -> KeySet:
        """The keys. Raises Unavailable as long as there are none."""
        if self._keys is None:
            raise Unavailable("the keys to verify tokens with are not there yet")
        return self._keys

    async def renew_for_unknown(self) -> bool:
        """Read the keys again for a token whose key is unknown; whether they changed. At most every ten seconds."""
        if self._clock() - self._tried_at < RETRY_SECONDS and self._renewing is None:
            return False
        before = self.version
        await self.renew()
        return self.version != before

    async def renew(self) -> None:
        """Read the keys again; if that fails, the old ones stay. Concurrent callers share one attempt."""
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        await asyncio.shield(self._renewing)

    async def run(self) -> NoReturn:
        """Renew the keys for ever."""
        while True:
            await self.renew()
            await asyncio.sleep(min(self._age_seconds, RETRY_SECONDS) if self._failed else self._age_seconds)

    async def _renew(self) -> None:
        try:
            self._take(await asyncio.to_thread(self._read))
            self._failed = False
        except (OSError, ValueError) as fault:
            if not self._failed:  # once, not every time
                _log.warning("access.keys_not_renewed", location=self._location, fault=str(fault))
            self._failed = True
        finally:
            self._tried_at = self._clock()
            self._renewing = None

    def _take(self, stored: bytes) -> None:
        if stored == self._stored:
            return
        try:
            keys = KeySet.import_key_set(msgspec.json.decode(stored))
        except (JoseError, ValueError, TypeError, KeyError) as fault:
            raise ValueError(f"{self._location} is not a JWK set: {fault}") from fault
        self._stored, self._keys = stored, keys
        self.version += 1
        _log.info("access.keys_read", location=self._location, keys=len(keys.keys))


def keys_at(location: str) -> Keys:
    """The keys of a file or a URL; a file is read at once. Raises OSError or ValueError."""
    url = urlsplit(location)
    if url.scheme in ("http", "https"):
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            raise ValueError(f"{location}: keys are fetched by https only")
        return Keys(location, lambda: _fetch(location), URL_SECONDS)
    keys = Keys(location, lambda: _bounded(Path(location)), FILE_SECONDS)
    keys.load()
    return keys


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return _checked(file.read(KEY_SET_BYTES_MAX + 1))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Where keys come from is configured; a redirect could lead anywhere."""

    def redirect_request(self, *_: object) -> None:
        return None


_open = urllib.request.build_opener(_NoRedirect).open


def _fetch(url: str) -> bytes:
    """What a URL has; bounded in size and in time, even if it comes byte by byte."""
    deadline = time.monotonic() + FETCH_SECONDS_MAX
    body = b""
    try:
        with _open(url, timeout=FETCH_SECONDS_MAX) as response:
            while chunk := response.read1(KEY_SET_BYTES_MAX + 1):
                body = _checked(body + chunk)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{url} did not answer in {FETCH_SECONDS_MAX:.0f} s")
    except HTTPException as fault:
        raise ValueError(f"{url} does not speak HTTP: {fault!r}") from fault
    return body


def _checked(body: bytes) -> bytes:
    if len(body) > KEY_SET_BYTES_MAX:
        raise ValueError(f"a JWK set has at most {KEY_SET_BYTES_MAX} bytes")
    return body

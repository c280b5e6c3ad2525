# SPDX-License-Identifier: Apache-2.0
"""The public keys of an issuer: fetched, bounded, kept (S21)."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.util import base64_to_int

from dictamesh.runtime.governance.refusals import IssuerUnavailable

MAX_BYTES = 256 * 1024
MAX_KEYS = 100
MIN_BITS, MAX_BITS = 2048, 8192
TIMEOUT = 5.0  # seconds for one document
FRESH_FOR = 600.0  # seconds after which keys are asked for again
RETRY_AFTER = 30.0  # seconds between two attempts while keys are held
FIRST_RETRY_AFTER = 1.0  # seconds between two attempts while there are none
KEPT_FOR = 24 * 3600.0  # seconds that keys serve after the last successful fetch

Fetch = Callable[[], Awaitable[bytes]]


class Unreadable(Exception):  # noqa: N818 - the state of a document
    """A key set or discovery document cannot be had or makes no sense."""


@dataclass(frozen=True, slots=True)
class Held:
    """The keys of the last successful fetch by key id; a key without one is under None."""

    keys: Mapping[str | None, RSAKey]
    since: float


class KeySet:
    """The keys that `fetch` finds, one fetch at a time.

    They are asked for again after 10 minutes, and at most every 30 s for an unknown key id. While the issuer is down
    the keys held serve for 24 hours. `clock` gives monotonic seconds.
    """

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._held: Held | None = None
        self._tried: float | None = None
        self._pending: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> RSAKey | None:
        """Return the key of that id, or without an id the only key there is; raises IssuerUnavailable."""
        age = self._age()
        if age > FRESH_FOR:
            started = self._start()
            # under traffic nobody waits; after a long silence the first caller does, for a key may have been withdrawn
            if age > KEPT_FOR or (started and age > 2 * FRESH_FOR):
                await self._done()
        key = self._lookup(kid)
        if key is None:
            self._start()
            await self._done()
            key = self._lookup(kid)
        if self._age() > KEPT_FOR:
            raise IssuerUnavailable("the issuer's keys are not available")
        return key

    async def close(self) -> None:
        """Give up a fetch that is under way."""
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.gather(self._pending, return_exceptions=True)

    def _age(self) -> float:
        return float("inf") if self._held is None else self._clock() - self._held.since

    def _lookup(self, kid: str | None) -> RSAKey | None:
        if self._held is None or self._age() > KEPT_FOR:
            return None
        keys = self._held.keys
        if kid is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(kid)

    def _start(self) -> bool:
        if self._pending is not None or not self._due():
            return False
        self._tried = self._clock()
        self._pending = asyncio.create_task(self._load())
        return True

    async def _done(self) -> None:
        if self._pending is not None:
            # shielded: one caller who leaves must not stop the fetch the others wait for
            await asyncio.shield(self._pending)

    def _due(self) -> bool:
        wait = FIRST_RETRY_AFTER if self._held is None else RETRY_AFTER
        return self._tried is None or self._clock() - self._tried >= wait

    async def _load(self) -> None:
        try:
            self._held = Held(read_keys(await self._fetch()), self._clock())
        except Unreadable:
            return  # the keys held so far stay
        finally:
            self._pending = None


def read_keys(document: bytes) -> dict[str | None, RSAKey]:
    """Return the RSA signature keys of a JWKS of at least 2,048 bits; other keys are passed over. Raises Unreadable."""
    entries = read_object(document).get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise Unreadable
    keys: dict[str | None, RSAKey] = {}
    for entry in entries:
        key = _key(entry)
        if key is not None:
            kid = entry.get("kid")
            keys.setdefault(kid if isinstance(kid, str) else None, key)
    if not keys:
        raise Unreadable
    return keys


def read_object(document: bytes) -> dict[str, Any]:
    """Return the JSON object that `document` holds; raises Unreadable."""
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(value, dict):
        raise Unreadable
    return value


def _key(entry: Any) -> RSAKey | None:
    if not isinstance(entry, dict) or entry.get("kty") != "RSA":
        return None
    if entry.get("use", "sig") != "sig" or entry.get("alg", "RS256") != "RS256":
        return None
    try:
        if not MIN_BITS <= base64_to_int(entry["n"]).bit_length() <= MAX_BITS:
            return None
        # only the public part: whatever else the document holds is not ours to know
        return RSAKey.import_key({"kty": "RSA", "n": entry["n"], "e": entry["e"]})
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None


def from_file(path: Path) -> Fetch:
    """Return a fetch of a local JWKS."""

    def read() -> bytes:
        try:
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError:
            raise Unreadable from None

    async def fetch() -> bytes:
        return _bounded(await asyncio.to_thread(read))

    return fetch


class Issuer:
    """Fetches the key set of an OpenID Connect issuer over HTTP: its own address, or found by discovery."""

    def __init__(self, issuer: str, jwks_url: str | None) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self) -> bytes:
        """Return the JWKS; raises Unreadable."""
        return await self._get(self._jwks_url or await self._discover())

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _discover(self) -> str:
        document = read_object(await self._get(self._issuer.rstrip("/") + "/.well-known/openid-configuration"))
        address = document.get("jwks_uri")
        # a document of another issuer must not bring its keys (OpenID Connect Discovery 4.3)
        if document.get("issuer") != self._issuer or not isinstance(address, str):
            raise Unreadable
        allowed = ("https://",) if self._issuer.startswith("https://") else ("https://", "http://")
        if not address.startswith(allowed):
            raise Unreadable
        return address

    async def _get(self, url: str) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        try:
            # a redirect could hand the choice of keys to another host
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status != 200:
                    raise Unreadable
                return _bounded(await _read(response.content))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            raise Unreadable from None


async def _read(content: aiohttp.StreamReader) -> bytes:
    parts = bytearray()
    async for chunk in content.iter_chunked(16_384):
        parts += chunk
        if len(parts) > MAX_BYTES:
            break
    return bytes(parts)


def _bounded(document: bytes) -> bytes:
    if len(document) > MAX_BYTES:
        raise Unreadable
    return document

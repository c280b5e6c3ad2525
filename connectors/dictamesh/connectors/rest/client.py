# SPDX-License-Identifier: Apache-2.0
"""One HTTP origin through aiohttp: bounded bodies, own redirects, faults in our words."""

import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal, Transient

MAX_BYTES = 16 * 1024 * 1024  # of all answers to one request, unpacked (S24)
MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGENT = "dictamesh"


@dataclass(slots=True)
class Budget:
    """Bytes that the answers to one request may still take."""

    left: int = MAX_BYTES

    def spend(self, size: int, place: str) -> None:
        """Take `size` bytes; `Terminal(TOO_LARGE)` where they are not there."""
        self.left -= size
        if self.left < 0:
            raise Terminal(Fault.TOO_LARGE, place=place)


@dataclass(frozen=True, slots=True)
class Answer:
    """A final answer: neither redirect nor failure of transport."""

    status: int
    body: bytes
    url: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes of the pool, and seconds for one call."""

    connections: int
    per_host: int
    timeout: float


class HttpClient:
    """Calls to one origin. `headers` go along with every call and never leave the origin."""

    def __init__(self, base: str, headers: Mapping[str, str], limits: Limits, tls: ssl.SSLContext | bool) -> None:
        self._base = URL(base, encoded=True)
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": _AGENT, **headers}
        self._limits = limits
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Prepare the pool."""
        if self._session is not None:
            return
        pool = aiohttp.TCPConnector(
            limit=self._limits.connections, limit_per_host=self._limits.per_host, keepalive_timeout=90, ssl=self._tls
        )
        self._session = aiohttp.ClientSession(
            connector=pool,
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=self._limits.timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Release the pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def join(self, current: str, link: str, place: str) -> str:
        """Resolve a link of the source; `Terminal(REFUSED)` where it leaves the origin."""
        try:
            joined = URL(current, encoded=True).join(URL(link, encoded=True))
            same = joined.origin() == self._base.origin()
        except ValueError:
            raise Terminal(Fault.INVALID_RESPONSE, place=place) from None
        if not same or joined.user is not None or joined.password is not None:
            raise Terminal(Fault.REFUSED, place=place)
        return str(joined.with_fragment(None))

    async def get(self, url: str, place: str, budget: Budget) -> Answer:
        """Read one address, following redirects within the origin. `place` names it without values."""
        for _ in range(MAX_REDIRECTS + 1):
            answer, location = await self._once(url, place, budget)
            if location is None:
                return answer
            url = self.join(url, location, place)
        raise Terminal(Fault.INVALID_RESPONSE, place=place)

    async def _once(self, url: str, place: str, budget: Budget) -> tuple[Answer, str | None]:
        if self._session is None:
            raise Terminal(Fault.CONNECTION_FAILED, place=place)
        try:
            async with self._session.get(URL(url, encoded=True), allow_redirects=False) as response:
                raise_for(response.status, response.headers.get("Retry-After"), place)
                if response.status in _REDIRECTS:
                    return Answer(response.status, b"", url), response.headers.get("Location", "")
                body = b"" if response.status >= 400 else await _body(response, place, budget)
                return Answer(response.status, body, url), None
        except SourceError:
            raise
        except TimeoutError:
            raise Transient(Fault.TIMEOUT, place=place) from None
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError):
            raise Terminal(Fault.CONNECTION_FAILED, place=place) from None
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError):
            raise Transient(Fault.CONNECTION_FAILED, place=place) from None
        except (aiohttp.ClientError, ValueError):
            raise Terminal(Fault.INVALID_RESPONSE, place=place) from None


def raise_for(status: int, retry_after: str | None, place: str) -> None:
    """Raise what may pass by itself: 429 and 5xx (S23)."""
    if status == 429 or status >= 500:
        fault = {429: Fault.RATE_LIMITED, 504: Fault.TIMEOUT}.get(status, Fault.SERVER_ERROR)
        raise Transient(fault, status=str(status), place=place, retry_after=seconds(retry_after))


def seconds(retry_after: str | None) -> float | None:
    """Read `Retry-After`, whole seconds or an HTTP date; None for anything else."""
    if retry_after is None:
        return None
    stripped = retry_after.strip()
    if stripped.isascii() and stripped.isdigit():
        return float(stripped[:9])
    try:
        when = parsedate_to_datetime(stripped)
    except ValueError:
        return None
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


async def _body(response: aiohttp.ClientResponse, place: str, budget: Budget) -> bytes:
    packing = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packing == "identity":
        chunks: list[bytes] = []
        async for chunk in response.content.iter_any():
            budget.spend(len(chunk), place)
            chunks.append(chunk)
        return b"".join(chunks)
    if packing not in {"gzip", "x-gzip", "deflate"}:
        raise Terminal(Fault.INVALID_RESPONSE, place=place)
    return await _unpacked(response, place, budget)


async def _unpacked(response: aiohttp.ClientResponse, place: str, budget: Budget) -> bytes:
    unpack = zlib.decompressobj(wbits=47)  # gzip and zlib alike
    chunks: list[bytes] = []
    packed = 0
    try:
        async for chunk in response.content.iter_any():
            packed += len(chunk)
            if packed > MAX_BYTES:
                raise Terminal(Fault.TOO_LARGE, place=place)
            # One byte more than is left tells a body that fits from one that does not, without unpacking the rest.
            chunks.append(unpack.decompress(chunk, budget.left + 1))
            budget.spend(len(chunks[-1]), place)
    except zlib.error:
        raise Terminal(Fault.INVALID_RESPONSE, place=place) from None
    if not unpack.eof:
        raise Terminal(Fault.INVALID_RESPONSE, place=place)
    return b"".join(chunks)

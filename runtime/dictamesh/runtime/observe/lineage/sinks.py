# SPDX-License-Identifier: Apache-2.0
"""Sinks of lineage events: an HTTP collector (Marquez, DataHub, any consumer of OpenLineage) and a file."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import orjson

from dictamesh.runtime.lineage.openlineage.events import Event
from dictamesh.runtime.observe.lineage.emitter import SinkFailed

ENDPOINT = "/api/v1/lineage"
_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
_PASSING = frozenset({408, 425, 429})


class HttpSink:
    """Sends each event to a collector by POST, as OpenLineage's HTTP transport does; `key` goes as a bearer token."""

    name = "http"

    def __init__(self, url: str, key: str | None = None) -> None:
        self._url = collector(url)
        self._headers = {"Content-Type": "application/json"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._session: aiohttp.ClientSession | None = None

    async def send(self, events: Sequence[Event]) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers=self._headers)
        for number, event in enumerate(events):
            status = await self._post(self._session, orjson.dumps(event.body), number)
            if status >= 500 or status in _PASSING:
                raise SinkFailed(f"the collector answered {status}", passing=True, sent=number)
            if status >= 300:
                raise SinkFailed(f"the collector answered {status}", passing=False, sent=number)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _post(self, session: aiohttp.ClientSession, body: bytes, number: int) -> int:
        try:
            # a redirect would show the key to another host
            async with session.post(self._url, data=body, allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise SinkFailed("the collector cannot be reached", passing=True, sent=number) from None


class FileSink:
    """Appends each event to a file as one line of JSON."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, events: Sequence[Event]) -> None:
        lines = b"".join(orjson.dumps(event.body) + b"\n" for event in events)
        try:
            await asyncio.to_thread(self._append, lines)
        except OSError as error:
            reason = f"the file cannot be written ({os.strerror(error.errno).lower() if error.errno else 'no reason'})"
            raise SinkFailed(reason, passing=True) from None

    async def close(self) -> None:
        pass

    def _append(self, lines: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(lines)


def collector(url: str) -> str:
    """Return where events are posted: the address itself, or OpenLineage's endpoint where it has no path."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=ENDPOINT)) if parts.path in {"", "/"} else url

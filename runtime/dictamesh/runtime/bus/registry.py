# SPDX-License-Identifier: Apache-2.0
"""A schema registry with Confluent's API (SR-1, SR-2): Confluent, Karapace, Redpanda, Apicurio."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from dictamesh.runtime.bus.tls import Fault, Files, Trust, probe, trust

_TYPE = "application/vnd.schemaregistry.v1+json"
_LARGEST = 8_388_608  # bytes of an answer
_REGISTRY = "events.registry"
_FAULTS = {
    401: Fault(_REGISTRY, "the schema registry does not accept these credentials", "see its username and password"),
    403: Fault(
        _REGISTRY, "the schema registry does not allow our user this", "let it read and write subjects and config"
    ),
}
_OTHER = Fault(_REGISTRY, "the schema registry refuses a schema", "see what it holds for the topic")
_NOT_FOUND = frozenset({40401, 40402, 40403})


class RegistryUnavailable(Exception):  # noqa: N818 - the name says what is the case
    """The registry does not answer, or not as one does; the text is ours."""


class RegistryRefused(Exception):  # noqa: N818 - likewise
    """The registry refuses: 409 an incompatible schema, 422 an invalid one, 401 or 403 us; 0: no trust by TLS."""

    def __init__(self, status: int, fault: Fault | None = None) -> None:
        self.fault = fault or _FAULTS.get(status, _OTHER)
        super().__init__(f"{self.fault} ({status})" if status else str(self.fault))
        self.status = status


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a subject."""

    id: int
    version: int
    schema: Any


@dataclass(slots=True)
class SchemaRegistry:
    """A client; `url` is the base of the API, `timeout` in seconds. Close it at the end."""

    url: str
    timeout: float = 5.0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Trust | None = None
    _session: aiohttp.ClientSession | None = field(default=None, init=False, repr=False)
    _schemas: dict[int, Any] = field(default_factory=dict, init=False, repr=False)

    async def latest(self, subject: str) -> Registered | None:
        """Return the newest version of a subject, if there is one."""
        return await self.version(subject, "latest")

    async def versions(self, subject: str) -> list[int]:
        """Return the versions of a subject, oldest first."""
        found = await self._ask("GET", f"/subjects/{_segment(subject)}/versions")
        return [] if found is None else [int(each) for each in found]

    async def version(self, subject: str, version: int | str) -> Registered | None:
        """Return one version of a subject, if there is one."""
        found = await self._ask("GET", f"/subjects/{_segment(subject)}/versions/{version}")
        if found is None:
            return None
        try:
            return Registered(int(found["id"]), int(found["version"]), orjson.loads(found["schema"]))
        except (KeyError, TypeError, ValueError):
            raise RegistryUnavailable("the schema registry's answer cannot be read") from None

    async def set_compatibility(self, subject: str, level: str) -> None:
        """Set how versions of a subject must fit one another."""
        await self._ask("PUT", f"/config/{_segment(subject)}", {"compatibility": level})

    async def register(self, subject: str, schema: Mapping[str, Any]) -> int:
        """Register a schema, or find the version that it is, and return its id."""
        text = orjson.dumps(schema).decode()
        found = await self._ask("POST", f"/subjects/{_segment(subject)}/versions", {"schema": text})
        try:
            return int(found["id"])
        except (KeyError, TypeError, ValueError):
            raise RegistryUnavailable("the schema registry's answer cannot be read") from None

    async def schema(self, schema_id: int) -> Any:
        """Return the schema of an id, None where there is none; an id never changes its schema."""
        if schema_id not in self._schemas:
            found = await self._ask("GET", f"/schemas/ids/{schema_id}")
            if found is None:
                return None
            try:
                self._schemas[schema_id] = orjson.loads(found["schema"])
            except (KeyError, TypeError, ValueError):
                raise RegistryUnavailable("the schema registry's answer cannot be read") from None
        return self._schemas[schema_id]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer, None for what is not found; raises RegistryUnavailable, RegistryRefused."""
        if self._session is None:
            headers = {"Accept": _TYPE, "Content-Type": _TYPE}
            if self.username is not None:
                headers["Authorization"] = _basic(self.username, self.password or "")
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.timeout), headers=headers)
        data = None if body is None else orjson.dumps(body)
        try:
            async with self._session.request(
                method,
                self.url.rstrip("/") + path,
                data=data,
                allow_redirects=False,
                ssl=self.tls.context if self.tls else True,
            ) as answer:
                return await _read(answer)
        except (TimeoutError, aiohttp.ClientError, OSError):
            raise await self._silent() from None

    async def _silent(self) -> RegistryUnavailable | RegistryRefused:
        """Why there is no answer; where TLS is why, somebody has to mend it."""
        host, port = URL(self.url).host, URL(self.url).port
        if URL(self.url).scheme == "https" and host is not None and port is not None:
            fault = await asyncio.to_thread(probe, host, port, self.tls or trust(Files("")), _REGISTRY)
            if fault is not None:
                return RegistryRefused(0, fault)
        return RegistryUnavailable("the schema registry does not answer")


async def _read(answer: aiohttp.ClientResponse) -> Any:
    text = await answer.content.read(_LARGEST + 1)
    while len(text) <= _LARGEST and (more := await answer.content.read(_LARGEST + 1)):
        text += more
    if len(text) > _LARGEST:
        raise RegistryUnavailable("the schema registry's answer is too long")
    try:
        body = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        body = None
    if answer.status == 404 and isinstance(body, dict) and body.get("error_code") in _NOT_FOUND:
        return None
    if answer.status in {401, 403, 409, 422}:
        raise RegistryRefused(answer.status)
    if answer.status != 200:
        raise RegistryUnavailable(f"the schema registry answers {answer.status}")
    return body


def _basic(username: str, password: str) -> str:
    """Credentials as RFC 7617 writes them, in UTF-8."""
    return f"Basic {b64encode(f'{username}:{password}'.encode()).decode('ascii')}"


def _segment(subject: str) -> str:
    return quote(subject, safe="")

# SPDX-License-Identifier: Apache-2.0
"""Lineage over HTTP: read it, read the events sent, send events (`/api/v1/catalog/lineage`, `/api/v1/lineage`)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import orjson
from aiohttp import web

from dictamesh.runtime.catalog.data_lineage.events import kept_events
from dictamesh.runtime.catalog.data_lineage.ingest import take_in
from dictamesh.runtime.catalog.data_lineage.walking import DEFAULT_DEPTH, DIRECTIONS, lineage
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.queries import entity_types
from dictamesh.runtime.catalog.routes import (
    Access,
    RequestRefused,
    answered,
    known_parameters,
    number,
    plain_text,
)
from dictamesh.runtime.lineage.openlineage.observation import Observation
from dictamesh.runtime.lineage.openlineage.reading import NotAnEvent, read_event
from dictamesh.runtime.lineage.openlineage.validation import moment

BODY = 8 * 1024 * 1024  # bytes of a request; events of Spark carry whole plans
EVENTS = 1000  # of one request
DEFAULT_LIMIT = 50
LARGEST_LIMIT = 500
_TOLD = 50  # findings of one answer
_STATES = frozenset({"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"})
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Taking(Generic[P]):
    """How events of others are taken in; each is asked once per request, for a reload may change the answer.

    ``counted`` is told what became of how many: taken, known, refused.
    """

    mesh: Callable[[], str]
    may_write: Callable[[P], bool]
    strict: Callable[[], bool]
    counted: Callable[[str, int], None] = lambda _outcome, _count: None


def lineage_routes(pool: Pool, access: Access[P], taking: Taking[P]) -> list[web.RouteDef]:
    """Route definitions for ``app.add_routes``; what the principal may not know of is answered like what is not there.

    ``GET /api/v1/catalog/lineage/{address}`` walks from an address (``direction``, ``depth``, ``as_of``).
    ``GET /api/v1/lineage/events`` gives the last events sent, newest first. ``POST /api/v1/lineage`` takes an event of
    OpenLineage, or an array of them, all or none.
    """

    async def walked(request: web.Request, principal: P) -> object:
        known_parameters(request, frozenset({"direction", "depth", "as_of"}))
        address = plain_text(request.match_info["address"])
        direction = next((each for each in DIRECTIONS if each == request.query.get("direction", "both")), None)
        if direction is None:
            raise RequestRefused(
                "INVALID_REQUEST", f"direction is one of {', '.join(DIRECTIONS)}", parameter="direction"
            )
        depth, as_of = number(request, "depth", DEFAULT_DEPTH), _instant(request)
        found = await lineage(pool, address, direction, depth, as_of, hidden=await hidden_from(principal))
        return found.as_json()

    async def events(request: web.Request, principal: P) -> object:
        known_parameters(request, frozenset({"limit", "offset", "type"}))
        limit, offset = number(request, "limit", DEFAULT_LIMIT), number(request, "offset", 0)
        if not 1 <= limit <= LARGEST_LIMIT:
            raise RequestRefused("INVALID_REQUEST", f"limit must be between 1 and {LARGEST_LIMIT}", parameter="limit")
        wanted = request.query.get("type")
        if wanted is not None and wanted not in _STATES:
            raise RequestRefused("INVALID_REQUEST", f"type is one of {', '.join(sorted(_STATES))}", parameter="type")
        hidden = await hidden_from(principal)
        return await kept_events(pool, limit, offset, event_type=wanted, hidden=hidden)

    async def take(request: web.Request, principal: P) -> object:
        known_parameters(request, frozenset())
        if not taking.may_write(principal):
            raise RequestRefused("FORBIDDEN", "lineage events are taken from callers with a role of lineage.writers")
        given = await _given(request)
        try:
            seen = await asyncio.to_thread(_read, given, datetime.now(UTC), strict=taking.strict())
        except RequestRefused:
            taking.counted("refused", len(given))
            raise
        taken = await take_in(pool, taking.mesh(), seen)
        taking.counted("taken", taken.new)
        taking.counted("known", taken.known)
        gaps = [{"event": number, "missing": each.gaps} for number, each in enumerate(seen) if each.gaps]
        return {"taken": taken.new, "known": taken.known, "incomplete": gaps[:_TOLD]}

    async def hidden_from(principal: P) -> list[str]:
        return [name for name in await entity_types(pool) if not access.visible(principal, name)]

    return [
        web.get("/api/v1/catalog/lineage/{address:.+}", answered(access, walked)),
        web.get("/api/v1/lineage/events", answered(access, events)),
        web.post("/api/v1/lineage", answered(access, take)),
    ]


def _instant(request: web.Request) -> datetime | None:
    text = request.query.get("as_of")
    if text is None:
        return None
    found = moment(text.replace(" ", "+"))  # a plus sign that was not encoded
    if found is None:
        raise RequestRefused("INVALID_REQUEST", "as_of is a time of RFC 3339 with its zone", parameter="as_of")
    return found


async def _given(request: web.Request) -> list[Any]:
    """The events of a request's body, one or an array."""
    body = bytearray()
    try:
        async for chunk in request.content.iter_chunked(64 * 1024):
            body += chunk
            if len(body) > BODY:
                raise RequestRefused("INVALID_REQUEST", f"a body has {BODY} bytes at most", status=413)
    except web.RequestPayloadError:
        raise RequestRefused("INVALID_REQUEST", "the body cannot be read") from None
    try:
        value = orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        raise RequestRefused("INVALID_REQUEST", "the body is not JSON") from None
    events = value if isinstance(value, list) else [value]
    if not 1 <= len(events) <= EVENTS:
        raise RequestRefused("INVALID_REQUEST", f"a request has 1 to {EVENTS} events")
    return events


def _read(given: list[Any], received: datetime, *, strict: bool) -> list[Observation]:
    seen: list[Observation] = []
    faults: list[dict[str, object]] = []
    for index, event in enumerate(given):
        try:
            seen.append(read_event(event, received, strict=strict))
        except NotAnEvent as refused:
            faults += [{"event": index, "path": each.path, "message": each.message} for each in refused.findings]
    if faults:
        raise RequestRefused("INVALID_REQUEST", "an event is not as OpenLineage has it", findings=faults[:_TOLD])
    return seen

# SPDX-License-Identifier: Apache-2.0
"""The catalog over HTTP: ``/api/v1/catalog/...`` for authenticated principals (MC-10 to MC-13, S22)."""

import functools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar
from uuid import uuid4

import orjson
from aiohttp import web

from dictamesh.runtime.catalog.errors import CatalogUnavailable, EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.queries import (
    DEFAULT_LIMIT,
    CatalogEntity,
    EntityFilter,
    Locations,
    Page,
    entity_types,
    get_entity,
    list_entities,
)

_LOG = logging.getLogger("dictamesh.catalog")
_STATUSES = ("active", "deprecated", "archived")
_LONGEST_ID = 1024
P = TypeVar("P")
Code = Literal[
    "INVALID_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "ENTITY_NOT_FOUND", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE"
]
STATUS: dict[Code, int] = {
    "INVALID_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "ENTITY_NOT_FOUND": 404,
    "INTERNAL_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
}


class RequestRefused(Exception):  # noqa: N818 - the name says what is the case
    """An answer other than 200; ``authenticate`` raises it with ``UNAUTHORIZED`` or ``FORBIDDEN``."""

    def __init__(self, code: Code, message: str, *, status: int | None = None, **details: object) -> None:
        super().__init__(code, message)
        self.code: Code = code
        self.message = message
        self.status = status or STATUS[code]
        self.details = details


@dataclass(frozen=True, slots=True)
class Access(Generic[P]):
    """How the catalog asks who calls and what they may see.

    ``authenticate`` gives the principal, or None for anonymous, or raises ``RequestRefused``; ``visible`` says whether
    the principal may know of an entity type; ``trace_id`` names the request in error bodies.
    """

    authenticate: Callable[[web.Request], Awaitable[P | None]]
    visible: Callable[[P, str], bool]
    trace_id: Callable[[web.Request], str] = lambda _request: uuid4().hex


def routes(locations: Locations, access: Access[P]) -> list[web.RouteDef]:
    """Route definitions for ``app.add_routes``; the answers are JSON.

    ``GET entities`` lists with filters, ``GET entities/{entity_type}`` gives one, ``GET locate?type=&id=`` says where a
    record is found. What the principal may not see is answered like what does not exist.
    """
    pool = locations.pool

    async def entities(request: web.Request, principal: P) -> object:
        limit, offset = number(request, "limit", DEFAULT_LIMIT), number(request, "offset", 0)
        filters = _filters(request)
        seen = {name for name in await entity_types(pool) if access.visible(principal, name)}
        return _page(await list_entities(pool, filters, limit, offset, types=seen))

    async def entity(request: web.Request, principal: P) -> object:
        known_parameters(request, frozenset())
        return _if_visible(access, principal, await get_entity(pool, plain_text(request.match_info["entity_type"])))

    async def locate(request: web.Request, principal: P) -> object:
        known_parameters(request, frozenset({"type", "id"}))
        entity_type, record = _required(request, "type"), _required(request, "id")
        if not access.visible(principal, entity_type):
            raise EntityNotFound(entity_type)
        return await locations.locate(entity_type, record)

    prefix = "/api/v1/catalog"
    return [
        web.get(f"{prefix}/entities", answered(access, entities)),
        web.get(f"{prefix}/entities/{{entity_type}}", answered(access, entity)),
        web.get(f"{prefix}/locate", answered(access, locate)),
    ]


def answered(
    access: Access[P], handler: Callable[[web.Request, P], Awaitable[object]]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Turn a function from a request and its principal to JSON values into a handler; refusals read as MC-13 has it."""

    @functools.wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        trace = access.trace_id(request)
        try:
            principal = await access.authenticate(request)
            if principal is None:
                raise RequestRefused("UNAUTHORIZED", "the catalog needs an authenticated principal")
            return _json(200, await handler(request, principal))
        except RequestRefused as refused:
            return _error(refused, trace)
        except InvalidRequest as error:
            return _error(RequestRefused("INVALID_REQUEST", str(error)), trace)
        except EntityNotFound:
            return _error(RequestRefused("ENTITY_NOT_FOUND", "no such entity"), trace)
        except CatalogUnavailable as error:
            _LOG.warning("catalog request failed: %s", error)
            return _error(RequestRefused("SERVICE_UNAVAILABLE", "the catalog is not available"), trace)
        except Exception as error:  # noqa: BLE001 - the boundary: nothing foreign leaves the process (S26)
            _LOG.error("catalog request failed: %s", type(error).__name__)
            return _error(RequestRefused("INTERNAL_ERROR", "internal error"), trace)

    return answer


def _json(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


def _error(refused: RequestRefused, trace: str) -> web.Response:
    error = {"code": refused.code, "message": refused.message, "details": refused.details, "trace_id": trace}
    response = _json(refused.status, {"error": error})
    if refused.code == "UNAUTHORIZED":
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _filters(request: web.Request) -> EntityFilter:
    names = frozenset({"entity_type", "domain", "source_system", "status", "contains_pii"})
    known_parameters(request, names | {"limit", "offset"})
    status = request.query.get("status")
    if status is not None and status not in _STATUSES:
        raise RequestRefused("INVALID_REQUEST", f"status is one of {', '.join(_STATUSES)}", parameter="status")
    pii = request.query.get("contains_pii")
    if pii not in {None, "true", "false"}:
        raise RequestRefused("INVALID_REQUEST", "contains_pii is true or false", parameter="contains_pii")
    texts = {name: request.query.get(name) for name in ("entity_type", "domain", "source_system")}
    return EntityFilter(**texts, status=status, contains_pii=None if pii is None else pii == "true")


def known_parameters(request: web.Request, names: frozenset[str]) -> None:
    """Refuse query parameters that are none of `names`."""
    for name, value in request.query.items():
        if name not in names:
            raise RequestRefused("INVALID_REQUEST", "unknown query parameter", parameter=name[:64])
        plain_text(value)


def plain_text(value: str) -> str:
    """The value, if PostgreSQL can hold it: no NUL, no broken UTF-8."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise RequestRefused("INVALID_REQUEST", "a value holds characters that no name has")
    return value


def number(request: web.Request, name: str, default: int) -> int:
    """Return a query parameter as a whole number."""
    given = request.query.get(name)
    if given is None:
        return default
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise RequestRefused("INVALID_REQUEST", f"{name} is a whole number", parameter=name)
    return int(given)


def _required(request: web.Request, name: str) -> str:
    value = request.query.get(name, "")
    if not 0 < len(value) <= _LONGEST_ID:
        raise RequestRefused("INVALID_REQUEST", f"{name} is needed, {_LONGEST_ID} characters at most", parameter=name)
    return value


def _if_visible(access: Access[P], principal: P, entity: CatalogEntity) -> CatalogEntity:
    if not access.visible(principal, entity.entity_type):
        raise EntityNotFound(entity.entity_type)
    return entity


def _page(page: Page) -> dict[str, object]:
    return {"items": page.items, "total": page.total, "limit": page.limit, "offset": page.offset}

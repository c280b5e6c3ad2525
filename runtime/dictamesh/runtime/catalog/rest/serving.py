# SPDX-License-Identifier: Apache-2.0
"""Routes as aiohttp serves them, and the one middleware that turns every failure into the body of MC-13."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, TypeAdapter, ValidationError

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.errors import CatalogUnavailable, EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.rest.faults import Fault, FaultBody, RequestRefused
from dictamesh.runtime.catalog.rest.parameters import Parameter
from dictamesh.runtime.catalog.rest.route import PREFIX, AnyJson, Call, Route
from dictamesh.runtime.catalog.sight import Sight
from dictamesh.runtime.governance.audit import AuditUnavailable
from dictamesh.runtime.observe import trace
from dictamesh.runtime.observe.faults import exception_fields

_LOG = logging.getLogger("dictamesh.catalog")
LARGEST_BODY = 100_000  # bytes
PATIENCE = 30.0  # seconds for one body
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_FAULT = TypeAdapter(FaultBody)

Authenticate = Callable[[web.Request], Awaitable[Sight | None]]
"""Who calls: the caller's eyes, None for anonymous; raises ``RequestRefused`` with UNAUTHORIZED or FORBIDDEN."""


def serve(routes: Iterable[Route], catalog: Catalog, authenticate: Authenticate) -> list[web.RouteDef]:
    """Route definitions for ``app.add_routes``; the application needs the middleware ``faults`` as well."""
    return [web.route(route.method, route.pattern, _handler(route, catalog, authenticate)) for route in routes]


def faults() -> Middleware:
    """The middleware that answers for every failure below ``/api/v1``, unknown paths and methods included."""

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(f"{PREFIX}/"):
            return await handler(request)
        with trace.within(trace.begin(request.headers.get("traceparent"))) as span:
            try:
                return await handler(request)
            except Exception as error:  # noqa: BLE001 - the boundary: nothing foreign leaves the process (S26)
                return _written(_refusal(error), span.trace_id, error)

    return answered


def _refusal(error: Exception) -> RequestRefused:
    match error:
        case RequestRefused():
            return error
        case InvalidRequest():
            return RequestRefused("INVALID_REQUEST", str(error))
        case EntityNotFound():
            return RequestRefused("ENTITY_NOT_FOUND", "no such entity")
        case CatalogUnavailable():
            _LOG.warning("a catalog request failed: %s", error)
            return RequestRefused("SERVICE_UNAVAILABLE", "the catalog is not available")
        case AuditUnavailable():
            return RequestRefused("SERVICE_UNAVAILABLE", "the audit log cannot be written")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return RequestRefused("INVALID_REQUEST", f"this path takes {allowed}", status=405)
        case web.HTTPNotFound():
            return RequestRefused("ENTITY_NOT_FOUND", "no such path")
        case web.HTTPException() if error.status < 500:
            return RequestRefused("INVALID_REQUEST", "the request is not valid", status=error.status)
    _LOG.error("a catalog request failed", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
    return RequestRefused("INTERNAL_ERROR", "internal error")


def _written(refused: RequestRefused, trace_id: str, cause: Exception) -> web.Response:
    fault = Fault(refused.code, refused.message, refused.details, trace_id)
    response = _json(refused.status, _FAULT.dump_json(FaultBody(fault)))
    if refused.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="dictamesh"'
    if isinstance(cause, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(cause.allowed_methods))
    if refused.status == 413:
        response.force_close()  # what is left of the body is not read
    return response


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json", charset="utf-8", headers=_HEADERS)


def _handler(route: Route, catalog: Catalog, authenticate: Authenticate) -> Handler:
    writer: TypeAdapter[Any] = TypeAdapter(route.answer)

    async def handle(request: web.Request) -> web.StreamResponse:
        sight = await authenticate(request)
        if sight is None:
            raise RequestRefused("UNAUTHORIZED", "the catalog needs an authenticated principal")
        values = _values(route, request)
        current = trace.CURRENT.get()
        call = Call(catalog, sight, current.trace_id if current else "", values)
        route.admit(call)
        if route.body is not None:
            call = replace(call, body=await _body(route.body, request))
        answer = await route.handler(call)
        return _json(route.status, writer.dump_json(answer, by_alias=True))

    return handle


def _values(route: Route, request: web.Request) -> dict[str, Any]:
    named = {each.name: each for each in route.parameters}
    for name in request.query:
        if name not in named or named[name].place == "path":
            raise RequestRefused("INVALID_REQUEST", "unknown query parameter", parameter=name[:64])
    return {name: _value(each, request) for name, each in named.items()}


def _value(parameter: Parameter, request: web.Request) -> Any:
    if parameter.place == "path":
        given = [request.match_info[parameter.name]]
    else:
        given = request.query.getall(parameter.name, [])
    if not given:
        if parameter.required:
            raise _fault(parameter, f"{parameter.name} is needed: {parameter.told}")
        return parameter.default
    if len(given) > 1 and not parameter.many:
        raise _fault(parameter, f"{parameter.name} stands more than once")
    try:
        read = tuple(parameter.read(each) for each in given)
    except ValueError:
        raise _fault(parameter, f"{parameter.name} is {parameter.told}") from None
    return read if parameter.many else read[0]


def _fault(parameter: Parameter, text: str) -> RequestRefused:
    return RequestRefused("INVALID_REQUEST", text, parameter=parameter.name)


async def _body(kind: type[BaseModel] | AnyJson, request: web.Request) -> Any:
    if isinstance(kind, AnyJson):
        return _value_of(await _bytes(request, kind.most))
    if request.content_type != "application/json":
        raise RequestRefused("INVALID_REQUEST", "send the body as application/json", status=415)
    try:
        return kind.model_validate_json(await _bytes(request, LARGEST_BODY))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:256] or "body"
    raise RequestRefused("INVALID_REQUEST", "the body does not fit its description", field=place)


async def _bytes(request: web.Request, most: int) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            while len(body) <= most and (chunk := await request.content.readany()):
                body += chunk
    except TimeoutError:
        raise RequestRefused("INVALID_REQUEST", "the body did not arrive in time", status=408) from None
    except web.RequestPayloadError:
        raise RequestRefused("INVALID_REQUEST", "the body cannot be read", field="body") from None
    if len(body) > most:
        raise RequestRefused("INVALID_REQUEST", f"the body is larger than {most} bytes", status=413)
    return bytes(body)


def _value_of(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestRefused("INVALID_REQUEST", "the body is not JSON", field="body") from None

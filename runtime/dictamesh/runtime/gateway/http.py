# SPDX-License-Identifier: Apache-2.0
"""GraphQL over HTTP at `/graphql` (GW-5, S10, S21)."""

import logging
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

from dictamesh.runtime.gateway import cors
from dictamesh.runtime.gateway.contract import RequestInfo
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.page import page
from dictamesh.runtime.gateway.requests import (
    JSON,
    GraphqlRequest,
    bad_request,
    from_body,
    from_query,
    media_type,
    wants_page,
)
from dictamesh.runtime.gateway.serving import Gateway, Response, Serving, answer, observe, refusal
from dictamesh.runtime.gateway.subscriptions import sse, websocket
from dictamesh.runtime.gateway.subscriptions.running import Caller, Subscriptions
from dictamesh.runtime.gateway.subscriptions.sse import wants_events
from dictamesh.runtime.gateway.subscriptions.websocket import wants_websocket
from dictamesh.runtime.gateway.writing import write
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.refusals import PurposeRefused, Unauthenticated
from dictamesh.runtime.observe import trace
from dictamesh.runtime.observe.faults import exception_fields

PATH = "/graphql"

_LOG = logging.getLogger(__name__)
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def lasts(request: web.Request) -> bool:
    """Say whether a request is answered for as long as its client stays."""
    return request.path == PATH and (wants_websocket(request) or wants_events(request.headers.get("Accept")))


def routes(gateway: Gateway, subscriptions: Subscriptions | None = None) -> list[web.RouteDef]:
    """Return the routes of the gateway.

    Run the application with `handler_cancellation=True`, so that a client that goes away cancels its operation (S23).
    """

    async def post(request: web.Request) -> web.StreamResponse:
        if subscriptions is not None and lasts(request):
            return await _streamed(subscriptions, request)
        return await _respond(gateway.current, request)

    async def get(request: web.Request) -> web.StreamResponse:
        if subscriptions is not None and lasts(request):
            return await (websocket.serve if wants_websocket(request) else _streamed)(subscriptions, request)
        current = gateway.current
        if current.settings.page and "query" not in request.query and wants_page(request.headers.get("Accept")):
            return web.Response(body=page().body, headers=dict(page().headers))
        return await _respond(current, request)

    async def options(request: web.Request) -> web.StreamResponse:
        allowed = cors.preflight(gateway.current.settings.cors, request.headers.get("Origin"))
        return web.Response(status=204, headers={"Allow": "GET, POST, OPTIONS", **allowed})

    return [web.post(PATH, post), web.get(PATH, get, allow_head=False), web.options(PATH, options)]


async def _respond(current: Serving, request: web.Request) -> web.StreamResponse:
    with trace.within(trace.begin(request.headers.get("traceparent"))) as span:
        info = RequestInfo(span.trace_id, span.span_id)
        media = media_type(request.headers.get("Accept"))
        well_formed = False
        try:
            if media is None:
                raise bad_request("Accept application/graphql-response+json or application/json.", 406)
            principal = await _principal(current, request)
            asked = await _asked(current, request)
            well_formed = True
            told = replace(info, explain=asked.explain)
            response = await answer(current, asked.query, asked.variables, asked.operation_name, principal, told)
        except GatewayError as error:
            response = refusal(error, info)
            observe(current, response, 0.0)
        return _written(current, request, response, media or JSON, info, well_formed=well_formed)


async def _streamed(subscriptions: Subscriptions, request: web.Request) -> web.StreamResponse:
    current = subscriptions.gateway.current
    with trace.within(trace.begin(request.headers.get("traceparent"))) as span:
        info = RequestInfo(span.trace_id, span.span_id, "sse")
        try:
            caller = Caller(request.headers.copy(), await _principal(current, request), current)
            asked = await _asked(current, request)
        except GatewayError as error:
            response = refusal(error, info)
            observe(current, response, 0.0)
            return _written(current, request, response, JSON, info, well_formed=False)
        headers = {**_HEADERS, **cors.headers(current.settings.cors, request.headers.get("Origin"))}
        return await sse.serve(subscriptions, request, asked, caller, info, headers)


async def _asked(current: Serving, request: web.Request) -> GraphqlRequest:
    limit = current.settings.limits.body
    return await from_body(request, limit) if request.method == "POST" else from_query(request, limit)


async def _principal(current: Serving, request: web.Request) -> Principal:
    fault: GatewayError
    try:
        return await current.authenticate(request.headers)
    except Unauthenticated as error:
        fault = GatewayError("UNAUTHENTICATED", _sentence(error.reason))
    except PurposeRefused as error:
        fault = GatewayError("FORBIDDEN", _sentence(error.reason))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, its text may quote credentials (S26)
        _LOG.error("a caller could not be authenticated", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
        fault = GatewayError("INTERNAL_ERROR")
    raise fault


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _written(
    current: Serving, request: web.Request, response: Response, media: str, info: RequestInfo, *, well_formed: bool
) -> web.StreamResponse:
    status = response.status
    if media == JSON and well_formed and status < 429:
        status = 200  # what old clients expect of a request that is GraphQL over HTTP
    try:
        body = write(response.body)
    except ValueError as error:
        _LOG.error("an answer could not be written", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
        status, body = 500, write(refusal(GatewayError("INTERNAL_ERROR"), info).body)
    written = web.Response(status=status, body=body, headers=_headers(current, request, media, status))
    if status in {408, 413, 415}:
        written.force_close()  # what is left of the body is not read
    return written


def _headers(current: Serving, request: web.Request, media: str, status: int) -> Mapping[str, str]:
    headers = {"Content-Type": f"{media}; charset=utf-8", **_HEADERS}
    headers |= cors.headers(current.settings.cors, request.headers.get("Origin"))
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="dictamesh"'
    return headers

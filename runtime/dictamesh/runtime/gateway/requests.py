# SPDX-License-Identifier: Apache-2.0
"""Reads GraphQL requests out of HTTP by the GraphQL-over-HTTP specification, within bounds."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from dictamesh.runtime.gateway.errors import GatewayError

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
PATIENCE = 30.0
"""Seconds for one body."""


@dataclass(frozen=True, slots=True)
class GraphqlRequest:
    """The parameters of a request, of the right types."""

    query: str
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None
    explain: bool = False


def bad_request(text: str, status: int = 400) -> GatewayError:
    """Return the error for a request that is not GraphQL over HTTP."""
    return GatewayError("VALIDATION_ERROR", text, http_status=status)


def media_type(accept: str | None) -> str | None:
    """Return the media type to answer with; None when the caller accepts neither of ours.

    Without a preference, and for `*/*`, it is `application/json`, as the specification asks of servers that know old
    clients.
    """
    if accept is None or not accept.strip():
        return JSON
    best: tuple[float, int, str] | None = None
    for position, part in enumerate(accept.lower().split(",")):
        kind, quality = _weighed(part)
        answer = {GRAPHQL: GRAPHQL, JSON: JSON, "application/*": JSON, "*/*": JSON}.get(kind)
        if answer and quality > 0 and (best is None or (quality, -position) > best[:2]):
            best = (quality, -position, answer)
    return best[2] if best else None


def wants_page(accept: str | None) -> bool:
    """Say whether a browser navigates here: `text/html` stands in the Accept header."""
    return any(_weighed(part)[0] == "text/html" and _weighed(part)[1] > 0 for part in (accept or "").lower().split(","))


def _weighed(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip() for piece in part.split(";"))
    quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
    try:
        return kind, float(quality)
    except ValueError:
        return kind, 0.0


async def from_body(request: web.Request, limit: int) -> GraphqlRequest:
    """Read a POST request; the body is counted while it is read, whatever its headers say.

    Raises GatewayError with 400, 408, 413 (LIMIT_EXCEEDED) or 415.
    """
    if request.content_type != JSON or "Content-Type" not in request.headers:
        raise bad_request(f"Send the request as {JSON}.", 415)
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise bad_request("Send the request in UTF-8.", 415)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise bad_request("Send the request without a content encoding.", 415)
    return parameters(_json(await _body(request, limit), "The request body"))


async def _body(request: web.Request, limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise bad_request("The request body did not arrive in time.", 408) from None
    return bytes(body)


def _too_large(limit: int) -> GatewayError:
    return GatewayError("LIMIT_EXCEEDED", f"The request body is larger than {limit} bytes.", http_status=413)


def from_query(request: web.Request, limit: int) -> GraphqlRequest:
    """Read a GET request, whose `variables` and `extensions` are JSON texts; raises GatewayError with 400 or 413."""
    if len(request.raw_path) > limit:
        raise _too_large(limit)
    found: dict[str, Any] = {}
    for name in ("query", "operationName", "variables", "extensions"):
        given = request.query.getall(name, [])
        if len(given) > 1:
            raise bad_request(f"The parameter {name} stands more than once in the address.")
        if given:
            found[name] = given[0]
    for name in ("variables", "extensions"):
        if name in found:
            found[name] = _json(found[name].encode(errors="replace"), f"The parameter {name}")
    return parameters(found)


def _json(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    raise bad_request(f"{what} is not JSON.")  # outside: the cause would carry the text


def parameters(body: Any) -> GraphqlRequest:
    """Check the parameters of a request; raises GatewayError."""
    if isinstance(body, list):
        raise bad_request("Batches are not served; send one operation per request.")
    if not isinstance(body, dict):
        raise bad_request("The request body is a JSON object.")
    query = body.get("query")
    if not isinstance(query, str):
        raise bad_request("The parameter query is required and is a string.")
    _optional(body, "operationName", str, "a string")
    _optional(body, "variables", dict, "an object")
    _optional(body, "extensions", dict, "an object")
    explain = (body.get("extensions") or {}).get("explain") is True
    return GraphqlRequest(query, body.get("variables"), body.get("operationName"), explain)


def _optional(body: Mapping[str, Any], name: str, kind: type, words: str) -> None:
    if body.get(name) is not None and not isinstance(body[name], kind):
        raise bad_request(f"The parameter {name} is {words} or null.")

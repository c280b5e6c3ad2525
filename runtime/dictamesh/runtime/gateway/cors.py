# SPDX-License-Identifier: Apache-2.0
"""Cross-origin requests by the settings of the mesh: none unless an origin is named."""

from collections.abc import Mapping

from dictamesh.specs.model.mesh import Cors

ALLOWED_HEADERS = "Content-Type, Authorization, X-API-Key, X-Purpose, traceparent"


def headers(settings: Cors, origin: str | None) -> dict[str, str]:
    """Return the headers of an answer to `origin`, None where the request names none.

    The origin `*` allows every origin, and then never with credentials.
    """
    if not settings.origins:
        return {}
    answer = {"Vary": "Origin"}
    if origin is None:
        return answer
    if origin in settings.origins:
        answer["Access-Control-Allow-Origin"] = origin
        if settings.credentials:
            answer["Access-Control-Allow-Credentials"] = "true"
    elif "*" in settings.origins:
        answer["Access-Control-Allow-Origin"] = "*"
    return answer


def preflight(settings: Cors, origin: str | None) -> Mapping[str, str]:
    """Return the headers of the answer to a preflight request; an origin that is not allowed gets no permission."""
    answer = headers(settings, origin)
    if "Access-Control-Allow-Origin" in answer:
        answer["Access-Control-Allow-Methods"] = "GET, POST"
        answer["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        answer["Access-Control-Max-Age"] = str(int(settings.max_age))
    return answer


def same_or_allowed(settings: Cors, origin: str | None, host: str) -> bool:
    """Say whether a page of `origin` may open a WebSocket: browsers ask nobody for leave before they do."""
    if origin is None or "*" in settings.origins or origin in settings.origins:
        return True
    return origin.partition("://")[2].lower() == host.lower()

# SPDX-License-Identifier: Apache-2.0
"""Server options turned into a client: address, headers, credentials, TLS (AD-13)."""

import base64
import re
import ssl
from pathlib import Path
from urllib.parse import quote, urlsplit

from dictamesh.connectors.rest.client import HttpClient, Limits
from dictamesh.connectors.rest.options import ApiKeyAuth, Auth, BasicAuth, BearerAuth, RestServer, Tls
from dictamesh.connectors.sdk.errors import Fault, Terminal
from dictamesh.connectors.sdk.protocol import Context

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, field names
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def http_client(options: RestServer, context: Context) -> HttpClient:
    """Build the client; `Terminal(INVALID_CONFIG)` for an address or a header that no request can carry."""
    _check_address(options.url, context)
    headers = {**options.headers, **_auth_headers(options.auth)}
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Terminal(Fault.INVALID_CONFIG, place=f"{context.server}: header {name!r}")
    limits = Limits(options.max_connections, options.max_connections_per_host, context.attempt_timeout)
    return HttpClient(options.url, headers, limits, _tls(options.tls, context))


def _check_address(url: str, context: Context) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise Terminal(Fault.INVALID_CONFIG, place=f"{context.server}: url")


def _auth_headers(auth: Auth) -> dict[str, str]:
    match auth:
        case BasicAuth():
            pair = f"{auth.username}:{auth.password}".encode()
            return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        case BearerAuth():
            return {"Authorization": f"Bearer {auth.token}"}
        case ApiKeyAuth() if auth.query is None:
            return {auth.header or "X-API-Key": auth.key}
        case _:
            return {}


def with_key(auth: Auth, url: str) -> str:
    """Add the API key to the query, where it belongs there and is not there yet."""
    if not isinstance(auth, ApiKeyAuth) or auth.query is None:
        return url
    name = quote(auth.query, safe="")
    path, _, query = url.partition("?")
    if any(pair.partition("=")[0] == name for pair in query.split("&")):
        return url
    return f"{path}?{query}&{name}={quote(auth.key, safe='')}" if query else f"{path}?{name}={quote(auth.key, safe='')}"


def _tls(options: Tls, context: Context) -> ssl.SSLContext | bool:
    if not options.verify:
        return False
    if options.ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(context.folder / Path(options.ca)))
    except (OSError, ssl.SSLError):
        raise Terminal(Fault.INVALID_CONFIG, place=f"{context.server}: tls.ca") from None

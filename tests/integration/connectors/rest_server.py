# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server on loopback that speaks several REST dialects over the same rows."""

import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Served:
    """A running server: its address, and the requests it saw as (raw path with query, headers)."""

    url: str = ""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    """Serve every path with `handler` while the context lasts."""
    served = Served()

    async def handle(request: web.Request) -> web.StreamResponse:
        served.seen.append((request.raw_path, dict(request.headers)))
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    served.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await runner.cleanup()


def body(document: object, status: int = 200, **headers: str) -> web.Response:
    return web.Response(
        body=json.dumps(document).encode(), status=status, content_type="application/json", headers=headers
    )


def directus(rows: list[dict[str, object]]) -> Handler:
    """Offset paging, filters, sort and fields as Directus has them; keys are `id`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        tail = request.path.removeprefix("/items/customers").strip("/")
        if tail:
            found = [row for row in rows if row["id"] == tail]
            return body({"data": found[0]}) if found else body({"errors": []}, 403)
        kept = [row for row in rows if _passes(row, dict(request.query))]
        for key in reversed((request.query.get("sort") or "id").split(",")):
            name = key.lstrip("-")
            filled = sorted((r for r in kept if r[name] is not None), key=lambda r: r[name], reverse=key[0] == "-")  # type: ignore[arg-type,return-value]
            kept = [*filled, *(r for r in kept if r[name] is None)]
        offset = int(request.query.get("offset", 0))
        kept = kept[offset : offset + int(request.query.get("limit", 100))]
        if "fields" in request.query:
            names = request.query["fields"].split(",")
            kept = [{name: row[name] for name in names if name in row} for row in kept]
        return body({"data": kept})

    return handle


def _passes(row: dict[str, object], query: dict[str, str]) -> bool:
    tests: dict[str, Callable[[object, str], bool]] = {
        "_eq": lambda v, t: _text(v) == t,
        "_neq": lambda v, t: v is not None and _text(v) != t,
        "_in": lambda v, t: _text(v) in t.split(","),
        "_gt": lambda v, t: v is not None and v > type(v)(t),
        "_null": lambda v, t: (v is None) == (t == "true"),
    }
    for name, wanted in query.items():
        if name.startswith("filter["):
            column, operator = name.removeprefix("filter[").rstrip("]").split("][")
            if not tests[operator](row[column], wanted):
                return False
    return True


def _text(value: object) -> str | None:
    return None if value is None else str(value)

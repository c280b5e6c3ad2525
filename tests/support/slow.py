# SPDX-License-Identifier: Apache-2.0
"""A shop whose answers wait until a test lets them go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from examples.sources import serve


@dataclass
class Slow:
    """`reached` is set by the first request, which may be one of capture; answers wait for `release`."""

    url: str = ""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def slow_source() -> AsyncIterator[Slow]:
    """Two products at `/api/products`, when released."""
    slow = Slow()

    async def products(_: web.Request) -> web.Response:
        slow.reached.set()
        await slow.release.wait()
        price = {"amount": "1.00", "currency": "EUR"}
        items = [{"id": f"p{n}", "sku": f"S{n}", "name": f"Thing {n}", "price": price} for n in (1, 2)]
        return web.json_response({"items": items, "page": 1, "pages": 1})

    app = web.Application()
    app.router.add_get("/api/products", products)
    async with AsyncExitStack() as stack:
        slow.url = await serve.listen(stack, app, 0)
        yield slow
        slow.release.set()

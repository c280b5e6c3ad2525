# SPDX-License-Identifier: Apache-2.0
"""A server in front of another one, at the wire: TLS, basic authentication, a client's certificate where asked for."""

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.support.services import free_port

_PASSED_ON = ("Accept", "Content-Type")


@asynccontextmanager
async def fronted(
    onward: str, pair: tuple[Path, Path], username: str, password: str, ca: Path | None = None
) -> AsyncIterator[str]:
    """Serve what a server at `onward` answers; `ca`: who has to have certified the client. Yields the address."""
    expected = f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    if ca is not None:
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def passed_on(request: web.Request) -> web.Response:
            if request.headers.get("Authorization") != expected:
                return web.json_response({"error_code": 401, "message": "Unauthorized"}, status=401)
            headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
            body = await request.read()
            async with session.request(
                request.method, f"{onward}{request.rel_url}", data=body or None, headers=headers
            ) as answer:
                return web.Response(body=await answer.read(), status=answer.status, content_type="application/json")

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", passed_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        yield f"https://127.0.0.1:{port}"

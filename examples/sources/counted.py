# SPDX-License-Identifier: Apache-2.0
"""What the example's servers have been asked, for whoever wants to see what a query costs upstream."""

from collections import Counter, deque

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

REQUESTS = web.AppKey("requests", Counter[str])  # how often each path was asked
QUERIES = web.AppKey("queries", deque[str])  # the last thousand requests: path and query, percent-encoded


def counted_app(*inner: Middleware) -> web.Application:
    """An application that counts each request, refused ones too, before its own middlewares see it."""
    app = web.Application(middlewares=[_count, *inner])
    app[REQUESTS] = Counter()
    app[QUERIES] = deque(maxlen=1000)
    return app


@web.middleware
async def _count(request: web.Request, handler: Handler) -> web.StreamResponse:
    request.app[REQUESTS][request.path] += 1
    request.app[QUERIES].append(request.path_qs)
    return await handler(request)

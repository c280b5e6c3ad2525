# SPDX-License-Identifier: Apache-2.0
"""The HTTP application of a running mesh: GraphQL, catalog, audit, health."""

import contextlib
import time
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.rest.api import api_routes
from dictamesh.runtime.catalog.rest.faults import RequestRefused
from dictamesh.runtime.catalog.rest.route import Route
from dictamesh.runtime.catalog.rest.serving import Authenticate, faults
from dictamesh.runtime.gateway.http import lasts
from dictamesh.runtime.gateway.http import routes as gateway_routes
from dictamesh.runtime.gateway.serving import Gateway
from dictamesh.runtime.gateway.subscriptions.running import Subscriptions
from dictamesh.runtime.governance.refusals import PurposeRefused, Unauthenticated
from dictamesh.runtime.mesh.sight import Eyes
from dictamesh.runtime.mesh.world import World
from dictamesh.runtime.observe.drain import Drain
from dictamesh.runtime.observe.health import Checks
from dictamesh.runtime.observe.metrics import Metrics
from dictamesh.runtime.observe.server import health_routes

Current = Callable[[], World]


def application(
    subscriptions: Subscriptions,
    api: Sequence[Route],
    catalog: Catalog,
    current: Current,
    checks: Checks,
    metrics: Metrics,
    drain: Drain,
) -> web.Application:
    """Build the application; `current` gives what is being served."""
    gateway = subscriptions.gateway
    app = web.Application(middlewares=[_observed(metrics, drain, current), faults()], client_max_size=0)
    app.add_routes(gateway_routes(gateway, subscriptions))
    app.add_routes(api_routes(api, catalog, _authenticate(gateway, current)))
    app.add_routes(health_routes(checks))
    app.router.add_get("/", _front)
    metrics.allow_routes(resource.canonical for resource in app.router.resources())
    return app


async def _front(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/graphql")


def _observed(metrics: Metrics, drain: Drain, current: Current) -> Middleware:
    @web.middleware
    async def observed(request: web.Request, handler: Handler) -> web.StreamResponse:
        started, status = time.perf_counter(), 500
        with contextlib.ExitStack() as held:
            if not lasts(request):  # what lasts says goodbye by itself, and holds a plan only while it reads
                held.enter_context(drain.operation())
                held.enter_context(current().held())  # a reload leaves the lines open for whom it meets under way
            try:
                response = await handler(request)
                status = response.status
                return response
            except web.HTTPException as answer:
                status = answer.status
                raise
            finally:
                resource = request.match_info.route.resource
                route = resource.canonical if resource is not None else "other"
                metrics.http_request(route, request.method, status, time.perf_counter() - started)

    return observed


def _authenticate(gateway: Gateway, current: Current) -> Authenticate:
    async def authenticate(request: web.Request) -> Eyes | None:
        try:
            principal = await gateway.current.authenticate(request.headers)
        except Unauthenticated as refused:
            raise RequestRefused("UNAUTHORIZED", refused.reason) from None
        except PurposeRefused as refused:
            raise RequestRefused("FORBIDDEN", refused.reason) from None
        return current().sights.of(principal) if principal.authenticated else None

    return authenticate

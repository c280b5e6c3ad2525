# SPDX-License-Identifier: Apache-2.0
"""The HTTP application of a running mesh: GraphQL, catalog, audit, health."""

import time
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from dictamesh.runtime.audit.routes import AuditFace
from dictamesh.runtime.audit.routes import routes as audit_routes
from dictamesh.runtime.catalog.data_lineage.routes import Taking, lineage_routes
from dictamesh.runtime.catalog.queries import Locations
from dictamesh.runtime.catalog.routes import Access, RequestRefused
from dictamesh.runtime.catalog.routes import routes as catalog_routes
from dictamesh.runtime.gateway.http import routes as gateway_routes
from dictamesh.runtime.gateway.serving import Gateway
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.refusals import PurposeRefused, Unauthenticated
from dictamesh.runtime.mesh.world import World
from dictamesh.runtime.observe.drain import Drain
from dictamesh.runtime.observe.health import Checks
from dictamesh.runtime.observe.metrics import Metrics
from dictamesh.runtime.observe.server import health_routes

Current = Callable[[], World]


def application(
    gateway: Gateway,
    locations: Locations,
    audit: AuditFace,
    current: Current,
    checks: Checks,
    metrics: Metrics,
    drain: Drain,
) -> web.Application:
    """Build the application; `current` gives what is being served."""
    app = web.Application(middlewares=[_observed(metrics, drain, current)], client_max_size=0)
    app.add_routes(gateway_routes(gateway))
    access = _catalog_access(gateway, current)
    app.add_routes(catalog_routes(locations, access))
    app.add_routes(lineage_routes(locations.pool, access, _taking(current, metrics)))
    app.add_routes(audit_routes(audit, access, lambda who: not who.roles.isdisjoint(current().plan.mesh.audit.readers)))
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
        with drain.operation(), current().held():  # a reload leaves the lines open for whom it meets under way
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


def _taking(current: Current, metrics: Metrics) -> Taking[Principal]:
    return Taking(
        mesh=lambda: current().plan.name,
        may_write=lambda principal: not principal.roles.isdisjoint(current().plan.mesh.lineage.writers),
        strict=lambda: current().plan.mesh.lineage.strict,
        counted=lambda outcome, count: metrics.count("lineage_received_total", outcome, by=count),
    )


def _catalog_access(gateway: Gateway, current: Current) -> Access[Principal]:
    async def authenticate(request: web.Request) -> Principal | None:
        try:
            principal = await gateway.current.authenticate(request.headers)
        except Unauthenticated as refused:
            raise RequestRefused("UNAUTHORIZED", refused.reason) from None
        except PurposeRefused as refused:
            raise RequestRefused("FORBIDDEN", refused.reason) from None
        return principal if principal.authenticated else None

    def visible(principal: Principal, entity_type: str) -> bool:
        world = current()
        entity = next((each for each in world.plan.entities.values() if each.name == entity_type), None)
        if entity is None:
            return True  # deprecated: known to the catalog alone
        access = world.access.access(principal)
        return access.rows(entity.address) is not False and access.key_visible(entity.address)

    return Access(authenticate, visible)

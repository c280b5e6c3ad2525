# SPDX-License-Identifier: Apache-2.0
"""The routes of the catalog, and how an API and its description are served; the latter at ``/api/v1/openapi.json``."""

from collections.abc import Sequence

import orjson
from aiohttp import web

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.rest import entities, graph, history, lineage, products, search
from dictamesh.runtime.catalog.rest.openapi import openapi
from dictamesh.runtime.catalog.rest.route import PREFIX, Route
from dictamesh.runtime.catalog.rest.serving import Authenticate, serve

ROUTES: tuple[Route, ...] = tuple(
    route for each in (entities, graph, history, lineage, products, search) for route in each.ROUTES
)


def api_routes(routes: Sequence[Route], catalog: Catalog, authenticate: Authenticate) -> list[web.RouteDef]:
    """Route definitions of an API; the application needs the middleware of ``serving.faults`` as well."""
    document = orjson.dumps(openapi(routes))

    async def described(_: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json", charset="utf-8")

    return [*serve(routes, catalog, authenticate), web.get(f"{PREFIX}/openapi.json", described, allow_head=False)]

# SPDX-License-Identifier: Apache-2.0
"""All routes of the catalog, and their description at ``/api/v1/openapi.json``."""

from functools import cache

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


def catalog_routes(catalog: Catalog, authenticate: Authenticate) -> list[web.RouteDef]:
    """Route definitions of the API; the application needs the middleware of ``serving.faults`` as well."""

    async def described(_: web.Request) -> web.Response:
        return web.Response(body=_document(), content_type="application/json", charset="utf-8")

    return [*serve(ROUTES, catalog, authenticate), web.get(f"{PREFIX}/openapi.json", described, allow_head=False)]


@cache
def _document() -> bytes:
    return orjson.dumps(openapi(ROUTES))

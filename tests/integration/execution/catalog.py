# SPDX-License-Identifier: Apache-2.0
"""The catalog of a mesh that runs in the test's own process, seen with the eyes of its callers."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web
from yarl import URL

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool
from dictamesh.runtime.catalog.queries import Locations
from dictamesh.runtime.catalog.registration import register
from dictamesh.runtime.catalog.rest.api import ROUTES, api_routes
from dictamesh.runtime.catalog.rest.route import PREFIX
from dictamesh.runtime.catalog.rest.serving import faults
from dictamesh.runtime.governance.access import AccessCache
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.sight import Eyes, Sights, sights
from dictamesh.runtime.mesh.store import registration
from tests.integration.execution.harness import Kept, Running, listening
from tests.support.openapi import check
from tests.support.postgres import fresh_database


@dataclass(frozen=True)
class Known:
    """A registered catalog over a running mesh."""

    mesh: Running
    catalog: Catalog
    sights: Sights
    url: str
    callers: Mapping[str, Principal]

    def eyes(self, principal: Principal) -> Eyes:
        return self.sights.of(principal)

    async def get(self, path: str, caller: str) -> tuple[int, Any]:
        """Ask over HTTP as one of the callers; the answer is held against the OpenAPI document."""
        url = URL(f"{self.url}{PREFIX}{path}", encoded=True)
        async with ClientSession() as session, session.get(url, headers={"X-Caller": caller}) as answer:
            body = await answer.json()
        check("GET", f"{PREFIX}{path}", answer.status, body)
        return answer.status, body


@contextlib.asynccontextmanager
async def known(
    mesh: Running, dsn: str, folder: Path, environment: Mapping[str, str], callers: Mapping[str, Principal]
) -> AsyncIterator[Known]:
    """Register a mesh in a database of its own and serve the catalog; a caller is named in `X-Caller`."""
    with fresh_database(dsn) as database:
        pool = await open_pool(database, PoolSettings(max_size=4, idle=1))
        try:
            await up(pool)
            await register(pool, registration(mesh.plan, Resolver(folder, environment)))
            access = AccessCache(mesh.plan, mesh.keys)
            seen = sights(mesh.adapters, access.access)
            catalog = Catalog(pool, lambda: mesh.plan, Kept(), Locations(pool))

            async def authenticate(request: web.Request) -> Eyes:
                return seen.of(callers[request.headers["X-Caller"]])

            app = web.Application(middlewares=[faults()])
            app.add_routes(api_routes(ROUTES, catalog, authenticate))
            async with listening(app) as url:
                yield Known(mesh, catalog, seen, url, callers)
        finally:
            await pool.close()

# SPDX-License-Identifier: Apache-2.0
"""The query of the tour: three systems, one call per level, each caller's own view."""

from aiohttp import web

from dictamesh.runtime.governance.principal import Principal
from examples.sources.counted import REQUESTS
from tests.integration.execution.harness import Running

QUERY = (
    "{ customers(limit: 3) { id name email invoices(limit: 2) { total items { quantity product { name price } } } } }"
)
SUPPORT = Principal("support-desk", True, frozenset({"support"}), "service", ("service",))
ANALYST = Principal("bi-tool", True, frozenset({"analyst"}), "analytics", ("analytics",), {"countries": ("DE", "FR")})


async def test_support_sees_everything(example: Running) -> None:
    body = await example.ask(QUERY, SUPPORT)
    assert "errors" not in body, body
    first = body["data"]["customers"][0]
    assert (first["id"], first["name"], first["email"]) == ("c-0001", "John Doe", "john@example.com")


async def test_one_call_per_level(example: Running, cms: web.Application, shop: web.Application) -> None:
    await example.ask(QUERY, SUPPORT)
    assert dict(cms[REQUESTS]) == {"/items/customers": 1}
    assert dict(shop[REQUESTS]) == {"/api/products": 1}
    assert example.calls == {"cms": 1, "erp": 2, "shop": 1}

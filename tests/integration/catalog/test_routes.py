# SPDX-License-Identifier: Apache-2.0
"""The catalog over real HTTP: who may ask, what they see, and how a refusal reads (MC-10 to MC-13, S22)."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.queries import Locations
from dictamesh.runtime.catalog.registration import register
from dictamesh.runtime.catalog.routes import Access, RequestRefused, routes
from tests.integration.catalog.test_registration import FULL

PREFIX = "/api/v1/catalog"


async def authenticate(request: web.Request) -> str | None:
    key = request.headers.get("X-API-Key")
    if key is None:
        return None
    if key == "crash":
        raise RuntimeError("canary-4711")
    if key == "stray":
        raise ValueError("canary-4711")
    if key == "wrong":
        raise RequestRefused("UNAUTHORIZED", "unknown API key")
    if key == "purpose":
        raise RequestRefused("FORBIDDEN", "this purpose is not allowed")
    return key


def visible(principal: str, entity_type: str) -> bool:
    return principal == "steward" or entity_type != "Customer"


@pytest.fixture
async def server(catalog: Pool) -> AsyncIterator[TestServer]:
    await register(catalog, FULL)
    app = web.Application()
    app.add_routes(routes(Locations(catalog), Access(authenticate, visible, lambda _: "trace-1")))
    async with TestServer(app) as running:
        yield running


async def get(server: TestServer, path: str, key: str | None = "steward") -> tuple[int, dict]:
    headers = {} if key is None else {"X-API-Key": key}
    async with ClientSession() as session, session.get(server.make_url(PREFIX + path), headers=headers) as answer:
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


async def test_list_has_a_page_and_a_total(server: TestServer) -> None:
    status, body = await get(server, "/entities?limit=2&offset=1")
    assert status == 200
    assert [item["entity_type"] for item in body["items"]] == ["Invoice", "InvoiceItem"]
    assert (body["total"], body["limit"], body["offset"]) == (3, 2, 1)
    status, body = await get(server, "/entities")
    assert (body["limit"], body["total"]) == (20, 3)


async def test_filters(server: TestServer) -> None:
    _, body = await get(server, "/entities?contains_pii=true&domain=customers&source_system=cms&status=active")
    assert [item["entity_type"] for item in body["items"]] == ["Customer"]
    _, body = await get(server, "/entities?entity_type=Invoice")
    assert body["total"] == 1


async def test_one_entity_by_type_address_and_id(server: TestServer) -> None:
    _, by_type = await get(server, "/entities/Customer")
    assert by_type["product_id"] == "customers"
    assert by_type["contains_pii"] is True
    for name in ("customers%23Customer", by_type["id"]):
        assert await get(server, f"/entities/{name}") == (200, by_type)


async def test_locate(server: TestServer) -> None:
    status, body = await get(server, "/locate?type=Customer&id=a%2Fb")
    assert status == 200
    assert body["url"] == "http://cms.example:8055/items/customers/a%2Fb"
    assert body["auth_type"] == "bearer"


async def test_hidden_is_answered_like_missing(server: TestServer) -> None:
    hidden = await get(server, "/entities/Customer", "clerk")
    assert hidden == await get(server, "/entities/Missing", "clerk")
    assert hidden[0] == 404
    assert hidden[1]["error"]["code"] == "ENTITY_NOT_FOUND"
    located = await get(server, "/locate?type=Customer&id=1", "clerk")
    assert located == await get(server, "/locate?type=Missing&id=1", "clerk")
    _, page = await get(server, "/entities?limit=1", "clerk")
    assert page["total"] == 2, "not even counted"


@pytest.mark.parametrize(
    ("path", "key", "status", "code"),
    [
        ("/entities", None, 401, "UNAUTHORIZED"),
        ("/entities/Customer", None, 401, "UNAUTHORIZED"),
        ("/locate?type=Customer&id=1", None, 401, "UNAUTHORIZED"),
        ("/entities", "wrong", 401, "UNAUTHORIZED"),
        ("/entities", "purpose", 403, "FORBIDDEN"),
        ("/entities", "crash", 500, "INTERNAL_ERROR"),
        ("/entities", "stray", 500, "INTERNAL_ERROR"),
        ("/entities?limit=0", "steward", 400, "INVALID_REQUEST"),
        ("/entities?limit=101", "steward", 400, "INVALID_REQUEST"),
        ("/entities?limit=ten", "steward", 400, "INVALID_REQUEST"),
        ("/entities?limit=-1", "steward", 400, "INVALID_REQUEST"),
        ("/entities?offset=99999999999", "steward", 400, "INVALID_REQUEST"),
        ("/entities?status=gone", "steward", 400, "INVALID_REQUEST"),
        ("/entities?contains_pii=1", "steward", 400, "INVALID_REQUEST"),
        ("/entities?colour=red", "steward", 400, "INVALID_REQUEST"),
        ("/entities?domain=%00", "steward", 400, "INVALID_REQUEST"),
        ("/entities/%00", "steward", 400, "INVALID_REQUEST"),
        ("/entities/Customer?x=1", "steward", 400, "INVALID_REQUEST"),
        ("/locate?type=Customer", "steward", 400, "INVALID_REQUEST"),
        ("/locate?type=Customer&id=..", "steward", 400, "INVALID_REQUEST"),
        ("/locate?type=InvoiceItem&id=x", "steward", 400, "INVALID_REQUEST"),
        (f"/locate?type=Customer&id={'x' * 1025}", "steward", 400, "INVALID_REQUEST"),
    ],
)
async def test_refusals(server: TestServer, path: str, key: str | None, status: int, code: str) -> None:
    answered, body = await get(server, path, key)
    assert (answered, body["error"]["code"], body["error"]["trace_id"]) == (status, code, "trace-1")
    assert set(body["error"]) == {"code", "message", "details", "trace_id"}
    assert "canary" not in str(body)


async def test_database_gone_is_503(server: TestServer, catalog: Pool) -> None:
    await catalog.close()
    status, body = await get(server, "/entities")
    assert (status, body["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")

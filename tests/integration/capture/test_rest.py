# SPDX-License-Identifier: Apache-2.0
"""The example's CMS over HTTP: a poll that names the parameter, pages by number, rows that move while they are read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dictamesh.runtime.capture.contract import Batch
from dictamesh.runtime.capture.poll import poll
from dictamesh.runtime.capture.snapshot import snapshot
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from examples.sources.cms import cms_app
from examples.sources.counted import QUERIES
from tests.integration.capture.conftest import Mesh, until

MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: acme
include: ["*.product.yaml"]
servers:
  cms: {type: rest, url: "URL", auth: {kind: bearer, token: "${env:PEPPER}"}}
"""
PRODUCT = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: customers
name: customers
version: 1.0.0
status: active
domain: crm
team: {name: crm, members: [{username: ana, role: owner}]}
schema:
  - name: Customer
    physicalName: customers
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: country, logicalType: string, classification: internal}
      - {name: tags, logicalType: array, items: {logicalType: string}, classification: internal}
      - name: address
        logicalType: object
        classification: internal
        properties: [{name: city, logicalType: string}]
source:
  server: cms
  Customer:
    columns: {date_updated: timestamp}
    list:
      path: /items/customers
      records: data
      paginate: {kind: offset, limit: limit, offset: offset, maxLimit: 10}
      SORT
    batch: {path: /items/customers, query: {"filter[id][_in]": "{ids}", limit: "-1"}, style: csv, records: data}
    changes: CHANGES
"""
SINCE = 'parameter: "filter[date_updated][_gte]"'
POLL = f"{{poll: {{every: 0.05s, cursor: date_updated, {SINCE}, deletes: 0.4s, page: 10, pause: 0s}}}}"
SNAPSHOT = "{snapshot: {every: 0.1s, page: 10, pause: 0s}}"


def customer(number: int, **more: Any) -> dict[str, Any]:
    at = f"2025-01-01T00:00:{number % 60:02}Z"
    made = {"id": f"c{number:03}", "country": "DE", "tags": ["a"], "address": {"city": "Ulm"}, "date_updated": at}
    return {**made, "date_created": at, **more}


@contextlib.asynccontextmanager
async def captured(
    mesh: Mesh,
    rows: list[dict[str, Any]],
    changes: str,
    sort: str = "",
    heard: Callable[[str], None] = lambda _query: None,
) -> AsyncIterator[web.Application]:
    app = cms_app(rows, "pepper")

    async def hear(request: web.Request, _response: web.StreamResponse) -> None:
        heard(request.query_string)

    app.on_response_prepare.append(hear)
    async with TestServer(app) as server:
        text = PRODUCT.replace("CHANGES", changes).replace("SORT", sort)
        files = {"mesh.yaml": MESH.replace("URL", str(server.make_url("")).rstrip("/")), "a.product.yaml": text}
        made = build(Memory(files), "mesh.yaml")
        assert made.plan is not None, [each.message for each in made.diagnostics]
        mesh.plan = made.plan
        async with mesh.making(mesh.recorder()) as making:
            way = (poll if mesh.state.kind == "poll" else snapshot)(making)
            task = asyncio.create_task(way.run())
            try:
                yield app
            finally:
                done = task.done()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                assert not done


def having(mesh: Mesh, count: int) -> Callable[[], Awaitable[Any]]:
    async def enough() -> Any:
        found = await mesh.told()
        return found if len(found) >= count else None

    return enough


async def test_comparing_that_never_ends_leaves_room_for_what_is_newer(mesh: Mesh) -> None:
    """Where comparing keys takes longer than its rhythm, it is always due, and would find no update."""
    rows = [customer(number) for number in range(35)]
    always = POLL.replace("0.05s", "0.01s").replace("0.4s", "0.01s")
    async with captured(mesh, rows, always, 'sort: {param: sort, desc: "-{column}"}') as app:
        assert len(await until(having(mesh, 35))) == 35
        app[QUERIES].clear()

        async def both() -> bool:
            newer = ["date_updated%5D%5B_gte%5D" in query for query in app[QUERIES]]
            return any(newer) and not all(newer)

        await until(both)


@pytest.mark.parametrize("sort", ["", 'sort: {param: sort, desc: "-{column}"}'], ids=["unsorted", "sorted"])
@pytest.mark.parametrize("changes", [POLL, SNAPSHOT], ids=["poll", "snapshot"])
async def test_what_a_source_tells_arrives(mesh: Mesh, changes: str, sort: str) -> None:
    rows = [customer(number) for number in range(35)]
    async with captured(mesh, rows, changes, sort) as app:
        assert len(await until(having(mesh, 35))) == 35
        rows[3] |= {"country": "FR", "date_updated": "2026-01-01T00:00:00Z"}
        rows.append(customer(40, date_updated="2026-01-01T00:00:00Z"))
        del rows[20]
        found = await until(having(mesh, 38))
        assert set(found) - {(f"c{number:03}", "1", "CREATED") for number in range(35)} == {
            ("c003", "2", "UPDATED"),
            ("c040", "1", "CREATED"),
            ("c020", "2", "DELETED"),
        }
        await asyncio.sleep(0.5)
        assert len(await mesh.told()) == 38
        if "poll" in changes:
            assert any("date_updated%5D%5B_gte%5D" in query for query in app[QUERIES])


async def test_rows_that_move_while_pages_are_read_are_not_taken_for_deleted(mesh: Mesh) -> None:
    rows = [customer(number) for number in range(35)]

    async with captured(mesh, rows, SNAPSHOT):
        await until(having(mesh, 35))
        gone = rows[5]["id"]
        del rows[5]  # what follows moves up: a page that is read now begins one row too far
        await until(having(mesh, 36))
        await asyncio.sleep(0.5)
        assert [each for each in await mesh.told() if each[2] == "DELETED"] == [(gone, "2", "DELETED")]


async def test_a_row_that_a_page_skipped_is_looked_for_again(mesh: Mesh) -> None:
    rows = [customer(number) for number in range(25)]
    async with captured(mesh, rows, "{snapshot: {every: 1h, page: 10, pause: 0s}}"):
        await until(having(mesh, 25))
    await mesh.recorder().record(Batch(mesh.state, position={}))
    aside: list[Any] = []

    def disturb(query: str) -> None:
        """Take a row of the first page away while the second is read, and put it back behind."""
        if "offset=10" in query and not aside:
            aside.append(rows.pop(0))
        elif aside and len(rows) == 24:
            rows.append(aside[0])

    async with captured(mesh, rows, "{snapshot: {every: 1h, page: 10, pause: 0s}}", heard=disturb):

        async def over() -> Any:
            return "at" in (await mesh.recorder().position(mesh.state) or {})

        await until(over)
    assert aside
    assert not [each for each in await mesh.told() if each[2] == "DELETED"]


async def test_the_cms_of_the_example_is_written_as_directus_is(mesh: Mesh) -> None:
    rows = [customer(1)]
    headers = {"Authorization": "Bearer pepper"}
    async with TestServer(cms_app(rows, "pepper")) as server, aiohttp.ClientSession(headers=headers) as session:
        url = str(server.make_url("/items/customers"))
        async with session.post(url, json={"country": "IT"}) as answer:
            made = (await answer.json())["data"]
        assert made["country"] == "IT"
        assert made["date_updated"] == made["date_created"]
        async with session.patch(f"{url}/{made['id']}", json={"country": "FR"}) as answer:
            assert (await answer.json())["data"]["country"] == "FR"
        async with session.patch(f"{url}/{made['id']}", json={"nothing": 1}) as answer:
            assert answer.status == 400
        async with session.delete(f"{url}/{made['id']}") as answer:
            assert answer.status == 204
        async with session.delete(f"{url}/{made['id']}") as answer:
            assert answer.status == 403
    assert [each["id"] for each in rows] == ["c001"]

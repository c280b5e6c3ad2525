# SPDX-License-Identifier: Apache-2.0
"""Attacks on a running mesh end in the right refusal, with its memory bounded (S5, S10, S24)."""

import asyncio
import contextlib
import gzip
import json
import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from examples.sources.serve import listen
from tests.support.running import Runtime, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEBIBYTE = 2**20
GROWTH = 192 * MEBIBYTE  # of the peak over all attacks; one unbounded answer below is many times that

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: target
include: [p.yaml]
servers:
  db: {type: sqlite, path: target.sqlite}
  web: {type: rest, url: "${env:WEB}", auth: {kind: apiKey, header: X-Shop-Key, key: "${env:SHOP_KEY}"}}
resilience:
  web: {timeout: 2s, retry: {attempts: 1}, breaker: {failures: 1000}}
cache: {enabled: false}
"""
SQL = """
apiVersion: dictamesh/v1
kind: DataProduct
id: texts
name: texts
version: 1.0.0
status: active
domain: d
schema:
  - name: Text
    physicalName: texts
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: body, logicalType: string, classification: public}
      - {name: size, logicalType: integer, classification: public}
      - {name: nextId, physicalName: next_id, logicalType: string, classification: public}
source: {server: db}
relations: [{name: next, from: Text.nextId, to: Text.id, cardinality: many-to-one, inverse: previous}]
"""
WEB = """
---
apiVersion: dictamesh/v1
kind: DataProduct
id: LOWERs
name: LOWERs
version: 1.0.0
status: active
domain: LOWER
schema:
  - name: NAME
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: body, logicalType: string, classification: public}
source:
  server: web
  NAME:
    list: {path: /LOWER, records: items, paginate: {kind: link, next: next}}
    get: {path: "/LOWER/{id}"}
"""
BATCH = '    batch: {path: /item, query: {ids: "{ids}"}, records: items}\n'
HOSTILE = ("Item", "Redirect", "Elsewhere", "Circle", "Endless", "Huge", "Bomb", "Drip", "Deep", "Plain")


@dataclass
class Hostile:
    """A source that attacks, and another origin that must never be asked."""

    stolen: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    elsewhere: str = ""
    under_way: int = 0
    bomb: bytes = field(default_factory=lambda: gzip.compress(b'{"items": [{"id": "' + b"x" * (256 * MEBIBYTE), 1))

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{tail:.*}", self.serve)
        return app

    def other(self) -> web.Application:
        async def steal(request: web.Request) -> web.Response:
            self.stolen.append(dict(request.headers))
            return web.json_response({"items": [{"id": "stolen"}], "id": "stolen"})

        app = web.Application()
        app.router.add_get("/{tail:.*}", steal)
        return app

    async def serve(self, request: web.Request) -> web.StreamResponse:
        name = request.path.split("/")[1]
        self.calls[name] += 1
        self.paths.append(request.raw_path)
        handler = getattr(self, f"_{name}", None)
        if handler is None:
            return web.json_response({"id": "escaped", "body": "SECRET"})
        self.under_way += 1
        try:
            return await handler(request)
        finally:
            self.under_way -= 1

    async def _item(self, request: web.Request) -> web.StreamResponse:
        if "ids" in request.query:
            return web.json_response({"items": [{"id": each} for each in request.query["ids"].split(",")]})
        return web.json_response({"id": request.path.rpartition("/")[2], "body": "SECRET"})

    async def _redirect(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"{self.elsewhere}/x"})

    async def _elsewhere(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"items": [{"id": "1"}], "next": f"{self.elsewhere}/x"})

    async def _circle(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"items": [{"id": "1"}], "next": "/circle?page=2"})

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        page = int(request.query.get("page", "0")) + 1
        return web.json_response({"items": [], "next": f"/endless?page={page}"})

    async def _huge(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"items": [{"id": "1", "body": "')
        with contextlib.suppress(ConnectionError):
            for _ in range(1024):
                await response.write(b"x" * MEBIBYTE)
        return response

    async def _bomb(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=self.bomb, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.2)

    async def _deep(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text='{"items": ' + "[" * 200_000 + "]" * 200_000 + "}", content_type="application/json")

    async def _plain(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text='<html>"SECRET"</html>', content_type="text/html")


@dataclass
class Target:
    runtime: Runtime
    hostile: Hostile
    session: aiohttp.ClientSession
    peak: int

    async def post(self, query: str, **variables: Any) -> tuple[int, Any]:
        return await self.raw(json.dumps({"query": query, "variables": variables}).encode())

    async def raw(self, body: bytes, **headers: str) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", **headers}
        async with self.session.post(f"{self.runtime.url}/graphql", data=body, headers=headers) as response:
            return response.status, json.loads(await response.read())

    def peak_now(self) -> int:
        return peak(self.runtime)


def peak(runtime: Runtime) -> int:
    """The most memory that the process ever held, in bytes."""
    text = Path(f"/proc/{runtime.process.pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def tree(folder: Path) -> Path:
    products = [WEB.replace("LOWER", name.lower()).replace("NAME", name) for name in HOSTILE]
    products[0] += BATCH
    (folder / "mesh.yaml").write_text(MESH)
    (folder / "p.yaml").write_text(SQL + "".join(products))
    with closing(sqlite3.connect(folder / "target.sqlite")) as db, db:
        db.execute("CREATE TABLE texts (id TEXT, body TEXT, size INTEGER, next_id TEXT)")
        rows = [(str(n), "a" * 10_000, n, str(n % 500 + 1)) for n in range(1, 501)]
        db.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", rows)
    return folder / "mesh.yaml"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    folder = tmp_path_factory.mktemp("target")
    hostile = Hostile()
    async with AsyncExitStack() as stack:
        url = await listen(stack, hostile.app(), 0)
        hostile.elsewhere = await listen(stack, hostile.other(), 0)
        mesh = running(tree(folder), folder / "data", {"WEB": url, "SHOP_KEY": "k-0123456789"}, "--log-level", "error")
        runtime = await stack.enter_async_context(mesh)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        found = Target(runtime, hostile, session, 0)
        await found.post("{ texts(limit: 500) { body } }")
        found.peak = found.peak_now()
        yield found


def codes(body: Any) -> set[str]:
    return {error["extensions"]["code"] for error in body.get("errors", ())}


def nested(levels: int) -> str:
    return "{ texts { id " + "next { id " * levels + "}" * levels + "} }"


def fragments(count: int) -> str:
    text = "".join(f"fragment F{n} on Text {{ ...F{n + 1} ...F{n + 1} }} " for n in range(count))
    return "{ texts { ...F0 } } " + text + f"fragment F{count} on Text {{ id }}"


INTROSPECTED = "{ __schema { types { " + "fields { type { " * 12 + "name" + "} } " * 12 + "} } }"
QUERIES: dict[str, tuple[str, str]] = {
    "braces": ("{" * 99_000, "LIMIT_EXCEEDED"),
    "closed braces": ("{a" * 30_000 + "}" * 30_000, "LIMIT_EXCEEDED"),
    "brackets": ("{ texts(filter: " + "[" * 90_000, "LIMIT_EXCEEDED"),
    "objects": ("{ texts(filter: " + "{not: " * 15_000 + ") { id } }", "LIMIT_EXCEEDED"),
    "list types": ("query(" + "$a: " + "[" * 90_000 + "ID) { texts { id } }", "LIMIT_EXCEEDED"),
    "depth": (nested(11), "LIMIT_EXCEEDED"),
    "aliases": ("{" + "".join(f"a{n}: texts(limit: 1000) {{ id }} " for n in range(101)) + "}", "LIMIT_EXCEEDED"),
    "fields": ("{ texts {" + "".join(f"a{n}: body " for n in range(1990)) + "} }", "LIMIT_EXCEEDED"),
    "repeats": ("{ texts { " + "id " * 60 + "} }", "LIMIT_EXCEEDED"),
    "fragments": (fragments(40), "LIMIT_EXCEEDED"),
    "a circle": ("{ texts { ...A } } fragment A on Text { next { ...A } }", "VALIDATION_ERROR"),
    "directives": ("{ texts " + "@include(if: true) " * 400 + "{ id } }", "LIMIT_EXCEEDED"),
    "operations": ("".join(f"query Q{n} {{ textsCount }} " for n in range(600)), "LIMIT_EXCEEDED"),
    "variables": ("query(" + "".join(f"$v{n}: ID " for n in range(700)) + ") { textsCount }", "LIMIT_EXCEEDED"),
    "introspection": (INTROSPECTED, "LIMIT_EXCEEDED"),
    "cost": ("{ texts(limit: 1000) { previous(limit: 1000) { id } } }", "LIMIT_EXCEEDED"),
    "limit": ("{ texts(limit: 1001) { id } }", "LIMIT_EXCEEDED"),
    "offset": ("{ texts(offset: 10001) { id } }", "LIMIT_EXCEEDED"),
    "below": ("{ texts(limit: -1) { id } }", "VALIDATION_ERROR"),
    "wildcards": ('{ texts(filter: {body: {like: "%a%a%a%a%a%a%a%a%b"}}) { id } }', "LIMIT_EXCEEDED"),
    "pattern": ('{ texts(filter: {body: {like: "' + "a" * 257 + '"}}) { id } }', "LIMIT_EXCEEDED"),
    "escape": ('{ texts(filter: {body: {like: "a\\\\"}}) { id } }', "LIMIT_EXCEEDED"),
    "an open string": ('{ texts(filter: {body: {eq: "' + "a" * 90_000, "PARSE_FAILED"),
    "numbers": ("{ texts(filter: {size: {eq: " + "9" * 9000 + "}}) { id } }", "VALIDATION_ERROR"),
    "rows": ("{ texts(limit: 500) { a: previous(limit: 190) { id previous(limit: 1) { id } } } }", "LIMIT_EXCEEDED"),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_queries(target: Target, name: str) -> None:
    query, code = QUERIES[name]
    status, body = await target.post(query)
    assert codes(body) == {code}, body
    assert body.get("data") is None
    assert status in {200, 400}, status


async def test_values_in_variables(target: Target) -> None:
    query = "query($f: TextFilter) { texts(filter: $f) { id } }"
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"not": deep}
    assert codes((await target.post(query, f=deep))[1]) == {"LIMIT_EXCEEDED"}
    wide = {"or": [{"size": {"eq": n}} for n in range(300)]}
    assert codes((await target.post(query, f=wide))[1]) == {"LIMIT_EXCEEDED"}
    assert codes((await target.post(query, f={"id": {"in": ["x"] * 1001}}))[1]) == {"LIMIT_EXCEEDED"}
    for value in (2**31, -(2**31) - 1, 1e300, True, "1", 1.5):
        assert codes((await target.post(query, f={"size": {"eq": value}}))[1]) == {"VALIDATION_ERROR"}
    body = b'{"query": "{ textsCount }", "variables": ' + b"[" * 45_000 + b"]" * 45_000 + b"}"
    assert codes((await target.raw(body))[1]) == {"VALIDATION_ERROR"}


async def test_like_of_eight_wildcards_over_long_texts_is_answered(target: Target) -> None:
    for pattern in ("%a%a%a%a%a%a%a%b", "_%_%_%_%", "%" + "a" * 200 + "%b"):
        _, body = await target.post("query($p: String!) { textsCount(filter: {body: {like: $p}}) }", p=pattern)
        assert body["data"]["textsCount"] == ("500" if pattern.startswith("_") else "0"), body
    web_side = "query($p: String!) { items(filter: {body: {like: $p}}) { id } }"
    assert "errors" in (await target.post(web_side, p="%a" * 9))[1]


KEYS = ("..", ".", "../admin", "a/b", "%2e%2e", "%2F", "?x=1", "#x", "a\nb", "a\r\nHost: x", "\0", "é", "1,2", "&ids=3")


@pytest.mark.parametrize("key", KEYS)
async def test_keys_stay_one_value(target: Target, key: str) -> None:
    """No other path or parameter is reached, and no row of another key comes back, alone or in a batch."""
    target.hostile.paths.clear()
    query = "query($id: ID!) { a: item(id: $id) { id body } plain(id: $id) { id } }"
    _, body = await target.post(query, id=key)
    assert (body["data"]["a"] or {"id": key})["id"] == key, body
    _, body = await target.post('query($id: ID!) { a: item(id: $id) { id } b: item(id: "7") { id } }', id=key)
    assert (body["data"]["a"] or {"id": key})["id"] == key, body
    assert "escaped" not in json.dumps(body)
    for path in target.hostile.paths:
        assert re.fullmatch(r"/item\?ids=[^&=/]*|/(plain|item)/[^/?&=]+", path), path
        assert not path.endswith(("/..", "/.")), path


@pytest.mark.parametrize(
    ("root", "code"),
    [
        ("redirects", "SOURCE_UNAVAILABLE"),
        ("elsewheres", "SOURCE_UNAVAILABLE"),
        ("circles", "SOURCE_UNAVAILABLE"),
        ("endlesses", "LIMIT_EXCEEDED"),
        ("huges", "LIMIT_EXCEEDED"),
        ("bombs", "LIMIT_EXCEEDED"),
        ("drips", "SOURCE_TIMEOUT"),
        ("deeps", "SOURCE_UNAVAILABLE"),
        ("plains", "SOURCE_UNAVAILABLE"),
    ],
)
async def test_hostile_sources(target: Target, root: str, code: str) -> None:
    _, body = await target.post(f"{{ {root} {{ id }} textsCount }}")
    assert body["data"] == {root: None, "textsCount": "500"}
    assert codes(body) == {code}
    assert not target.hostile.stolen
    assert "SECRET" not in json.dumps(body)
    assert target.hostile.calls["endless"] <= 1000


async def test_bodies(target: Target) -> None:
    query = b'{"query": "{ textsCount }"}'
    status, body = await target.raw(query + b" " * 100_000)
    assert (status, codes(body)) == (413, {"LIMIT_EXCEEDED"})
    assert (await target.raw(gzip.compress(query), **{"Content-Encoding": "gzip"}))[0] == 415
    assert (await target.raw(query, **{"Content-Type": "text/plain"}))[0] == 415
    for text in (
        b"",
        b"\xff\xfe",
        b"[" * 90_000,
        b'{"query": "\\ud800"}',
        b"[" + query + b"]",
        b"null",
        b'{"query": 1}',
    ):
        status, body = await target.raw(text)
        assert (status, len(body["errors"])) == (400, 1), text[:20]

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * MEBIBYTE

    headers = {"Content-Type": "application/json"}
    with contextlib.suppress(aiohttp.ClientError):  # it may close before all is sent
        async with target.session.post(f"{target.runtime.url}/graphql", data=endless(), headers=headers) as response:
            assert response.status == 413
    async with target.session.get(f"{target.runtime.url}/graphql", params={"query": "{" * 7000}) as response:
        assert response.status == 400


async def test_clients_that_leave_take_their_calls_along(target: Target) -> None:
    async def leave() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(target.post("{ drips { id } }"), 0.7)

    await asyncio.gather(*(leave() for _ in range(60)))
    for _ in range(100):
        if target.hostile.under_way == 0:
            break
        await asyncio.sleep(0.1)
    assert target.hostile.under_way == 0
    _, body = await target.post('{ item(id: "7") { id } }')
    assert body == {"data": {"item": {"id": "7"}}}


async def test_memory_stayed_bounded_and_nothing_fell_over(target: Target) -> None:
    assert target.peak_now() - target.peak < GROWTH
    assert target.runtime.process.returncode is None
    assert "Traceback" not in "".join(target.runtime.output + target.runtime.errors)
    _, body = await target.post("{ texts(limit: 1) { id } }")
    assert body == {"data": {"texts": [{"id": "1"}]}}

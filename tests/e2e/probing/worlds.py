# SPDX-License-Identifier: Apache-2.0
"""Two worlds that differ only in masked values, each once with its policies and once without protection."""

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from examples.sources.serve import listen
from tests.support.running import Runtime, running

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: worlds
include: [taxonomy.yaml, people.yaml, policies.yaml]
servers:
  db: {type: sqlite, path: people.sqlite}
  web: {type: rest, url: "${env:WEB}"}
roles: [reader, chief]
purposes: [care]
security:
  keys: {pepper: "${env:PEPPER}"}
  apiKeys:
    - {name: reader, key: "${env:READER}", roles: [reader], purposes: [care]}
    - {name: chief, key: "${env:CHIEF}", roles: [chief]}
gateway: {explain: [reader, chief]}
catalog: {observe: true, writeEvery: 100ms}
quality: {every: 1s}
audit: {readers: [AUDITOR]}
"""
TAXONOMY = """
apiVersion: dictamesh/v1
kind: Taxonomy
tags:
  pii: {pii: true, description: personal, children: [redacted, nullified, denied, partial, token, born, some]}
  pay: {description: money}
"""
FIELDS = """
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
      - {name: team, logicalType: string, classification: public}
      - {name: level, logicalType: integer, classification: public}
      - {name: email, logicalType: string, required: true, classification: restricted, tags: [pii.redacted]}
      - {name: alias, physicalName: email, logicalType: string, classification: restricted, tags: [pii.redacted]}
      - {name: initial, logicalType: string, transformLogic: "SUBSTR(self.email, 1, 1)",
         classification: restricted, tags: [pii.redacted]}
      - {name: phone, logicalType: string, classification: restricted, tags: [pii.nullified],
         quality: [{name: reachable, metric: nullValues, mustBe: 0}]}
      - {name: ref, logicalType: string, classification: restricted, tags: [pii.token]}
      - {name: secret, logicalType: string, classification: restricted, tags: [pii.denied]}
      - {name: iban, logicalType: string, classification: restricted, tags: [pii.partial]}
      - {name: born, logicalType: date, classification: restricted, tags: [pii.born]}
      - {name: pay, logicalType: integer, classification: restricted, tags: [pay]}
      - {name: share, logicalType: integer, transformLogic: "1000 / (pay - 3100)",
         classification: restricted, tags: [pay, pii.nullified]}
      - {name: rich, logicalType: boolean, transformLogic: "self.pay > 3500", classification: restricted, tags: [pay]}
      - {name: note, logicalType: string, classification: restricted, tags: [pii.some]}
      - {name: bossId, physicalName: boss_id, logicalType: integer, classification: restricted, tags: [pii.denied]}
"""
PEOPLE = f"""
apiVersion: dictamesh/v1
kind: DataProduct
id: people
name: people
version: 1.0.0
status: active
domain: hr
schema:
  - name: Person
    physicalName: people
    properties: {FIELDS}
  - name: Badge
    physicalName: badges
    properties:
      - {{name: code, logicalType: string, primaryKey: true, required: true,
          classification: restricted, tags: [pii.redacted]}}
      - {{name: colour, logicalType: string, classification: public}}
graphql: {{Person: {{plural: people}}}}
source:
  server: db
  Badge: {{surrogate: {{hmac: pepper}}}}
relations:
  - {{name: boss, from: Person.bossId, to: Person.id, cardinality: many-to-one, inverse: staff}}
---
apiVersion: dictamesh/v1
kind: DataProduct
id: guests
name: guests
version: 1.0.0
status: active
domain: hr
slaProperties: [{{property: latency, value: 1, unit: h}}]
schema:
  - name: Guest
    physicalName: guests
    properties: {FIELDS}
source:
  server: web
  Guest: {{list: {{path: /people, records: items}}, get: {{path: "/people/{{id}}", record: item}}}}
"""
CLOSED = """
apiVersion: dictamesh/v1
kind: Policy
name: redacted
owner: o
match: {tags: [pii.redacted]}
rules: [{name: chiefs, roles: [chief], effect: allow}, {name: rest, effect: mask, mask: {kind: redact}}]
---
apiVersion: dictamesh/v1
kind: Policy
name: nullified
owner: o
match: {tags: [pii.nullified]}
rules: [{name: chiefs, roles: [chief], effect: allow}, {name: rest, effect: mask, mask: {kind: nullify}}]
---
apiVersion: dictamesh/v1
kind: Policy
name: denied
owner: o
match: {tags: [pii.denied]}
rules: [{name: chiefs, roles: [chief], effect: allow}, {name: rest, effect: deny}]
---
apiVersion: dictamesh/v1
kind: Policy
name: partial
owner: o
match: {tags: [pii.partial]}
rules: [{name: chiefs, roles: [chief], effect: allow}, {name: rest, effect: mask, mask: {kind: partial}}]
---
apiVersion: dictamesh/v1
kind: Policy
name: born
owner: o
match: {tags: [pii.born]}
rules:
  - {name: chiefs, roles: [chief], effect: allow}
  - {name: rest, effect: mask, mask: {kind: truncate-date, to: year}}
---
apiVersion: dictamesh/v1
kind: Policy
name: pay
owner: o
match: {tags: [pay]}
rules:
  - {name: chiefs, roles: [chief], effect: allow}
  - {name: rest, effect: mask, mask: {kind: generalise, step: 1000, otherwise: redact}}
---
apiVersion: dictamesh/v1
kind: Policy
name: tokens
owner: o
match: {tags: [pii.token]}
rules:
  - {name: chiefs, roles: [chief], effect: allow}
  - {name: rest, effect: mask, mask: {kind: token, key: pepper}}
---
apiVersion: dictamesh/v1
kind: Policy
name: some
owner: o
match: {tags: [pii.some]}
rules:
  - {name: chiefs, roles: [chief], effect: allow}
  - {name: own-level, where: "level < 2", effect: allow}
  - {name: rest, effect: mask, mask: {kind: redact}}
"""
OPEN = """
apiVersion: dictamesh/v1
kind: Policy
name: open
owner: o
match: {tiers: [restricted]}
rules: [{name: everyone, effect: allow}]
"""
COLUMNS = ("id", "team", "level", "email", "phone", "secret", "iban", "born", "pay", "note", "boss_id", "ref")
Row = tuple[Any, ...]
ONE: list[Row] = [
    (1, "a", 1, "ann@x.example", "030 1111", "indigo", "DE1100001234", "1990-05-01", 3100, "open", 2, "R-11"),
    (2, "a", 2, "bob@x.example", "030 2222", "crimson", "DE2200001234", "1990-11-30", 3900, "mild", 3, "R-12"),
    (3, "b", 3, "cid@x.example", "030 3333", "olive", "DE3300001234", "1970-12-01", 3300, "fair", 1, "R-13"),
]
TWO: list[Row] = [
    # other values of the same people: none that a caller without rights may tell (that there is one, may be told)
    (1, "a", 1, "zoe@y.example", None, "ochre", "FR9900001234", "1990-12-31", 3700, "open", 3, "S-21"),
    (2, "a", 2, "yan@y.example", "99 9999", None, "FR8800001234", "1990-01-15", 3200, "cold", 1, "S-22"),
    (3, "b", 3, "ann@x.example", "030 1111", "indigo", "FR7700001234", "1970-02-02", 3999, "rough", 2, "S-23"),
]
BADGES = {"one": [("A-1", "red"), ("B-2", "blue")], "two": [("C-3", "red"), ("D-4", "blue")]}
ATTEMPTS = re.compile(r"^dictamesh_source_attempts_total\{[^}]*\} ([0-9.e+]+)", re.MULTILINE)
SECRETS = {name: f"{name.lower()}-0123456789abcdef" for name in ("PEPPER", "READER", "CHIEF")}


@dataclass(frozen=True)
class World:
    """A mesh that is serving one world."""

    runtime: Runtime
    config: Path
    data: Path

    async def said(self, query: str, key: str | None = "reader", **more: Any) -> str:
        """The whole answer to an operation, without what differs from request to request."""
        body = {"query": query, **more}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.runtime.url}/graphql", json=body, headers=headers(key)) as response,
        ):
            return plain(await response.text())

    async def got(self, path: str, key: str | None = "reader") -> str:
        """The answer to a GET request, its status first."""
        status, text = await self.runtime.fetch(path, headers(key))
        return plain(f"{status} {text}")

    async def posted(self, path: str, body: object, key: str) -> tuple[int, Any]:
        """The answer to a POST request."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.runtime.url}{path}", json=body, headers=headers(key)) as response,
        ):
            return response.status, await response.json()

    async def asked(self) -> float:
        """How many calls the sources have got so far."""
        found = re.findall(
            r"^dictamesh_source_attempts_total\{[^}]*\} ([0-9.e+]+)", await self.runtime.metrics(), re.MULTILINE
        )
        return sum(map(float, found))


def headers(key: str | None) -> dict[str, str]:
    return {"X-API-Key": f"{key}-0123456789abcdef"} if key else {}


def plain(text: str) -> str:
    """An answer without trace ids and times of the catalog's rows."""
    text = re.sub(r'"trace_?[iI]d":"[0-9a-f]+"', '"traceId":""', text)
    text = re.sub(r'"id":"[0-9a-f]{8}-[0-9a-f-]{27}"', '"id":""', text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|\+00:00)", "...", text)


def _write(folder: Path, rows: list[Row], badges: list[tuple[str, str]], policies: str) -> Path:
    auditor = "chief" if policies is CLOSED else "reader"
    files = {
        "mesh.yaml": MESH.replace("AUDITOR", auditor),
        "taxonomy.yaml": TAXONOMY,
        "people.yaml": PEOPLE,
        "policies.yaml": policies,
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    with closing(sqlite3.connect(folder / "people.sqlite")) as db, db:
        db.execute(f"CREATE TABLE people ({', '.join(COLUMNS)})")
        db.executemany(f"INSERT INTO people VALUES ({', '.join('?' * len(COLUMNS))})", rows)
        db.execute("CREATE TABLE badges (code, colour)")
        db.executemany("INSERT INTO badges VALUES (?, ?)", badges)
    return folder / "mesh.yaml"


def _source(rows: list[Row]) -> web.Application:
    items = [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    async def people(_request: web.Request) -> web.Response:
        return web.json_response({"items": items})

    async def person(request: web.Request) -> web.Response:
        found = next((each for each in items if str(each["id"]) == request.match_info["id"]), None)
        return web.json_response({"item": found}) if found else web.json_response({}, status=404)

    app = web.Application()
    app.router.add_get("/people", people)
    app.router.add_get("/people/{id}", person)
    return app


@asynccontextmanager
async def world(folder: Path, rows: list[Row], badges: list[tuple[str, str]], policies: str) -> AsyncIterator[World]:
    """Start a mesh over one world."""
    folder.mkdir()
    config = _write(folder, rows, badges, policies)
    async with AsyncExitStack() as stack:
        url = await listen(stack, _source(rows), 0)
        runtime = await stack.enter_async_context(
            running(config, folder / "data", {"WEB": url, **SECRETS}, "--log-level", "info")
        )
        yield World(runtime, config, folder / "data")


def answers(text: str) -> dict[str, Any]:
    """An answer as JSON."""
    return json.loads(text)

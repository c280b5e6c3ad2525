# SPDX-License-Identifier: Apache-2.0
"""Two worlds that differ only in what a caller may not see give the same bytes (S4, S16..S20)."""

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from examples.sources.serve import listen
from tests.support.running import Runtime, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: probes
include: [taxonomy.yaml, p.yaml]
servers:
  db: {type: sqlite, path: probes.sqlite}
  web: {type: rest, url: "${env:WEB}"}
  lake: {type: file, path: lake}
roles: [reader, chief]
purposes: [care, sale]
security:
  claims: {areas: [string]}
  keys: {pepper: "${env:PEPPER}"}
  apiKeys:
    - {name: reader, key: "${env:READER}", roles: [reader], purposes: [care], claims: {areas: [north]}}
    - {name: nobody, key: "${env:NOBODY}"}
    - {name: chief, key: "${env:CHIEF}", roles: [chief]}
"""
TAXONOMY = """
apiVersion: dictamesh/v1
kind: Taxonomy
tags: {pii: {pii: true, description: personal}, money: {description: money}}
"""
FIELDS = """
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
      - {name: area, logicalType: string, classification: public}
      - {name: name, logicalType: string, required: true, classification: restricted, tags: [pii]}
      - {name: alias, physicalName: name, logicalType: string, classification: restricted, tags: [pii]}
      - {name: initial, logicalType: string, transformLogic: "SUBSTR(self.name, 1, 1)",
         classification: restricted, tags: [pii]}
      - {name: pay, logicalType: integer, required: true, classification: confidential, tags: [money]}
      - {name: rate, logicalType: integer, transformLogic: "1000 / pay", classification: confidential, tags: [money]}
      - {name: bossId, physicalName: boss_id, logicalType: integer, classification: restricted}
      - {name: colour, logicalType: string, classification: public}
      - {name: seen, logicalType: timestamp, classification: public}
      - {name: level, logicalType: integer, classification: public}
"""
SOURCE = {
    "Db": "source: {server: db}",
    "Web": "source: {server: web, Web: {list: {path: /people, records: items}}}",
    "Lake": "source: {server: lake}",
    "Line": "source: {server: lake}",
}
PRODUCT = """
apiVersion: dictamesh/v1
kind: DataProduct
id: KINDs
name: KINDs
version: 1.0.0
status: active
domain: KIND
schema:
  - name: KIND
    physicalName: TABLE
FIELDS
SOURCE
relations:
  - {name: boss, from: KIND.bossId, to: KIND.id, cardinality: many-to-one, inverse: staff}
  - {name: twin, from: KIND.name, to: KIND.alias, cardinality: many-to-one}
"""
NOTES = """
apiVersion: dictamesh/v1
kind: DataProduct
id: notes
name: notes
version: 1.0.0
status: active
domain: n
schema:
  - name: Note
    physicalName: notes
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
      - {name: personId, physicalName: person_id, logicalType: integer, classification: public}
      - {name: text, logicalType: string, classification: public}
source: {server: db}
relations:
  - {name: person, from: Note.personId, to: Dbs#Db.id, cardinality: many-to-one, inverse: notes, restrict: true}
"""
POLICIES = """
apiVersion: dictamesh/v1
kind: Policy
name: pii
owner: o
match: {tags: [pii]}
rules:
  - {name: red, roles: [reader], where: "colour = 'red'", effect: mask, mask: {kind: redact}}
  - {name: chiefs, roles: [chief], effect: allow}
  - {name: rest, effect: mask, mask: {kind: nullify}}
---
apiVersion: dictamesh/v1
kind: Policy
name: rows
owner: o
match: {products: [Dbs, Webs, Lakes, Lines]}
rows: [{name: own, roles: [reader], keep: "area = ANY(principal.areas)"}, {name: all, roles: [chief], keep: all},
       {name: none, keep: "area = 'nowhere'"}]
---
apiVersion: dictamesh/v1
kind: Policy
name: ends
owner: o
match: {fields: [bossId]}
rules: [{name: chiefs, roles: [chief], effect: allow}]
---
apiVersion: dictamesh/v1
kind: Policy
name: money
owner: o
match: {tags: [money]}
rules: [{name: chiefs, roles: [chief], effect: allow}]
"""
COLUMNS = ("id", "area", "name", "pay", "boss_id", "colour", "seen", "level")
Cells = tuple[Any, ...]
SHOWN = [(1, "north", "red"), (2, "north", "blue"), (3, "north", "red"), (4, "north", None)]
DAY = "2026-01-05T10:00:00Z"
WORLDS: dict[str, list[Cells]] = {
    "one": [
        *((n, area, f"Ann {n}", n * 10, 1, colour, DAY, n) for n, area, colour in SHOWN),
        (5, "south", "Eve", 5, 2, "red", DAY, 5),
        (6, "south", "Fay", 6, 1, "blue", DAY, 6),
    ],
    # other names, orders of names, bosses; wrong and missing pay; hidden rows gone, added and broken
    "two": [
        *((n, area, f"Zoe {9 - n}", [0, None, -7, 2**40][n - 1], 5 - n, colour, DAY, n) for n, area, colour in SHOWN),
        (7, "south", "Ann 1", None, 1, "red", 1767600000, "many"),
        (8, None, "Ann 2", 0, 3, "red", "never", 2.5),
        (9, "south", None, 1, 2, "\u0000", None, 2**70),
    ],
}
USES = [
    '{ %(many)s(filter: {name: {like: "A%%"}}) { id } }',
    '{ %(many)s(filter: {or: [{colour: {eq: "red"}}, {not: {alias: {isNull: true}}}]}) { id } }',
    "{ %(many)s(orderBy: [{area: ASC}, {pay: DESC}]) { id } }",
    "{ %(many)sCount(filter: {pay: {gt: 5}}) }",
    "{ %(many)sCount(filter: {and: [{initial: {in: []}}]}) }",
    "{ %(many)s { id staff(filter: {name: {isNull: false}}) { id } } }",
    "{ %(many)s { id staff(orderBy: [{name: ASC}]) { id } } }",
    '{ %(many)s(filter: {boss: {colour: {eq: "red"}}}) { id } }',
    "{ %(many)s(filter: {boss: {name: {isNull: true}}}) { id } }",
    "{ a: %(many)s { id ...F } } fragment F on %(kind)s { staff { id } }",
    "{ %(many)s { boss { colour } } }",
]
READS = [
    "{ %(many)s { id seen level } }",
    '{ %(many)s(filter: {seen: {gt: "2026-01-01T00:00:00Z"}, level: {gt: 1}}, orderBy: [{seen: ASC}]) { id } }',
    "{ %(many)s(orderBy: [{level: DESC}]) { id level } %(many)sCount(filter: {level: {ne: 2}}) }",
    "{ %(many)s { id area colour name alias initial pay rate bossId } %(many)sCount }",
    "{ %(many)s(limit: 2, offset: 1) { id name pay } }",
    '{ %(many)s(filter: {colour: {ne: "red"}}) { id name } }',
    '{ %(many)s(filter: {not: {colour: {eq: "red"}}}, orderBy: [{colour: DESC}]) { id alias } }',
    "{ a: %(one)s(id: 1) { name pay } b: %(one)s(id: 5) { id name pay } }",
    "{ c: %(one)s(id: 7) { id } d: %(one)s(id: 9) { id } }",
    '{ %(many)s(filter: {area: {isNull: true}}) { id } %(many)sCount(filter: {area: {ne: "north"}}) }',
    "{ %(many)s { id twin { id } } }",
]
NOTE_READS = [
    "{ notes { id text person { id name pay } } notesCount }",
    "{ notes(filter: {person: {area: {isNull: true}}}) { id } }",
    '{ notes(filter: {or: [{person: {colour: {eq: "red"}}}, {text: {eq: "n5"}}]}) { id } note(id: 5) { id } }',
    "{ notes(limit: 3) { id } }",
    "{ dbs { notes { id } } }",
]


def tree(folder: Path) -> Path:
    files = {"mesh.yaml": MESH, "taxonomy.yaml": TAXONOMY}
    parts = []
    for kind, table in (("Db", "people"), ("Web", "people"), ("Lake", "people.csv"), ("Line", "people.jsonl")):
        text = PRODUCT.replace("FIELDS", FIELDS).replace("SOURCE", SOURCE[kind])
        parts.append(text.replace("KIND", kind).replace("TABLE", table))
    files["p.yaml"] = "\n---\n".join([*parts, NOTES, POLICIES])
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder / "mesh.yaml"


def sources(folder: Path, rows: list[Cells]) -> web.Application:
    with closing(sqlite3.connect(folder / "probes.sqlite")) as db, db:
        db.execute("CREATE TABLE people (id, area, name, pay, boss_id, colour, seen, level)")
        stored = [tuple(str(cell) if cell == 2**70 else cell for cell in row) for row in rows]
        db.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?, ?)", stored)
        db.execute("CREATE TABLE notes (id, person_id, text)")
        notes = [(n, n, f"n{n}") for n in range(1, 5)]
        hidden = [(n + 4, row[0], f"n{n + 4}") for n, row in enumerate(rows[4:], 1)]
        db.executemany("INSERT INTO notes VALUES (?, ?, ?)", [*notes, *hidden])
    (folder / "lake").mkdir()
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in (COLUMNS, *rows)]
    (folder / "lake" / "people.csv").write_text("\n".join(lines).replace("\u0000", "x") + "\n")
    items = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    (folder / "lake" / "people.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in items))

    async def people(_request: web.Request) -> web.Response:
        return web.json_response({"items": items})

    app = web.Application()
    app.router.add_get("/people", people)
    return app


@asynccontextmanager
async def world(folder: Path, rows: list[Cells]) -> AsyncIterator[Runtime]:
    folder.mkdir()
    async with AsyncExitStack() as stack:
        url = await listen(stack, sources(folder, rows), 0)
        secrets = {name: f"{name.lower()}-0123456789abcdef" for name in ("PEPPER", "READER", "NOBODY", "CHIEF")}
        yield await stack.enter_async_context(
            running(tree(folder), folder / "data", {"WEB": url, **secrets}, "--log-level", "error")
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worlds(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Runtime]]:
    folder = tmp_path_factory.mktemp("worlds")
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(world(folder / name, rows)) for name, rows in WORLDS.items()]


async def said(runtime: Runtime, query: str, key: str | None) -> tuple[int, str]:
    """The status and the whole body, its trace id aside."""
    headers = {"X-API-Key": f"{key}-0123456789abcdef"} if key else {}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{runtime.url}/graphql", json={"query": query}, headers=headers) as response,
    ):
        return response.status, re.sub(r'"traceId":"[0-9a-f]+"', '"traceId":""', await response.text())


def asked(kind: str, query: str) -> str:
    return query % {"many": f"{kind.lower()}s", "one": kind.lower(), "kind": kind}


CASES = [(kind, query) for kind in SOURCE for query in [*READS, *USES]] + [("Db", query) for query in NOTE_READS]


@pytest.mark.parametrize(("kind", "query"), CASES)
async def test_what_is_withheld_changes_no_byte(worlds: list[Runtime], kind: str, query: str) -> None:
    for key in (None, "nobody", "reader"):
        answers = [await said(runtime, asked(kind, query), key) for runtime in worlds]
        assert answers[0] == answers[1], key
        if query in USES:
            assert '"code":"FORBIDDEN"' in answers[0][1], answers[0][1]
            assert '"data"' not in answers[0][1], answers[0][1]
        else:
            assert '"VALIDATION_ERROR"' not in answers[0][1]


async def test_whoever_sees_all_sees_the_difference(worlds: list[Runtime]) -> None:
    """Without this the probes above could be blind."""
    everything = "{ %(many)s { id name alias initial pay rate bossId boss { id } staff { id } } }"
    for kind in SOURCE:
        one, two = [json.loads((await said(runtime, asked(kind, everything), "chief"))[1]) for runtime in worlds]
        rows = one["data"][f"{kind.lower()}s"]
        assert [row["name"] for row in rows][:2] == ["Ann 1", "Ann 2"]
        assert rows[4]["boss"] == {"id": 2}
        assert one != two


async def test_nothing_is_told_in_output(worlds: list[Runtime]) -> None:
    for runtime in worlds:
        text = "".join(runtime.output + runtime.errors)
        assert "Traceback" not in text
        assert not any(name in text for name in ("Ann ", "Zoe ", "Eve", "Fay"))

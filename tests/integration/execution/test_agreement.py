# SPDX-License-Identifier: Apache-2.0
"""The same rows in databases, which filter and sort themselves, and behind REST, where Python does (S9)."""

import json
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dictamesh.runtime.governance.principal import Principal
from tests.integration.execution.harness import Running, compiled, listening, memory, running
from tests.integration.execution.tables import Tables
from tests.support.postgres import fresh_database

PROPERTIES = """
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: parentId, physicalName: parent_id, logicalType: integer, classification: public}
      - {name: text, logicalType: string, classification: public}
      - {name: whole, logicalType: integer, classification: public}
      - {name: big, logicalType: integer, logicalTypeOptions: {format: i64}, classification: public}
      - {name: ratio, logicalType: number, classification: public}
      - {name: money, logicalType: number, physicalType: "decimal(10,2)", classification: public}
      - {name: flag, logicalType: boolean, classification: public}
      - {name: day, logicalType: date, classification: public}
      - {name: moment, logicalType: timestamp, classification: public}
      - {name: twice, logicalType: integer, transformLogic: "whole + whole", classification: public}
      - {name: label, logicalType: string, transformLogic: "upper(text) || '!'", classification: public}
      - name: state
        logicalType: string
        classification: public
        quality: [{type: library, metric: invalidValues, arguments: {validValues: [new, old, "far gone"]}, mustBe: 0}]
"""
PARENT = """
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
      - {name: name, logicalType: string, classification: public}
      - {name: score, logicalType: integer, classification: public}
"""


def product(name: str, entity: str, parent: str, source: str, ending: str = "") -> str:
    return f"""
apiVersion: dictamesh/v1
kind: DataProduct
id: {name}
name: {name}
version: 1.0.0
status: active
domain: test
schema:
  - name: {entity}
    physicalName: things{ending}
    properties:{PROPERTIES}
  - name: {parent}
    physicalName: parents{ending}
    properties:{PARENT}
source:
{source}
relations:
  - {{name: parent, from: {entity}.parentId, to: {parent}.id, cardinality: many-to-one, inverse: things}}
"""


def listing(path: str) -> str:
    batch = f"batch: {{path: /{path}, query: {{ids: '{{ids}}'}}, records: items}}"
    return f"{{list: {{path: /{path}, records: items}}, {batch}}}"


MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: twins
include: [db.yaml, web.yaml, policies.yaml]
servers:
  db: DB
  web: {type: rest, url: "http://127.0.0.1:1"}
roles: [narrow]
security: {claims: {states: [string]}}
"""
SERVERS = {
    "sqlite": "{type: sqlite, path: x.sqlite}",
    "file": "{type: file, path: .}",
    "postgres": '{type: postgres, dsn: "${env:DSN}"}',
}
POLICIES = """
apiVersion: dictamesh/v1
kind: Policy
name: rows
owner: office
match: {entities: [Pushed, Local]}
rows:
  - {name: own, roles: [narrow], keep: "state = ANY(principal.states) AND parent.score > 0"}
---
apiVersion: dictamesh/v1
kind: Policy
name: parents
owner: office
match: {entities: [PushedParent, LocalParent]}
rows:
  - {name: own, roles: [narrow], keep: "score <> 2 OR name IS NULL"}
"""
NARROW = Principal("narrow", True, frozenset({"narrow"}), None, (), {"states": ("new", "far gone")})
COLUMNS = ("id", "parent_id", "text", "whole", "big", "ratio", "money", "flag", "day", "moment", "state")
TEXTS = ["", "a", "A", "b%", "_", "é", "Z", "zz", "a b", "\U0001f600", "\uffee"]
WHOLES = [-2, -1, 0, 1, 2, 3, 1_000_000]
BIGS = [-(2**62), 0, 1, 2**53 + 1, 2**62]
RATIOS = [-1.5, 0.0, 0.1, 2.5, 1e10]
MONEYS = [-1.5, 0, 0.015, 0.025, 19.99, 19.994, 100]
DAYS = ["2023-12-31", "2024-02-29", "2024-03-01"]
MOMENTS = ["2024-02-29 10:00:00", "2024-02-29 10:00:01", "2025-01-01 00:00:00"]
STATES = ["new", "old", "far gone"]
ENUMS = {"new": "new", "old": "old", "far gone": "far_gone"}


def rows(draw: random.Random, count: int) -> list[dict[str, Any]]:
    def some(values: list[Any]) -> Any:
        return None if draw.random() < 0.2 else draw.choice(values)

    return [
        {
            "id": f"t{n:03}",
            "parent_id": some([1, 2, 3, 4, 9]),
            "text": some(TEXTS),
            "whole": some(WHOLES),
            "big": some(BIGS),
            "ratio": some(RATIOS),
            "money": some(MONEYS),
            "flag": some([True, False]),
            "day": some(DAYS),
            "moment": some(MOMENTS),
            "state": some(STATES),
        }
        for n in range(count)
    ]


PARENTS = [
    {"id": n, "name": name, "score": score}
    for n, (name, score) in enumerate([("x", 1), (None, 2), ("y", 0), ("z", 2)], 1)
]


def fill_files(folder: Path, things: list[dict[str, Any]]) -> None:
    for name, lines in (("things", things), ("parents", PARENTS)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def fill_postgres(dsn: str, things: list[dict[str, Any]]) -> None:
    with psycopg.connect(dsn) as db, db.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE things (id text PRIMARY KEY, parent_id integer, text text, whole integer, big bigint,"
            " ratio double precision, money numeric, flag boolean, day date, moment timestamp, state text)"
        )
        cursor.execute("CREATE TABLE parents (id integer PRIMARY KEY, name text, score integer)")
        cursor.executemany(f"INSERT INTO things VALUES ({', '.join(f'%({column})s' for column in COLUMNS)})", things)
        cursor.executemany("INSERT INTO parents VALUES (%(id)s, %(name)s, %(score)s)", PARENTS)


def fill_sqlite(path: Path, things: list[dict[str, Any]]) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE things (id text PRIMARY KEY, parent_id integer, text text, whole integer, big integer,"
            " ratio real, money numeric, flag integer, day date, moment timestamp, state text)"
        )
        db.execute("CREATE TABLE parents (id integer PRIMARY KEY, name text, score integer)")
        db.executemany(
            f"INSERT INTO things VALUES ({', '.join(f':{column}' for column in COLUMNS)})",
            things,
        )
        db.executemany("INSERT INTO parents VALUES (:id, :name, :score)", PARENTS)


@dataclass
class Twins:
    mesh: Running
    web: Tables


def server(kind: str, folder: Path, things: list[dict[str, Any]], request: pytest.FixtureRequest) -> dict[str, Any]:
    """Fill a database or a folder of files and return the options of its server."""
    if kind == "postgres":
        dsn = request.getfixturevalue("database")
        fill_postgres(dsn, things)
        return {"dsn": dsn}
    if kind == "file":
        fill_files(folder, things)
        return {"path": "."}
    fill_sqlite(folder / "x.sqlite", things)
    return {"path": "x.sqlite"}


@pytest.fixture
def database(embedded_dsn: str) -> Iterator[str]:
    with fresh_database(embedded_dsn) as dsn:
        yield dsn


ENGINES = ("sqlite", "file", "postgres")


@dataclass
class Stored:
    kind: str
    options: dict[str, Any]
    things: list[dict[str, Any]]


@pytest.fixture(params=ENGINES)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Stored:
    things = rows(random.Random(7), 120)
    return Stored(request.param, server(request.param, tmp_path, things, request), things)


@pytest.fixture
async def twins(stored: Stored, tmp_path: Path) -> AsyncIterator[Twins]:
    things = stored.things
    web = Tables({"things": things, "parents": PARENTS})
    plan = compiled(
        memory(
            mesh=MESH.replace("DB", SERVERS[stored.kind]),
            db=product("db", "Pushed", "PushedParent", "  server: db", ".jsonl" if stored.kind == "file" else ""),
            web=product(
                "web",
                "Local",
                "LocalParent",
                f"  server: web\n  Local: {listing('things')}\n  LocalParent: {listing('parents')}",
            ),
            policies=POLICIES,
        )
    )
    async with (
        listening(web.app()) as url,
        running(plan, {"db": stored.options, "web": {"url": url}}, tmp_path) as mesh,
    ):
        yield Twins(mesh, web)


def written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def operand(draw: random.Random, name: str) -> str:
    values = {
        "id": [f"t{n:03}" for n in (0, 5, 50, 119)],
        "text": TEXTS,
        "label": ["A!", "!", "É!"],
        "whole": WHOLES,
        "twice": [-4, 0, 2, 6],
        "parentId": [1, 2, 3],
        "ratio": RATIOS,
        "flag": [True, False],
        "day": DAYS,
        "name": ["x", "y", "q"],
        "score": [0, 1, 2],
    }
    if name == "state":
        return ENUMS[draw.choice(STATES)]
    if name == "big":
        return written(str(draw.choice(BIGS)))
    if name == "money":
        return written(draw.choice(["0.02", "0.03", "19.99", "-1.5", "100", "0.015"]))
    if name == "moment":
        return written(draw.choice(MOMENTS).replace(" ", "T") + "Z")
    return written(draw.choice(values[name]))


def comparison(draw: random.Random, name: str) -> str:
    operators = ["eq", "ne", "in", "isNull"]
    if name not in {"state", "flag"}:
        operators += ["lt", "lte", "gt", "gte"]
    if name in {"text", "label", "id", "name"}:
        operators.append("like")
    operator = draw.choice(operators)
    match operator:
        case "isNull":
            return f"isNull: {written(draw.random() < 0.5)}"
        case "in":
            return f"in: [{', '.join(operand(draw, name) for _ in range(draw.randrange(3)))}]"
        case "like":
            return f"like: {written(draw.choice(['%', 'a%', '_', '%b%', 'b!%', 't00_', '', '%z', 'A_']))}"
        case _:
            return f"{operator}: {operand(draw, name)}"


FIELDS = (
    "id",
    "parentId",
    "text",
    "whole",
    "big",
    "ratio",
    "money",
    "flag",
    "day",
    "moment",
    "twice",
    "label",
    "state",
)


def condition(draw: random.Random, depth: int = 0) -> str:
    kind = draw.random()
    if depth < 3 and kind < 0.35:
        word = draw.choice(["and", "or", "not"])
        if word == "not":
            return f"{{not: {condition(draw, depth + 1)}}}"
        inner = ", ".join(condition(draw, depth + 1) for _ in range(draw.randrange(3)))
        return f"{{{word}: [{inner}]}}"
    if kind < 0.5:
        name = draw.choice(["id", "name", "score"])
        inner = comparison(draw, name) if name != "id" else f"gte: {draw.randrange(1, 5)}"
        return f"{{parent: {{{name}: {{{inner}}}}}}}"
    names = draw.sample(FIELDS, draw.choice([1, 1, 2]))
    return "{" + ", ".join(f"{name}: {{{comparison(draw, name)}}}" for name in names) + "}"


def arguments(draw: random.Random) -> str:
    parts = [f"limit: {draw.choice([0, 1, 7, 500])}"]
    if draw.random() < 0.8:
        parts.append(f"filter: {condition(draw)}")
    if draw.random() < 0.7:
        keys = ", ".join(f"{{{name}: {draw.choice(['ASC', 'DESC'])}}}" for name in draw.sample(FIELDS, 2))
        parts.append(f"orderBy: [{keys}]")
    if draw.random() < 0.3:
        parts.append(f"offset: {draw.choice([1, 5, 60])}")
    return ", ".join(parts)


SHOWN = "id text whole big ratio money flag day moment twice label state parent { id name score }"


@pytest.mark.parametrize("principal", [None, NARROW], ids=["all rows", "row filters"])
@pytest.mark.parametrize("seed", range(3))
async def test_lists_and_counts_agree(twins: Twins, seed: int, principal: Principal | None) -> None:
    draw = random.Random(seed)
    pushed = 0
    for _ in range(30):
        given, counted = arguments(draw), condition(draw)
        query = f"""{{ pushed: pusheds({given}) {{ {SHOWN} }} local: locals({given}) {{ {SHOWN} }}
                       pushedCount: pushedsCount(filter: {counted}) localCount: localsCount(filter: {counted}) }}"""
        body = await twins.mesh.ask(query, principal or Principal("x", True))
        assert "errors" not in body, (query, body["errors"])
        data = body["data"]
        assert data["pushed"] == data["local"], query
        assert data["pushedCount"] == data["localCount"], query
        pushed += len(data["pushed"])
    assert pushed > 50  # the random questions are not all about nothing
    fetched = {address: twins.mesh.adapters[address].tally.rows for address in ("db#Pushed", "web#Local")}
    assert fetched["db#Pushed"] < fetched["web#Local"] / 2  # the database did most of the work


@pytest.mark.parametrize("principal", [None, NARROW], ids=["all rows", "row filters"])
async def test_relations_to_many_agree(twins: Twins, principal: Principal | None) -> None:
    draw = random.Random(11)
    for _ in range(30):
        given = arguments(draw)
        below = f"things({given}) {{ id text parent {{ name }} }}"
        query = (
            f"{{ pushed: pushedParents(limit: 10) {{ id {below} }} local: localParents(limit: 10) {{ id {below} }} }}"
        )
        data = await twins.mesh.data(query, principal or Principal("x", True))
        assert data["pushed"] == data["local"], query


async def test_a_database_is_asked_once_per_level(twins: Twins) -> None:
    query = """{ pusheds(filter: {text: {ne: "a"}, parent: {score: {gt: 0}}}, orderBy: [{text: DESC}], limit: 3) { id
                 parent { id things(limit: 2, orderBy: [{whole: ASC}]) { id } } } }"""
    await twins.mesh.data(query, NARROW)
    assert twins.mesh.calls == {"db": 3}
    tallies = {name: twins.mesh.adapters[f"db#{name}"].tally for name in ("Pushed", "PushedParent")}
    assert tallies["Pushed"].rows <= 3 + 3 * 2  # nothing was read to be thrown away
    assert tallies["PushedParent"].reads == 1

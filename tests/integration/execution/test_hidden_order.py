# SPDX-License-Identifier: Apache-2.0
"""Where the key is hidden, the order of rows tells nothing of it, and pages still fit together (S9, S20)."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dictamesh.runtime.governance.principal import Principal
from tests.integration.execution.harness import Running, compiled, memory, running
from tests.support.postgres import fresh_database

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: cards
include: [taxonomy.yaml, cards.yaml, policy.yaml]
servers: {db: DB}
roles: [reader, chief]
security: {keys: {pepper: "${env:PEPPER}"}}
"""
TAXONOMY = """
apiVersion: dictamesh/v1
kind: Taxonomy
tags: {secret: {pii: true, description: personal}}
"""
PRODUCT = """
apiVersion: dictamesh/v1
kind: DataProduct
id: cards
name: cards
version: 1.0.0
status: active
domain: test
schema:
  - name: Team
    physicalName: teams
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
  - name: Card
    physicalName: cards
    properties:
      - {name: code, logicalType: KIND, primaryKey: true, required: true, classification: restricted, tags: [secret]}
      - {name: n, logicalType: integer, classification: public}
      - {name: teamId, physicalName: team_id, logicalType: integer, classification: public}
      - {name: colour, logicalType: string, classification: public}
      - {name: word, logicalType: string, transformLogic: "initcap(colour)", classification: public}
source: SOURCE
relations:
  - {name: team, from: Card.teamId, to: Team.id, cardinality: many-to-one, inverse: cards}
"""
POLICY = """
apiVersion: dictamesh/v1
kind: Policy
name: all
owner: o
match: {tags: [secret]}
rules: [{name: readers, roles: [reader], effect: mask, mask: {kind: MASK}}]
"""
READER = Principal("reader", True, frozenset({"reader"}))
COUNT = 60
SQL: dict[str, tuple[str, type]] = {"string": ("text", str), "integer": ("integer", int)}
SOURCES = {
    "string": "{server: db, Card: {surrogate: {hmac: pepper}}}",
    "integer": "{server: db, Card: {allowPiiKey: shown rounded}}",
}
MASKS = {"string": "redact", "integer": "generalise, step: 1000"}
ROWS = [(n + 100, n, n % 3, ("red", "blue")[n % 2]) for n in range(COUNT)]


@pytest.fixture(params=[("sqlite", "string"), ("sqlite", "integer"), ("postgres", "string"), ("postgres", "integer")])
async def cards(request: pytest.FixtureRequest, tmp_path: Path, embedded_dsn: str) -> AsyncIterator[Running]:
    engine, kind = request.param
    with ExitStack() as stack:
        if engine == "sqlite":
            db = stack.enter_context(closing(sqlite3.connect(tmp_path / "x.sqlite")))
            server, options = "{type: sqlite, path: x.sqlite}", {"path": "x.sqlite"}
            fill(db.cursor(), kind, "?")
            db.commit()
        else:
            dsn = stack.enter_context(fresh_database(embedded_dsn))
            server, options = '{type: postgres, dsn: "${env:DSN}"}', {"dsn": dsn}
            with psycopg.connect(dsn) as connection:
                fill(connection.cursor(), kind, "%s")
        texts = {
            "mesh": MESH.replace("DB", server),
            "taxonomy": TAXONOMY,
            "cards": PRODUCT.replace("KIND", kind).replace("SOURCE", SOURCES[kind]),
            "policy": POLICY.replace("MASK", MASKS[kind]),
        }
        async with running(compiled(memory(**texts)), {"db": options}, tmp_path, keys={"pepper": b"p" * 32}) as mesh:
            yield mesh


def fill(cursor: Any, kind: str, mark: str) -> None:
    cursor.execute(f"CREATE TABLE cards (code {SQL[kind][0]}, n integer, team_id integer, colour text)")
    cursor.executemany(
        f"INSERT INTO cards VALUES ({', '.join([mark] * 4)})", [(SQL[kind][1](row[0]), *row[1:]) for row in ROWS]
    )
    cursor.execute("CREATE TABLE teams (id integer)")
    cursor.executemany(f"INSERT INTO teams VALUES ({mark})", [(n,) for n in range(3)])


async def numbers(mesh: Running, arguments: str = "") -> list[int]:
    return [row["n"] for row in (await mesh.data(f"{{ cards{arguments} {{ n }} }}", READER))["cards"]]


async def test_the_order_tells_nothing_of_the_key(cards: Running) -> None:
    found = await numbers(cards)
    assert sorted(found) == list(range(COUNT))
    rising = sum(one < two for one, two in pairwise(found))
    assert 15 < rising < 45  # 59 in order of the keys; random orders lie between these but for one in 10**10


async def test_pages_fit_together(cards: Running) -> None:
    whole = await numbers(cards)
    pages = [await numbers(cards, f"(limit: 7, offset: {offset})") for offset in range(0, COUNT, 7)]
    assert [n for page in pages for n in page] == whole


async def test_ties_are_broken_alike_by_sources_and_here(cards: Running) -> None:
    """An order by `word` is made here, for no engine capitalises words as the language does."""
    whole = await numbers(cards)
    for field in ("colour", "word"):
        expected = sorted(whole, key=lambda n: ROWS[n][3])
        assert await numbers(cards, f"(orderBy: [{{{field}: ASC}}])") == expected


async def test_lists_of_relations_are_in_the_same_order(cards: Running) -> None:
    whole = await numbers(cards)
    data = await cards.data("{ teams { id cards { n } } }", READER)
    for team in data["teams"]:
        assert [row["n"] for row in team["cards"]] == [n for n in whole if ROWS[n][2] == team["id"]]

# SPDX-License-Identifier: Apache-2.0
"""What GraphQL itself can say: fragments, directives, aliases, variables; keys of several parts; to-one ends."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from dictamesh.runtime.adapters.product import DataProductAdapter, EntityNotFound, unrestricted
from dictamesh.runtime.governance.masks import pseudonym
from dictamesh.runtime.governance.principal import Principal
from tests.integration.execution.harness import Running, compiled, memory, running

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: depot
include: [taxonomy.yaml, depot.yaml, policies.yaml]
servers: {db: {type: sqlite, path: x.sqlite}}
roles: [clerk]
security: {keys: {pepper: "${env:PEPPER}"}}
"""
TAXONOMY = """
apiVersion: dictamesh/v1
kind: Taxonomy
tiers: [public, internal, confidential, restricted]
tags: {pii: {pii: true, description: personal}}
"""
PRODUCT = """
apiVersion: dictamesh/v1
kind: DataProduct
id: depot
name: depot
version: 2.1.0
status: active
domain: depot
schema:
  - name: Bin
    physicalName: bins
    properties:
      - {name: aisle, logicalType: string, primaryKey: true, primaryKeyPosition: 1, classification: public}
      - {name: place, logicalType: integer, primaryKey: true, primaryKeyPosition: 2, classification: public}
      - {name: weight, logicalType: number, physicalType: "decimal(8,3)", classification: public}
      - {name: nextAisle, physicalName: next_aisle, logicalType: string, classification: public}
      - {name: nextPlace, physicalName: next_place, logicalType: integer, classification: public}
      - {name: stale, logicalType: boolean, transformLogic: "checked < CURRENT_DATE", classification: public}
      - {name: extra, logicalType: object, classification: public}
  - name: Label
    physicalName: labels
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
      - {name: aisle, logicalType: string, classification: public}
      - {name: words, logicalType: string, classification: public}
  - name: Worker
    physicalName: workers
    properties:
      - {name: mail, logicalType: string, primaryKey: true, required: true, classification: restricted, tags: [pii]}
      - {name: shift, logicalType: string, classification: public}
slaProperties: [{property: latency, value: 60, unit: s}]
source:
  server: db
  Bin: {columns: {checked: date}}
  Worker: {surrogate: {hmac: pepper}}
relations:
  - name: next
    from: [Bin.nextAisle, Bin.nextPlace]
    to: [Bin.aisle, Bin.place]
    cardinality: many-to-one
    inverse: previous
  - {name: label, from: Bin.aisle, to: Label.aisle, cardinality: many-to-one, inverse: bins}
"""
POLICIES = """
apiVersion: dictamesh/v1
kind: Policy
name: nothing
owner: head
match: {tags: [pii]}
rules: [{name: clerks, roles: [clerk], effect: deny}]
"""
CLERK = Principal("clerk", True, frozenset({"clerk"}))


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Running]:
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as db, db:
        db.execute("CREATE TABLE bins (aisle, place, weight, next_aisle, next_place, checked, extra)")
        db.executemany(
            "INSERT INTO bins VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                ("A", 1, 1.0005, "A", 2, "2025-12-31", '{"a": [1]}'),
                ("A", 2, 2, "B", 1, "2026-01-01", None),
                ("B", 1, None, "A", None, None, "[]"),
                ("B", 2, "x", "Z", 9, "2026-01-02", "1"),
            ],
        )
        db.execute("CREATE TABLE labels (id, aisle, words)")
        db.executemany("INSERT INTO labels VALUES (?, ?, ?)", [(1, "A", "one"), (2, "B", "two"), (3, "B", "three")])
        db.execute("CREATE TABLE workers (mail, shift)")
        db.executemany("INSERT INTO workers VALUES (?, ?)", [("ana@example.com", "day"), ("bo@example.com", "night")])
    plan = compiled(memory(mesh=MESH, taxonomy=TAXONOMY, depot=PRODUCT, policies=POLICIES))
    async with running(plan, {"db": {"path": "x.sqlite"}}, tmp_path, keys={"pepper": b"pepper"}) as found:
        yield found


async def test_keys_of_two_parts(mesh: Running) -> None:
    data = await mesh.data(
        '{ a: bin(aisle: "A", place: 1) { weight next { place next { aisle } } previous { place } } '
        'b: bin(place: 9, aisle: "A") { weight } }'
    )
    assert data == {"a": {"weight": "1.001", "next": {"place": 2, "next": {"aisle": "B"}}, "previous": []}, "b": None}
    data = await mesh.data("{ bins { aisle place next { aisle place } previous { place } } }")
    assert [row["next"] for row in data["bins"]] == [{"aisle": "A", "place": 2}, {"aisle": "B", "place": 1}, None, None]
    assert [row["previous"] for row in data["bins"]] == [[], [{"place": 1}], [{"place": 2}], []]


async def test_fragments_directives_and_variables(mesh: Running) -> None:
    query = """
      query Q($aisle: String, $more: Boolean!, $limit: Int = 1, $filter: BinFilter) {
        all: bins(limit: $limit, filter: {aisle: {eq: $aisle}}) { ...parts ... on Bin @include(if: $more) { weight } }
        some: bins(filter: $filter, orderBy: {place: DESC}) { __typename place place aisle @skip(if: $more) }
        __typename
      }
      fragment parts on Bin { aisle next { ...next } next { aisle } }
      fragment next on Bin { place }
    """
    more = {"aisle": "A", "more": True, "filter": {"place": {"in": [1, 2]}, "not": {"aisle": {"eq": "B"}}}}
    assert await mesh.data(query, **more) == {
        "all": [{"aisle": "A", "next": {"place": 2, "aisle": "A"}, "weight": "1.001"}],
        "some": [{"__typename": "Bin", "place": 2}, {"__typename": "Bin", "place": 1}],
        "__typename": "Query",
    }
    data = await mesh.data(query, aisle="B", more=False, limit=2)
    assert [row["aisle"] for row in data["all"]] == ["B", "B"]
    assert len(data["some"]) == 4


async def test_a_to_one_end_that_meets_several_rows(mesh: Running) -> None:
    body = await mesh.ask("{ bins { aisle label { words } } labels { bins(limit: 1) { place } } }")
    assert [row["label"] for row in body["data"]["bins"]] == [{"words": "one"}, {"words": "one"}, None, None]
    assert {error["extensions"]["code"] for error in body["errors"]} == {"CONTRACT_VIOLATION"}
    assert body["data"]["labels"] == [{"bins": [{"place": 1}]}] * 3
    assert mesh.calls == {"db": 4}


async def test_the_same_relation_under_two_names_is_fetched_once(mesh: Running) -> None:
    await mesh.data("{ bins { one: next { weight } two: next { stale } } other: bins(limit: 2) { next { extra } } }")
    assert mesh.calls == {"db": 3}


async def test_today_is_bound_once_and_cached_rows_are_not_of_yesterday(mesh: Running) -> None:
    data = await mesh.data("{ bins { stale } }")
    assert [row["stale"] for row in data["bins"]] == [True, False, None, False]
    query = '{ bin(aisle: "A", place: 1) { stale weight } }'
    await mesh.data(query)
    await mesh.data(query)
    assert mesh.calls == {"db": 1}  # `stale` reads the clock of this operation
    await mesh.data('{ bin(aisle: "A", place: 1) { weight } }')
    assert not mesh.calls


async def test_json_columns_of_a_database_are_text(mesh: Running) -> None:
    body = await mesh.ask("{ bins { extra } }")
    assert [row["extra"] for row in body["data"]["bins"]] == [{"a": [1]}, None, [], 1]


async def test_surrogate_keys(mesh: Running) -> None:
    shown = pseudonym(b"pepper", "depot", "ana@example.com")
    body = await mesh.ask("{ workers { mail shift } }", CLERK)
    assert {row["mail"] for row in body["data"]["workers"]} == {shown, pseudonym(b"pepper", "depot", "bo@example.com")}
    assert "example.com" not in str(body)
    data = await mesh.data(f'{{ worker(mail: "{shown}") {{ shift }} no: worker(mail: "ana@example.com") {{ shift }} }}')
    assert data == {"worker": {"shift": "day"}, "no": None}
    for use in ('filter: {mail: {like: "a%"}}', "orderBy: [{mail: ASC}]"):
        body = await mesh.ask(f"{{ workers({use}) {{ shift }} }}", CLERK)
        assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_product_adapter(mesh: Running) -> None:
    product = DataProductAdapter(mesh.adapters, "depot")
    record = await product.get("Bin", ("A", 1), unrestricted())
    assert (record.id, record.type, record.domain, record.version) == ('["A",1]', "Bin", "depot", "2.1.0")
    assert [(each.type, each.cardinality) for each in record.relationships] == [
        ("label", "one"),
        ("next", "one"),
        ("previous", "many"),
    ]
    with pytest.raises(EntityNotFound):
        await product.get("Bin", ("A", 7), unrestricted())
    assert [each.name for each in product.schema("Label")] == ["id", "aisle", "words"]
    assert {name: str(health.status) for name, health in (await product.health()).items()} == {"db": "healthy"}
    assert product.metrics()["Bin"]["reads"] == 2
    assert product.sla()["freshness"] == 60
    made = {(edge.source.id.rpartition("#")[2], edge.target.id) for edge in product.lineage()}
    assert any(target.startswith("graphql:Bin.") for _, target in made)
    assert any(source and target.partition("#")[2].startswith("Bin.") for source, target in made)

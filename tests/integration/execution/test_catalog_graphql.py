# SPDX-License-Identifier: Apache-2.0
"""The catalog in the GraphQL endpoint: what REST says, for the same callers, within the same limits (MC-20, S22)."""

import importlib.util
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type

from dictamesh.runtime.catalog.catalog import QualityResult
from dictamesh.runtime.catalog.data_lineage.registration import lineage_rows, register_lineage
from dictamesh.runtime.catalog.graph.edges import upsert_edges
from dictamesh.runtime.catalog.graph.values import Ref, SeenEdge
from dictamesh.runtime.catalog.graphql import RESOLVERS
from dictamesh.runtime.compile.catalog_sdl import PAGING
from dictamesh.runtime.gateway.engines.tartiflette import TartifletteEngine
from dictamesh.runtime.gateway.schema import build_schema
from dictamesh.runtime.governance.principal import ANONYMOUS
from dictamesh.runtime.lineage.derive import derive
from dictamesh.runtime.mesh.lineage.datasets import naming
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.sections import catalog_section
from tests.integration.catalog.graph.conftest import NOON
from tests.integration.execution.catalog import Known, known
from tests.integration.execution.conftest import EXAMPLES
from tests.integration.execution.harness import Running
from tests.integration.execution.test_catalog import CALLERS
from tests.support.gateway import INFO

SUPPORT, ANALYST, CLERK = CALLERS["support"], CALLERS["analyst"], CALLERS["clerk"]
EVERYTHING = """
query($q: String = "customer") { catalog {
  productsCount
  products(limit: 10, filter: {status: "active"}) {
    name id version status domain owner description containsPii classification
    serviceLevels(hours: 2) { property promised measured state samples }
    consumers { principal purpose operations lastUsed }
    quality { address rule passed rate checkedAt }
    lineage(direction: UPSTREAM, depth: 2) { address direction depth asOf truncated
      nodes { address kind namespace name field entity external depth }
      edges { from to type subtype kind description masking clearFor provenance job dataFlowActive lastFlowAt
        averageLatencyMs validFrom validTo } }
    entities {
      entityType address productId owner domain sourceSystem keyFields status external description dataClassification
      containsPii schemaVersion topic one many createdAt lastSeenAt product { name }
      fields { address name type graphql required key classification tags pii description access operations
        fields { name access } lineage { address } }
      relations { name to many inverse description entity { entityType } }
      lineage { nodes { address } }
    }
  }
  search(q: $q, filter: {kind: [ENTITY, FIELD], pii: [true]}, limit: 3) { total
    items { kind address name product domain owner classification status pii tags regimes description score
      highlights { part html } }
    facets { name values { value count } } }
  graph(type: "Invoice", depth: 2) { start { entityType id } nodes { depth entityType id } truncated unchecked
    edges { depth subjectType subjectId relation inverse objectType objectId validFrom provenance } }
  locate(type: "Customer", id: "c-1") { entityType id sourceSystem url method authType schemaVersion containsPii
    dataClassification }
  entitiesCount(filter: {containsPii: true})
  entities(filter: {sourceSystem: "erp"}) { entityType }
} }
"""


COSTLY = """{ catalog { products(limit: 100) { entities { fields { fields { fields {
  lineage { nodes { address } } } } } } } } }"""


async def quality(names: Any) -> dict[str, list[QualityResult]]:
    status = QualityResult("customers#Customer.status", "status.invalidValues", True, 1.0, NOON)
    gone = QualityResult("customers#Customer.email", "email.once", True, 1.0, NOON)
    return {"customers": [status, gone]} if "customers" in names else {}


@pytest.fixture
async def mesh(example: Running, embedded_dsn: str) -> AsyncIterator[Known]:
    async with known(example, embedded_dsn, EXAMPLES, {}, CALLERS) as found:
        found.catalog.quality = quality
        drawn = derive(example.plan, naming(example.plan, Resolver(EXAMPLES, {})))
        await register_lineage(found.catalog.pool, lineage_rows(example.plan, drawn))
        example.tell(sections={"catalog": catalog_section(found.catalog, found.sights.of)})
        yield found


async def test_every_field_of_the_schema_has_a_value(mesh: Known) -> None:
    data = (await mesh.mesh.data(EVERYTHING, SUPPORT))["catalog"]
    assert [each["name"] for each in data["products"]] == ["customers", "invoices", "products"]
    customers = data["products"][0]
    assert customers["quality"] == [
        {
            "address": "customers#Customer.status",
            "rule": "status.invalidValues",
            "passed": True,
            "rate": 1.0,
            "checkedAt": "2026-01-01T12:00:00Z",
        }
    ]
    _, rest = await mesh.get("/catalog/lineage/customers?direction=upstream&depth=2", "support")
    assert customers["lineage"]["nodes"] == rest["nodes"]
    assert all(edge.pop("validFrom") for edge in (*customers["lineage"]["edges"], *rest["edges"]))
    assert customers["lineage"]["edges"] == rest["edges"]
    assert rest["edges"]
    (customer,) = customers["entities"]
    email = next(each for each in customer["fields"] if each["name"] == "email")
    assert email["lineage"] == {"address": "customers#Customer.email"}
    assert {"address": "customers#Customer"} in customer["lineage"]["nodes"]
    assert (customer["address"], customer["product"]) == ("customers#Customer", {"name": "customers"})
    assert [each["name"] for each in customer["fields"]][:2] == ["id", "email"]
    assert next(each["fields"] for each in customer["fields"] if each["name"] == "address")[0]["name"] == "street"
    assert customer["relations"] == [
        {
            "name": "invoices",
            "to": "Invoice",
            "many": True,
            "inverse": "customer",
            "description": "",
            "entity": {"entityType": "Invoice"},
        }
    ]
    assert data["search"]["items"][0]["address"] == "customers#Customer"
    assert {each["name"] for each in data["search"]["facets"]} >= {"kind", "pii", "tag"}
    assert data["graph"]["start"] == {"entityType": "Invoice", "id": "*"}
    assert data["entitiesCount"] == "1"
    assert [each["entityType"] for each in data["entities"]] == ["Invoice", "InvoiceItem"]


async def test_rest_and_graphql_say_the_same(mesh: Known) -> None:
    query = """{ catalog { product(name: "customers") { serviceLevels { property state }
      entities { fields { name access operations } } } } }"""
    for name, caller in CALLERS.items():
        _, page = await mesh.get("/catalog/products/customers", name)
        shown = (await mesh.mesh.data(query, caller))["catalog"]["product"]
        fields = [
            {"name": each["name"], "access": each["access"], "operations": str(each["operations"])}
            for each in page["entities"][0]["fields"]
        ]
        assert shown["entities"] == [{"fields": fields}]
        assert shown["serviceLevels"] == [
            {"property": each["property"], "state": each["state"]} for each in page["service_levels"]
        ]


async def test_strangers_are_refused_at_the_field(mesh: Known) -> None:
    body = await mesh.mesh.ask("{ catalog { productsCount } productsCount }", ANONYMOUS)
    assert body["data"]["catalog"] is None
    assert [(each["path"], each["extensions"]["code"]) for each in body["errors"]] == [(["catalog"], "FORBIDDEN")]
    assert body["data"]["productsCount"] is not None, "the rest is answered"


async def test_what_is_hidden_is_null_or_absent(mesh: Known) -> None:
    async with mesh.catalog.pool.transaction() as connection:
        edges = [SeenEdge(Ref("Invoice", f"i{n}"), "customer", Ref("Customer", f"c-000{n}"), NOON) for n in (1, 2, 3)]
        await upsert_edges(connection, edges)
    query = """query($id: String!) { catalog { graph(type: "Customer", id: $id, depth: 1) { nodes { id } }
      gone: entity(type: "Nothing") { entityType } none: product(name: "x") { name }
      nowhere: locate(type: "Nothing", id: "1") { url } } }"""
    shown = {}
    for number in (1, 2, 3):
        for caller in (SUPPORT, ANALYST):
            data = await mesh.mesh.data(query, caller, id=f"c-000{number}")
            shown[caller.name, number] = data["catalog"]["graph"] is not None
            assert (data["catalog"]["gone"], data["catalog"]["none"], data["catalog"]["nowhere"]) == (None, None, None)
    there = {n: await mesh.mesh.data(f'{{ customer(id: "c-000{n}") {{ id }} }}', ANALYST) for n in (1, 2, 3)}
    assert {n: shown["bi-tool", n] for n in there} == {n: d["customer"] is not None for n, d in there.items()}
    assert all(shown["support-desk", n] for n in there)


async def test_a_list_that_a_default_limit_cuts_is_named(mesh: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dictamesh.runtime.catalog.graphql.PAGE", 2)
    body = await mesh.mesh.ask("{ catalog { all: products { name } some: products(limit: 1) { name } } }", CLERK)
    assert [len(body["data"]["catalog"][key]) for key in ("all", "some")] == [2, 1]
    assert body["extensions"]["truncated"] == [{"path": ["catalog", "all"], "limit": 2}]
    body = await mesh.mesh.ask(
        "{ catalog { products(limit: 0) { name } search(limit: 0) { total items { name } } } }", CLERK
    )
    assert body["data"]["catalog"]["products"] == body["data"]["catalog"]["search"]["items"] == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ catalog { products(limit: 101) { name } } }", "LIMIT_EXCEEDED"),
        ("{ catalog { products(limit: -1) { name } } }", "VALIDATION_ERROR"),
        ("{ catalog { search(offset: 10001) { total } } }", "LIMIT_EXCEEDED"),
        ('{ catalog { graph(type: "Invoice", limit: 10001) { truncated } } }', "LIMIT_EXCEEDED"),
        ('{ catalog { graph(type: "Invoice", depth: 11) { truncated } } }', "VALIDATION_ERROR"),
        ('{ catalog { graph(type: "Invoice", limit: 0) { truncated } } }', "VALIDATION_ERROR"),
        ('{ catalog { product(name: "customers") { serviceLevels(hours: 0) { state } } } }', "VALIDATION_ERROR"),
        ('{ catalog { product(name: "customers") { lineage(depth: 11) { depth } } } }', "VALIDATION_ERROR"),
        (COSTLY, "LIMIT_EXCEEDED"),
        ("{ catalog { nothing } }", "VALIDATION_ERROR"),
    ],
)
async def test_limits_are_held_before_or_without_work(mesh: Known, query: str, code: str) -> None:
    body = await mesh.mesh.ask(query, SUPPORT)
    assert {each["extensions"]["code"] for each in body["errors"]} == {code}


async def test_no_statement_is_repeated_for_each_object(mesh: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    pool = type(mesh.catalog.pool)
    sound = pool.rows

    async def counted(self: Any, statement: bytes, *args: Any, **more: Any) -> Any:
        asked.append(statement)
        return await sound(self, statement, *args, **more)

    monkeypatch.setattr(pool, "rows", counted)
    nested = (
        "{ catalog { products(limit: %d) { serviceLevels { state } entities { product { name } "
        "fields { operations } relations { entity { fields { name } } } } } } }"
    )
    counts = []
    await mesh.mesh.data(nested % 1, SUPPORT)  # what the directory remembers is asked for once
    for limit in (1, 3):
        asked.clear()
        await mesh.mesh.data(nested % limit, SUPPORT)
        counts.append(len(asked))
    assert counts[0] == counts[1] > 3


async def test_a_catalog_that_is_away_fails_alone(mesh: Known) -> None:
    await mesh.catalog.pool.close()
    mesh.catalog.directory.forget()
    body = await mesh.mesh.ask("{ catalog { productsCount } invoicesCount }", SUPPORT)
    assert body["data"]["catalog"] == {"productsCount": None}
    assert body["data"]["invoicesCount"] is not None
    assert [each["extensions"]["code"] for each in body["errors"]] == ["SOURCE_UNAVAILABLE"]


async def test_nobody_there_to_answer(example: Running) -> None:
    body = await example.ask("{ catalog { productsCount } }", SUPPORT)
    assert body["data"] == {"catalog": None}
    assert [each["extensions"]["code"] for each in body["errors"]] == ["SOURCE_UNAVAILABLE"]


async def test_aliases_fragments_and_directives(mesh: Known) -> None:
    query = """query($no: Boolean = false) { a: catalog { ...C } b: catalog { ...C entitiesCount @include(if: $no) } }
      fragment C on Catalog { one: product(name: "invoices") { name __typename } one: product(name: "invoices") { id }
        two: product(name: "customers") { ... on CatalogProduct { name } } }"""
    data = await mesh.mesh.data(query, CLERK)
    expected = {
        "one": {"name": "invoices", "__typename": "CatalogProduct", "id": "invoices"},
        "two": {"name": "customers"},
    }
    assert data == {"a": expected, "b": expected}


@pytest.mark.skipif(
    importlib.util.find_spec("tartiflette") is None and os.environ.get("DICTAMESH_TEST_TARTIFLETTE") != "1",
    reason="tartiflette is not installed: make tartiflette",
)
async def test_both_engines_answer_alike(mesh: Known) -> None:
    current = mesh.mesh.gateway.current
    engine = TartifletteEngine(current.schema)
    queries = [
        EVERYTHING,
        '{ catalog { graph(type: "Invoice", depth: 11) { truncated } product(name: "x") { name } } }',
    ]
    for text in queries:
        operation = current.guard.prepare(text)
        outcome = await current.run(operation, SUPPORT, INFO)
        ours = await current.engine.complete(operation, outcome.root, INFO)
        assert await engine.complete(operation, outcome.root, INFO) == ours


def test_every_resolver_and_every_limit_belongs_to_a_field(example_plan: Any) -> None:
    schema = build_schema(example_plan)
    for owner, name in (*RESOLVERS, *PAGING):
        declared = schema.type_map[owner]
        assert isinstance(declared, GraphQLObjectType)
        assert name in declared.fields
    objects = {
        (name, field)
        for name, kind in schema.type_map.items()
        if name.startswith("Catalog") and isinstance(kind, GraphQLObjectType)
        for field, declared in kind.fields.items()
        if declared.args and isinstance(get_named_type(declared.type), GraphQLObjectType)
    }
    assert objects <= RESOLVERS.keys(), "a field with arguments is somebody's to answer"

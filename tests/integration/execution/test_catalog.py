# SPDX-License-Identifier: Apache-2.0
"""The catalog through the policies of the example: each caller sees what exists for it, and no more (S18, S20, S22)."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from dictamesh.runtime.catalog.directory import KnownType, RelationKind
from dictamesh.runtime.catalog.graph.edges import upsert_edges
from dictamesh.runtime.catalog.graph.values import Ref, SeenEdge
from dictamesh.runtime.catalog.recording.followed import FollowedRelations
from dictamesh.runtime.catalog.recording.recorder import Recorder
from dictamesh.runtime.catalog.recording.usage import UsageCounts
from dictamesh.runtime.diff.usage import read_usage
from dictamesh.runtime.governance.principal import Principal
from examples.sources.data import Data
from tests.integration.catalog.graph.conftest import NOON
from tests.integration.execution.catalog import Known, known
from tests.integration.execution.conftest import EXAMPLES
from tests.integration.execution.harness import Running

CALLERS = {
    "support": Principal("support-desk", True, frozenset({"support"}), "service", ("service",)),
    "analyst": Principal(
        "bi-tool", True, frozenset({"analyst"}), "analytics", ("analytics",), {"countries": ("DE", "FR")}
    ),
    "clerk": Principal("clerk", True, frozenset()),
}


@pytest.fixture
async def mesh(example: Running, embedded_dsn: str) -> AsyncIterator[Known]:
    async with known(example, embedded_dsn, EXAMPLES, {}, CALLERS) as found:
        yield found


def guarded(name: str, *, external: bool = False) -> KnownType:
    return KnownType(name, "x", 1, "deprecated", guarded=True, external=external)


async def test_what_each_caller_gets_of_fields(mesh: Known) -> None:
    fields = ("id", "email", "name", "country", "birthdate", "address", "nothing")
    assert {
        name: " ".join(mesh.eyes(caller).field("Customer", each) for each in fields) for name, caller in CALLERS.items()
    } == {
        "support": "allow allow allow allow allow allow deny",
        "analyst": "allow mask mask allow mask mask deny",
        "clerk": "allow mask mask allow mask mask deny",
    }
    assert mesh.eyes(CALLERS["support"]).field("Nobody", "id") == "deny"


async def test_rows_are_filtered_for_whom_a_policy_says(mesh: Known) -> None:
    assert {name: mesh.eyes(caller).filtered("Customer") for name, caller in CALLERS.items()} == {
        "support": False,
        "analyst": True,
        "clerk": False,
    }
    assert not mesh.eyes(CALLERS["analyst"]).filtered("Invoice")
    assert not mesh.eyes(CALLERS["analyst"]).filtered("Nobody")


async def test_the_source_is_asked_which_records_exist(mesh: Known, records: Data) -> None:
    ids = [row["id"] for row in records.customers] + ["c-none"]
    shown = {row["id"] for row in records.customers if row["country"] in {"DE", "FR"}}
    existing = await mesh.eyes(CALLERS["analyst"]).existing("Customer", ids)
    assert (existing.ids, existing.complete) == (shown, True)
    assert (await mesh.eyes(CALLERS["analyst"]).existing("Nobody", ids)).ids == frozenset()
    await mesh.mesh.adapters.lines["cms"].connector.close()
    away = await mesh.eyes(dataclasses.replace(CALLERS["analyst"], claims={"countries": ("US",)})).existing(
        "Customer", ["c-0001", "c-uncached"]
    )
    assert not away.complete


async def test_types_and_relations_outside_the_plan_are_seen_where_nothing_was_hidden(mesh: Known) -> None:
    eyes = mesh.eyes(CALLERS["clerk"])
    assert not eyes.type(guarded("Gone"))
    assert eyes.type(guarded("Gone")._replace(guarded=False))
    assert not eyes.relation(RelationKind(1, "Customer", "knows", "Customer", "many-to-many", None))
    assert eyes.relation(RelationKind(1, "Product", "goesWith", "Product", "many-to-many", None))
    assert eyes.relation(RelationKind(1, "Invoice", "customer", "Customer", "many-to-one", "invoices"))


async def write(mesh: Known, *edges: SeenEdge) -> None:
    async with mesh.catalog.pool.transaction() as connection:
        await upsert_edges(connection, edges)


def bought(invoice: str, customer: str) -> SeenEdge:
    return SeenEdge(Ref("Invoice", invoice), "customer", Ref("Customer", customer), NOON)


async def test_an_analyst_walks_over_the_customers_of_two_countries_alone(mesh: Known, records: Data) -> None:
    german = next(row["id"] for row in records.customers if row["country"] == "DE")
    american = next(row["id"] for row in records.customers if row["country"] == "US")
    await write(mesh, bought("i1", german), bought("i2", american))
    for caller, hidden in (("support", False), ("analyst", True), ("clerk", False)):
        status, body = await mesh.get(f"/catalog/graph?type=Customer&id={american}", caller)
        assert status == (404 if hidden else 200)
        _, body = await mesh.get("/catalog/graph?type=Invoice&id=i2", caller)
        assert [node["id"] for node in body["nodes"]] == ([] if hidden else [american])
        assert body["unchecked"] == []
        status, body = await mesh.get(f"/catalog/graph?type=Customer&id={german}", caller)
        assert [node["id"] for node in body["nodes"]] == ["i1"]
        status, _ = await mesh.get(f"/entities/Customer/{american}", caller)
        assert status == (404 if hidden else 200)


async def test_what_queries_follow_becomes_the_graph(mesh: Known, records: Data) -> None:
    """The graph from a customer to its products equals the nested query (GW-15)."""
    relations = FollowedRelations()
    recorder = Recorder(mesh.catalog.pool, (relations,))
    mesh.mesh.tell(follower=lambda *what: relations.followed(*what, mesh.mesh.ids))
    query = '{ customer(id: "c-0001") { id invoices(limit: 50) { id items(limit: 50) { id product { id } } } } }'
    data = await mesh.mesh.data(query, CALLERS["support"])
    await recorder.flush()
    _, body = await mesh.get(
        "/catalog/graph?type=Customer&id=c-0001&depth=3&relation=invoices&relation=items&relation=product", "support"
    )
    invoices = data["customer"]["invoices"]
    items = [item for invoice in invoices for item in invoice["items"]]
    expected = {(1, "Invoice", invoice["id"]) for invoice in invoices}
    expected |= {(2, "InvoiceItem", item["id"]) for item in items}
    expected |= {(3, "Product", item["product"]["id"]) for item in items}
    assert {(node["depth"], node["entity_type"], node["id"]) for node in body["nodes"]} == expected
    assert len(expected) > 5


async def test_usage_of_an_operation(mesh: Known) -> None:
    counts = UsageCounts(90)
    mesh.mesh.tell(used=lambda caller, addresses: counts.used(caller.name, caller.purpose, addresses))
    await mesh.mesh.data('{ products(filter: {name: {like: "W%"}}, limit: 2) { sku } }', CALLERS["clerk"])
    query = '{ customer(id: "c-0001") { address { city } invoices(limit: 1, orderBy: [{createdAt: ASC}]) { id } } }'
    await mesh.mesh.data(query, CALLERS["support"])
    refused = await mesh.mesh.ask('{ customers(filter: {email: {eq: "x"}}) { id } }', CALLERS["clerk"])
    assert "errors" in refused
    await Recorder(mesh.catalog.pool, (counts,)).flush()
    _, body = await mesh.get("/catalog/usage", "support")
    used = {(each["address"], each["principal"], each["purpose"], each["operations"]) for each in body["fields"]}
    assert used == {
        *((f"products#Product.{name}", "clerk", None, 1) for name in ("sku", "name")),
        *((f"customers#Customer.{name}", "support-desk", "service", 1) for name in ("id", "address.city")),
        *((f"invoices#Invoice.{name}", "support-desk", "service", 1) for name in ("id", "createdAt", "customerId")),
    }
    assert [(each["address"], each["principal"]) for each in body["entities"]] == [
        ("customers#Customer", "support-desk"),
        ("invoices#Invoice", "support-desk"),
        ("products#Product", "clerk"),
    ]
    assert body["from"] < body["to"]
    assert read_usage(body).of("customers#Customer.address") == ("support-desk (1 operations)",), "what a diff reads"


async def test_product_pages(mesh: Known) -> None:
    _, body = await mesh.get("/catalog/products?contains_pii=true&tag=pii.direct", "clerk")
    assert [(item["name"], item["classification"], item["entities"]) for item in body["items"]] == [
        ("customers", "restricted", ["Customer"])
    ]
    _, body = await mesh.get("/catalog/products?domain=finance&owner=kim&status=active&limit=1", "clerk")
    assert (body["total"], body["items"][0]["name"]) == (1, "invoices")
    status, page = await mesh.get("/catalog/products/customers", "analyst")
    assert status == 200
    (customer,) = page["entities"]
    assert (customer["topic"], customer["one"], customer["many"]) == (
        "customers.cms.entity_changed",
        "customer",
        "customers",
    )
    email = next(field for field in customer["fields"] if field["name"] == "email")
    assert (email["classification"], email["tags"], email["pii"], email["access"], email["operations"]) == (
        "restricted",
        ["pii.direct.email"],
        True,
        "mask",
        0,
    )
    assert [(each["name"], each["to"], each["many"]) for each in customer["relations"]] == [
        ("invoices", "Invoice", True)
    ]
    assert [(each["property"], each["state"]) for each in page["service_levels"]] == [
        ("availability", "unknown"),
        ("responseTime", "unknown"),
        ("freshness", "unknown"),
    ]
    assert (page["consumers"], page["quality"]) == ([], None)
    assert (await mesh.get("/catalog/products/nothing", "clerk"))[0] == 404

# SPDX-License-Identifier: Apache-2.0
"""Lineage in the catalog: registered once, replaced with history, walked within what a caller may know (MC-6, GL-7)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dictamesh.runtime.catalog.data_lineage.activity import Flowed, record_flows
from dictamesh.runtime.catalog.data_lineage.registration import lineage_rows, register_lineage
from dictamesh.runtime.catalog.data_lineage.walking import DIRECTIONS, lineage, lineages
from dictamesh.runtime.catalog.errors import EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.registration import register
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.lineage.derive import derive
from dictamesh.runtime.lineage.model import Edge, Graph, Kind, Node, Subtype, graph
from dictamesh.runtime.lineage.traverse import walk
from dictamesh.runtime.mesh.build import build
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.store import registration
from dictamesh.specs.documents import Memory
from tests.support.golden import CASES, read

MC6 = {
    "id",
    "upstream_catalog_id",
    "upstream_system",
    "downstream_catalog_id",
    "downstream_system",
    "transformation_type",
    "transformation_logic",
    "data_flow_active",
    "last_flow_at",
    "average_latency_ms",
    "created_at",
}


@pytest.fixture
async def registered(catalog: Pool, plan: Plan, drawn: Graph) -> Pool:
    await register(
        catalog, registration(plan, Resolver(Path("/"), {"CMS_URL": "http://cms", "SHOP_URL": "http://shop"}))
    )
    assert await register_lineage(catalog, lineage_rows(plan, drawn))
    return catalog


async def test_the_table_has_the_columns_of_the_requirement(catalog: Pool) -> None:
    statement = b"SELECT column_name FROM information_schema.columns WHERE table_name = 'dictamesh_data_lineage'"
    assert {row["column_name"] for row in await catalog.rows(statement)} >= MC6


async def test_the_same_lineage_twice_writes_nothing(registered: Pool, plan: Plan, drawn: Graph) -> None:
    before = await registered.rows(b"SELECT id, valid_from, valid_to FROM dictamesh_data_lineage ORDER BY id")
    assert not await register_lineage(registered, lineage_rows(plan, drawn))
    await registered.execute(b"DELETE FROM dictamesh_lineage_registrations", ())
    assert await register_lineage(registered, lineage_rows(plan, drawn)), "now it is compared row by row"
    assert await registered.rows(b"SELECT id, valid_from, valid_to FROM dictamesh_data_lineage ORDER BY id") == before
    assert len(before) == len(drawn.edges)


async def test_replicas_register_together(catalog: Pool, plan: Plan, drawn: Graph) -> None:
    wrote = await asyncio.gather(*(register_lineage(catalog, lineage_rows(plan, drawn)) for _ in range(4)))
    assert sorted(wrote) == [False, False, False, True]


@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_the_catalog_walks_as_the_plan_does(registered: Pool, plan: Plan, drawn: Graph, direction: str) -> None:
    """Every address of the example, at several depths: the same nodes at the same depths, the same edges."""
    for node in drawn.nodes[::3]:
        for depth in (1, 2, 10):
            here, there = walk(drawn, node.id, direction, depth), await lineage(registered, node.id, direction, depth)
            assert here is not None
            expected = {(edge.source.id, edge.target.id, edge.subtype.value) for edge in here.edges}
            assert {(e["from"], e["to"], e["subtype"]) for e in there.edges} == expected, (node.id, depth)
            depths = {step.node.id: step.depth for step in here.nodes}
            assert {n["address"]: n["depth"] for n in there.nodes if n["address"] in depths} == depths
            assert there.truncated == here.truncated


async def test_a_change_closes_what_it_replaces(registered: Pool, plan: Plan, drawn: Graph) -> None:
    before = datetime.now(UTC)
    changed = [
        replace(edge, description="total_cents / 1000.0") if edge.target.id == "invoices#Invoice.total" else edge
        for edge in drawn.edges
        if edge.target.id != "graphql:Customer.email"
    ]
    await asyncio.sleep(0.05)
    assert await register_lineage(registered, lineage_rows(plan, graph(changed, drawn.standing)))
    now = await lineage(registered, "invoices#Invoice.total", "upstream", 1)
    then = await lineage(registered, "invoices#Invoice.total", "upstream", 1, before)
    assert [edge["description"] for edge in now.edges] == ["total_cents / 1000.0"]
    assert [edge["description"] for edge in then.edges] != ["total_cents / 1000.0"]
    assert then.edges[0]["validTo"] is not None
    assert now.edges[0]["validTo"] is None
    assert now.edges[0]["validFrom"] == then.edges[0]["validTo"]
    gone, there = [await lineage(registered, "graphql:Customer.email", "upstream", 1, at) for at in (None, before)]
    assert [edge["type"] for edge in gone.edges] == ["INDIRECT"], "what decides the rows is left"
    assert sorted(edge["type"] for edge in there.edges) == ["DIRECT", "INDIRECT"]
    long_ago = before - timedelta(days=1)
    assert (await lineage(registered, "invoices#Invoice.total", "both", 1, long_ago)).edges == ()


async def test_what_is_hidden_is_not_there(registered: Pool) -> None:
    hidden = ["Customer"]
    for address in (
        "customers",
        "customers#Customer",
        "customers#Customer.email",
        "graphql:Customer.email",
        "graphql:Invoice.customer.email",
        "graphql:Invoice.customer",
        "http://127.0.0.1:8055/items/customers#email",
        "http://127.0.0.1:8055/items/customers",
    ):
        with pytest.raises(EntityNotFound):
            await lineage(registered, address, hidden=hidden)
    found = await lineage(registered, "invoices#Invoice.customerId", depth=10, hidden=hidden)
    text = repr((found.nodes, found.edges))
    assert found.edges
    assert "Customer." not in text
    assert "customers" not in text
    whole = await lineage(registered, "invoices#Invoice.customerId", depth=10)
    assert "Customer.invoices" in repr(whole.edges)


async def test_several_addresses_are_answered_together(registered: Pool, drawn: Graph) -> None:
    """Those of a product's page; each as if it alone had been asked for, but for the instant."""
    asked = ["invoices", "nobody#Knows", *(node.id for node in drawn.nodes[::9])][:30]
    for direction in DIRECTIONS:
        for hidden in ((), ("Customer",)):
            found = await lineages(registered, asked, direction, 2, hidden=hidden)
            for address in asked:
                try:
                    alone = await lineage(registered, address, direction, 2, hidden=hidden)
                except EntityNotFound:
                    assert address not in found
                else:
                    assert replace(found[address], as_of=alone.as_of) == alone
    assert await lineages(registered, []) == {}
    with pytest.raises(InvalidRequest):
        await lineages(registered, [], depth=11)


async def test_many_addresses_share_what_one_may_have(registered: Pool, plan: Plan) -> None:
    hub = Node("dictamesh://acme", "invoices#Invoice", "hub", Kind.FIELD, "invoices#Invoice")
    columns = [Node("postgres://far", "db.public.wide", f"c{number}", Kind.COLUMN) for number in range(120)]
    wide = graph(Edge(column, hub, Subtype.IDENTITY) for column in columns)
    assert await register_lineage(registered, lineage_rows(plan, wide))
    alone = await lineage(registered, hub.id)
    assert (len(alone.nodes), alone.truncated) == (121, False)
    found = await lineages(registered, [hub.id, *(column.id for column in columns)])
    assert len(found) == 121
    assert (len(found[hub.id].nodes), found[hub.id].truncated) == (50, True)
    assert len(found[hub.id].edges) == 49


async def test_a_product_and_an_entity_are_addresses(registered: Pool) -> None:
    product = await lineage(registered, "invoices", "both", 1)
    assert [node["address"] for node in product.nodes if node["depth"] == 0] == [
        "invoices#Invoice",
        "invoices#InvoiceItem",
    ]
    entity = await lineage(registered, "invoices#Invoice", "downstream", 1)
    assert {node["address"] for node in entity.nodes} == {
        "invoices#Invoice",
        "graphql:Invoice",
        "topic:finance.erp.invoice.entity_changed",
    }
    with pytest.raises(EntityNotFound):
        await lineage(registered, "nobody#Knows")
    for depth in (0, 11):
        with pytest.raises(InvalidRequest):
            await lineage(registered, "invoices", depth=depth)


async def test_a_circle_ends(registered: Pool, plan: Plan, drawn: Graph) -> None:
    one = next(edge for edge in drawn.edges if edge.target.id == "graphql:Invoice.total")
    circle = graph([*drawn.edges, replace(one, source=one.target, target=one.source)], drawn.standing)
    assert await register_lineage(registered, lineage_rows(plan, circle))
    found = await lineage(registered, "graphql:Invoice.total", "both", 10)
    here = walk(circle, "graphql:Invoice.total", "both", 10)
    assert here is not None
    assert len(found.edges) == len(here.edges)
    assert {node["address"] for node in found.nodes} == {step.node.id for step in here.nodes}


async def test_flows_are_averaged_over_their_calls(registered: Pool, plan: Plan, drawn: Graph) -> None:
    at = datetime.now(UTC)
    await record_flows(registered, plan.name, [Flowed("invoices#Invoice", 3, 0.3, at - timedelta(seconds=5))])
    await record_flows(registered, plan.name, [Flowed("invoices#Invoice", 1, 0.5, at)])
    edge = (await lineage(registered, "invoices#Invoice.total", "upstream", 1)).edges[0]
    assert edge["dataFlowActive"] is True
    assert edge["averageLatencyMs"] == pytest.approx(200.0)
    assert edge["lastFlowAt"] == at
    other = (await lineage(registered, "customers#Customer.email", "upstream", 1)).edges[0]
    assert (other["dataFlowActive"], other["lastFlowAt"]) == (False, None)
    await registered.execute(b"UPDATE dictamesh_data_lineage SET last_flow_at = now() - interval '2 hours'", ())
    await record_flows(registered, plan.name, [])
    active = await registered.rows(b"SELECT count(*) AS n FROM dictamesh_data_lineage WHERE data_flow_active")
    assert active[0]["n"] == 0


async def test_rows_of_the_catalog_stand_at_both_ends(registered: Pool) -> None:
    found = await registered.rows(b"""
        SELECT u.kind AS up, d.kind AS down, e.upstream_system, e.downstream_system, e.transformation_kind,
               e.upstream_catalog_id IS NOT NULL AS up_row, c.entity_type
          FROM dictamesh_data_lineage e
          JOIN dictamesh_lineage_nodes u ON u.id = e.upstream_node
          JOIN dictamesh_lineage_nodes d ON d.id = e.downstream_node
          JOIN dictamesh_entity_catalog c ON c.id = e.downstream_catalog_id
         WHERE d.address IN ('invoices#Invoice.total', 'topic:finance.erp.invoice.entity_changed.payload.status')
         ORDER BY d.address
    """)
    assert [tuple(row.values()) for row in found] == [
        ("column", "field", "erp", "acme", "enrichment", False, "Invoice"),
        ("field", "topic", "acme", "acme", "direct_copy", True, "Invoice"),
    ]


async def test_what_products_declare_is_walked_as_what_follows_from_specs(catalog: Pool) -> None:
    """From a foreign dataset through the column that a job fills to GraphQL; hidden with the entity that reads it."""
    plan = build(Memory(read(CASES / "declared-lineage.md")[0].files), "mesh.yaml").plan
    assert plan is not None
    drawn = derive(plan)
    assert await register_lineage(catalog, lineage_rows(plan, drawn))
    assert not await register_lineage(catalog, lineage_rows(plan, drawn))
    amount = "s3://lake/raw/invoices#amount"
    found = await lineage(catalog, amount, "downstream", 3)
    assert {node["address"] for node in found.nodes if node["depth"] > 0} == {
        "sqlite://a.sqlite/scores#cents",
        "scores#Score.worth",
        "graphql:Score.worth",
        "topic:scores.db.entity_changed.payload.worth",
    }
    (filled,) = (edge for edge in found.edges if edge["from"] == amount)
    assert (filled["kind"], filled["provenance"], filled["description"]) == (
        "aggregation",
        "declared",
        "sum(amount) filter (where state = 'paid')",
    )
    kinds = {edge["kind"] for edge in (await lineage(catalog, "scores", "upstream", 1)).edges}
    kinds |= {edge["kind"] for edge in (await lineage(catalog, "scores#Score.worth", "upstream", 1)).edges}
    kinds |= {edge["kind"] for edge in (await lineage(catalog, "scores#Score.who", "upstream", 1)).edges}
    assert kinds == {"direct_copy", "aggregation", "join", "enrichment"}
    with pytest.raises(EntityNotFound):
        await lineage(catalog, amount, hidden=["Score"])
    assert amount not in repr(await lineage(catalog, "crm#Customer.email", depth=10, hidden=["Score"]))

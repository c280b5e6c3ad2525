# SPDX-License-Identifier: Apache-2.0
"""The query of the tour: three systems, one call per level, each caller's own view."""

import re

import pytest
from aiohttp import web

from dictamesh.runtime.governance.principal import ANONYMOUS, Principal
from examples.sources.counted import QUERIES, REQUESTS
from tests.integration.execution.harness import Running

QUERY = (
    "{ customers(limit: 3) { id name email invoices(limit: 2) { total items { quantity product { name price } } } } }"
)
SUPPORT = Principal("support-desk", True, frozenset({"support"}), "service", ("service",))
ANALYST = Principal("bi-tool", True, frozenset({"analyst"}), "analytics", ("analytics",), {"countries": ("DE", "FR")})


async def test_support_sees_everything(example: Running) -> None:
    body = await example.ask(QUERY, SUPPORT)
    assert set(body) == {"data"}
    first = body["data"]["customers"][0]
    assert (first["id"], first["name"], first["email"]) == ("c-0001", "John Doe", "john@example.com")
    assert first["invoices"][0] == {
        "total": "39.98",
        "items": [{"quantity": 2, "product": {"name": "Widget", "price": "19.99"}}],
    }
    (row,) = example.audit.rows
    assert (row.entity_type, row.fields, row.purpose, row.subject_count) == (
        "Customer",
        ("email", "name"),
        "service",
        3,
    )


async def test_anonymous_sees_what_is_public(example: Running) -> None:
    body = await example.ask(QUERY)
    first = body["data"]["customers"][0]
    assert (first["id"], first["name"], first["email"]) == ("c-0001", "***REDACTED***", "***REDACTED***")
    assert first["invoices"][0]["total"] is None
    assert first["invoices"][0]["items"][0]["product"] == {"name": "Widget", "price": "19.99"}
    shown = [(entry["field"], entry["effect"]) for entry in body["extensions"]["policy"]]
    assert shown == [("Customer.email", "mask"), ("Customer.name", "mask"), ("Invoice.total", "mask")]
    assert example.audit.rows == []


async def test_analysts_see_pseudonyms_of_their_countries(example: Running) -> None:
    data = (await example.ask(QUERY.replace("email", "email country"), ANALYST))["data"]
    assert {row["country"] for row in data["customers"]} <= {"DE", "FR"}
    first = data["customers"][0]
    assert re.fullmatch("[0-9a-f]{32}", first["email"])
    assert first["invoices"][0]["total"] == "39.98"
    again = await example.data('{ customer(id: "c-0001") { email } customersCount }', ANALYST)
    assert again["customer"] == {"email": first["email"]}
    everyone = await example.data("{ customersCount }", SUPPORT)
    assert 0 < int(again["customersCount"]) < int(everyone["customersCount"]) == 1000


@pytest.mark.parametrize("principal", [ANONYMOUS, ANALYST, SUPPORT], ids=lambda who: who.name)
async def test_one_call_per_level(
    example: Running, cms: web.Application, shop: web.Application, principal: Principal
) -> None:
    await example.ask(QUERY, principal)
    assert dict(cms[REQUESTS]) == {"/items/customers": 1}
    assert dict(shop[REQUESTS]) == {"/api/products": 1}
    assert example.calls == {"cms": 1, "erp": 2, "shop": 1}


async def test_250_keys_cost_three_calls(example: Running, shop: web.Application) -> None:
    query = "{ invoiceItems(limit: 1000) { product { id } } }"
    data = await example.data(query, SUPPORT)
    wanted = {item["product"]["id"] for item in data["invoiceItems"]}
    assert shop[REQUESTS]["/api/products"] == -(-len(wanted) // 100)
    assert len(wanted) > 200


async def test_only_what_is_needed_is_read(example: Running, cms: web.Application) -> None:
    await example.data("{ customers(limit: 2) { createdAt } }")
    (asked,) = cms[QUERIES]
    assert "fields=id,date_created" in asked or "fields=date_created,id" in asked
    assert "limit=2" in asked


async def test_pushed_orders_and_filters_agree_with_those_made_here(example: Running) -> None:
    query = """query Q($filter: CustomerFilter) {
      customers(filter: $filter, orderBy: [{createdAt: DESC}], limit: 5) { id createdAt country } }"""
    pushed = await example.data(query, SUPPORT, filter={"createdAt": {"gte": "2021-01-01T00:00:00Z"}})
    here = await example.data(query, SUPPORT, filter={"not": {"createdAt": {"lt": "2021-01-01T00:00:00Z"}}})
    assert pushed == here
    assert len(pushed["customers"]) == 5


async def test_relations_lead_both_ways(example: Running) -> None:
    query = """{ invoice(id: "i-00001") { number customer { id invoices(limit: 1) { id } } }
                 product(id: "p-0001") {
                   soldIn(limit: 2, filter: {quantity: {gte: 2}}) { quantity invoice { status } } } }"""
    data = await example.data(query, SUPPORT)
    assert data["invoice"]["customer"] == {"id": "c-0001", "invoices": [{"id": "i-00001"}]}
    assert all(item["quantity"] >= 2 and item["invoice"] for item in data["product"]["soldIn"])
    assert len(data["product"]["soldIn"]) == 2

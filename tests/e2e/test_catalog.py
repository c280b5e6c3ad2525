# SPDX-License-Identifier: Apache-2.0
"""A running mesh learns from its queries: usage, service levels, the graph; all of it in REST and in GraphQL."""

from pathlib import Path
from typing import Any

from openapi_spec_validator import validate

from tests.support.openapi import check
from tests.support.running import Runtime, Sources, edit, example_sources, example_tree, running, until

OBSERVING = "catalog: {observe: true, writeEvery: 100ms, editors: [steward]}\nruntime:"
NESTED = '{ customer(id: "c-0001") { country invoices(limit: 50) { id items(limit: 50) { id product { id } } } } }'


async def asked(runtime: Runtime, path: str, key: str = "support") -> Any:
    status, body = await runtime.get(f"/api/v1{path}", key)
    check("GET", f"/api/v1{path}", status, body)
    assert status == 200, body
    return body


async def test_queries_teach_the_catalog(tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    edit(config, "runtime:", OBSERVING)
    async with (
        example_sources(tmp_path) as sources,
        running(config, tmp_path / "data", sources.environment) as runtime,
    ):
        answer = (await runtime.ask(NESTED, "support"))["data"]["customer"]
        await runtime.ask("{ products(limit: 2) { sku } }")

        async def known() -> bool:
            graph = await runtime.get("/api/v1/catalog/graph?type=Customer&id=c-0001&depth=3", "support")
            used = await asked(runtime, "/catalog/usage")
            return graph[0] == 200 and len(used["entities"]) == 5

        await until(known, "the catalog has learned")
        await check_graph(runtime, answer)
        await check_usage(runtime)
        await check_levels(runtime)
        rows = await runtime.metrics()
        for what in ("usage", "levels", "relations", "cache"):
            assert f'dictamesh_catalog_entries_total{{outcome="written",what="{what}"}}' in rows
        assert 'outcome="dropped"' not in rows.partition("dictamesh_catalog_entries_total")[2][:2000]
        await check_edits(runtime)


async def check_graph(runtime: Runtime, answer: Any) -> None:
    body = await asked(runtime, "/catalog/graph?type=Customer&id=c-0001&depth=1")
    assert {node["id"] for node in body["nodes"]} == {each["id"] for each in answer["invoices"]}
    query = '{ catalog { graph(type: "Customer", id: "c-0001", depth: 1) { nodes { id entityType } } } }'
    shown = (await runtime.ask(query, "support"))["data"]["catalog"]["graph"]
    assert shown["nodes"] == [{"id": node["id"], "entityType": "Invoice"} for node in body["nodes"]]
    assert (await runtime.ask(query))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    record = await asked(runtime, f"/entities/Invoice/{answer['invoices'][0]['id']}")
    assert (record["known"], record["provenance"]) == (True, "observed")


async def check_usage(runtime: Runtime) -> None:
    body = await asked(runtime, "/catalog/usage?days=1")
    used = {(each["address"], each["principal"], each["purpose"]): each["operations"] for each in body["fields"]}
    assert used["customers#Customer.country", "support-desk", "service"] == 1
    assert used["products#Product.sku", None, None] == 1
    assert ("customers#Customer.email", "support-desk", "service") not in used
    assert body["from"] == body["to"]


async def check_levels(runtime: Runtime) -> None:
    page = await asked(runtime, "/catalog/products/invoices", "analyst")
    assert [(each["property"], each["state"]) for each in page["service_levels"]] == [
        ("availability", "met"),
        ("responseTime", "met"),
        ("freshness", "met"),
    ]
    assert page["consumers"][0]["principal"] == "support-desk"


async def check_edits(runtime: Runtime) -> None:
    body = {
        "entity_type": "Parcel",
        "domain": "logistics",
        "source_system": "carrier",
        "contains_pii": False,
        "data_classification": "internal",
    }
    status, text, _ = await runtime.send("POST", "/api/v1/catalog/entities", body, "support")
    assert (status, "FORBIDDEN" in text) == (403, True)
    assert (await runtime.send("POST", "/api/v1/catalog/entities", body, "steward"))[0] == 201
    assert (await asked(runtime, "/catalog/search?q=parcel"))["items"][0]["address"] == "Parcel"


async def test_what_was_counted_survives_a_stop(tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    edit(config, "runtime:", "catalog: {writeEvery: 1h}\nruntime:")
    async with example_sources(tmp_path) as sources:
        for times in (1, 2):
            async with running(config, tmp_path / "data", sources.environment) as runtime:
                await runtime.ask("{ products(limit: 2) { sku } }", "analyst")
                body = await asked(runtime, "/catalog/usage")
                assert [each["operations"] for each in body["entities"]] == ([1] if times == 2 else [])


async def test_one_document_describes_all_of_it(example: Runtime, sources: Sources) -> None:
    status, document = await example.get("/api/v1/openapi.json")
    assert status == 200
    validate(document)
    assert "/api/v1/catalog/graph" in document["paths"]
    for path in ("/api/v1/nothing", "/api/v1/", "/api/v1/catalog"):
        status, body = await example.get(path, "support")
        assert (status, body["error"]["code"]) == (404, "ENTITY_NOT_FOUND")
        assert len(body["error"]["trace_id"]) == 32

# SPDX-License-Identifier: Apache-2.0
"""What a query costs upstream: one call per level and batch of 100 (DL-1, DL-2)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.running import TOUR, Runtime, Sources, edit, example_tree, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def example(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runtime]:
    """The example without capture, which asks the CMS, too."""
    config = example_tree(tmp_path_factory.mktemp("tree"))
    edit(config, "roles: [support, analyst, steward]", "events: {capture: false}\nroles: [support, analyst, steward]")
    async with running(config, tmp_path_factory.mktemp("data"), sources.environment) as runtime:
        yield runtime


async def test_the_tour_costs_one_call_per_level(example: Runtime, sources: Sources) -> None:
    before = await source_calls(example)
    sources.forget()
    answer = await example.ask(TOUR, "support")
    assert "errors" not in answer
    after = await source_calls(example)
    assert sources.calls() == 2  # customers from the CMS, products from the shop
    assert after["erp"] - before.get("erp", 0) == 2  # invoices, items


async def test_250_keys_cost_three_calls(example: Runtime, sources: Sources) -> None:
    answer = await example.ask("{ invoiceItems(limit: 1000) { product { sku } } }", "support")
    products = {item["product"]["sku"] for item in answer["data"]["invoiceItems"]}
    assert len(products) > 200
    ids = [row["id"] for row in sources.records.customers[:250]]
    sources.forget()
    query = "query Q($ids: [String!]!) { invoices(limit: 1000, filter: {customerId: {in: $ids}}) { customer { id } } }"
    answer = await example.ask(query, "support", variables={"ids": ids})
    assert "errors" not in answer
    found = {invoice["customer"]["id"] for invoice in answer["data"]["invoices"]}
    assert len(found) == 250 or 200 < len(found) <= 250
    assert sources.calls() == -(-len(found) // 100) == 3


async def source_calls(example: Runtime) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in (await example.metrics()).splitlines():
        if line.startswith("dictamesh_source_attempts_total{"):
            server = line.partition('server="')[2].partition('"')[0]
            found[server] = found.get(server, 0) + int(float(line.rpartition(" ")[2]))
    return found

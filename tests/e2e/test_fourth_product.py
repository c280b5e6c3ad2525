# SPDX-License-Identifier: Apache-2.0
"""A fourth product from one new file, live without a restart (AR-2, EX-8); the file is that of the tutorial."""

import csv
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.running import ROOT, Runtime, Sources, command, example_tree, place, running, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE = ROOT / "examples" / "extra" / "suppliers.yaml"
TOPIC = "suppliers.lake.entity_changed"
QUERY = "{ suppliers(limit: 3) { id name country email since } suppliersCount }"


def rows() -> list[dict[str, str]]:
    with (ROOT / "examples" / "sources" / "suppliers.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_tree(tmp_path_factory.mktemp("fourth"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(config: Path, sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runtime]:
    async with running(config, tmp_path_factory.mktemp("data"), sources.environment) as runtime:
        before = await runtime.ask(QUERY)
        assert {error["extensions"]["code"] for error in before["errors"]} == {"VALIDATION_ERROR"}
        place(config.parent / "products" / "suppliers.yaml", FILE.read_text(encoding="utf-8"))
        await until(lambda: served(runtime), "suppliers are served")
        yield runtime
        assert await runtime.reloads() == {"applied": 1}


async def served(runtime: Runtime) -> bool:
    return "errors" not in await runtime.ask("{ suppliersCount }")


async def test_the_tutorial_shows_this_file() -> None:
    text = (ROOT / "docs" / "tutorial" / "a-fourth-product.md").read_text(encoding="utf-8")
    shown = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    assert shown[1] == FILE.read_text(encoding="utf-8")


async def test_queries_and_policy(mesh: Runtime) -> None:
    expected = sorted(rows(), key=lambda row: row["id"])[:3]
    clear = await mesh.ask(QUERY, "support")
    assert clear == {"data": {"suppliers": expected, "suppliersCount": str(len(rows()))}}
    anonymous = await mesh.ask(QUERY)
    for row, source in zip(anonymous["data"]["suppliers"], expected, strict=True):
        assert row == {**source, "email": "***REDACTED***", "since": None}
    effects = {entry["field"]: entry["effect"] for entry in anonymous["extensions"]["policy"]}
    assert effects == {"Supplier.email": "mask", "Supplier.since": "deny"}
    analyst = await mesh.ask(QUERY, "analyst")
    assert all(re.fullmatch("[0-9a-f]{32}", row["email"]) for row in analyst["data"]["suppliers"])


async def test_types(mesh: Runtime) -> None:
    answer = await mesh.ask('{ __type(name: "Supplier") { fields { name type { name kind ofType { name } } } } }')
    types = {
        field["name"]: field["type"]["name"] or field["type"]["ofType"]["name"]
        for field in answer["data"]["__type"]["fields"]
    }
    assert types == {"id": "String", "name": "String", "country": "String", "email": "String", "since": "Date"}
    found = await mesh.ask('{ supplier(id: "s-01") { name } }')
    assert found["data"]["supplier"]["name"] == "Nordlicht Werkzeuge"


async def test_catalog_row(mesh: Runtime) -> None:
    status, found = await mesh.get("/api/v1/catalog/entities/Supplier", "steward")
    assert status == 200
    expected = {
        "product_id": "suppliers",
        "product_version": "1.0.0",
        "owner": "mia",
        "domain": "suppliers",
        "source_system": "suppliers/lake",
        "contains_pii": True,
        "data_classification": "restricted",
        "status": "active",
        "availability_sla": 0.99,
        "freshness_sla_seconds": 86_400,
    }
    assert {key: found[key] for key in expected} == expected


async def test_metrics(mesh: Runtime) -> None:
    assert await served(mesh)
    text = await mesh.metrics()
    assert 'dictamesh_entity_info{entity="Supplier",product="suppliers",server="suppliers/lake"} 1.0' in text
    assert 'dictamesh_breaker_state{server="suppliers/lake"} 0.0' in text
    assert 'dictamesh_source_attempts_total{outcome="ok",server="suppliers/lake"}' in text


async def test_health_probes_the_new_server(mesh: Runtime) -> None:
    status, found = await mesh.get("/health/ready")
    assert status == 200
    assert found["checks"]["server:suppliers/lake"]["status"] == "healthy"


async def test_topic_schema_plan_and_explanation(mesh: Runtime, config: Path, sources: Sources) -> None:
    code, out, _ = await command("plan", "--config", str(config), "--format", "json", environment=sources.environment)
    plan = json.loads(out)
    assert code == 0
    assert TOPIC in plan["topics"]
    assert plan["entities"]["suppliers#Supplier"]["topic"] == TOPIC
    code, out, _ = await command("schema", "avro", "Supplier", "--config", str(config))
    schema = json.loads(out)
    assert code == 0
    assert schema["name"] == "SupplierEvent"
    code, out, _ = await command("schema", "graphql", "--config", str(config))
    assert code == 0
    assert "type Supplier " in out
    code, out, _ = await command("policy", "explain", "suppliers#Supplier.email", "--config", str(config))
    assert code == 0
    assert "redact" in out


async def test_the_contract_holds(mesh: Runtime, config: Path) -> None:
    code, out, err = await command("contract-test", "suppliers", "--live", "--config", str(config))
    assert (code, err) == (0, ""), out

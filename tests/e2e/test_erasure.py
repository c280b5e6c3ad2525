# SPDX-License-Identifier: Apache-2.0
"""Erasing somebody from a running mesh, and keeping them erased when a backup is restored (GV-7, GV-12, DR-5)."""

import json
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dictamesh.runtime.catalog.cluster import start as start_cluster
from dictamesh.runtime.catalog.ownership import running_owner
from examples.sources import serve
from examples.sources.cms import cms_app
from tests.support.running import Runtime, Sources, command, edit, example_sources, example_tree, running, until

WHO = "c-0001"
ASK = f'{{ customer(id: "{WHO}") {{ id country }} }}'
OTHER = '{ customer(id: "c-0002") { country } }'
RECORDS = """
INSERT INTO dictamesh_entity_catalog (mesh, product_id, product_version, entity_type, domain, source_system,
       source_entity_id, key_fields, data_classification, last_seen_at)
SELECT mesh, product_id, product_version, entity_type, domain, source_system, i.id, key_fields, data_classification,
       now() - %s * interval '1 day'
  FROM dictamesh_entity_catalog, unnest(%s::text[]) AS i (id) WHERE entity_type = %s AND source_entity_id = '*'
"""


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dictamesh-erase-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
        example_tree(Path(name))
        yield Path(name)


def words(place: Path, *given: str) -> tuple[str, ...]:
    return (*given, "--config", str(place / "mesh" / "mesh.yaml"), "--data-dir", str(place / "data"))


async def erase(place: Path, sources: Sources, *given: str) -> Any:
    line = words(place, "erase", "--subject", f"customer:{WHO}", "--format", "json", *given)
    code, out, err = await command(*line, environment=sources.environment)
    assert code == 0, out + err
    return json.loads(out)


def put_records(dsn: str, kind: str, *ids: str, days: int = 0) -> None:
    """Records as the consumers of events put them into the catalog."""
    with psycopg.connect(dsn) as connection:
        connection.execute(RECORDS.encode(), (days, list(ids), kind))


def active(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            b"SELECT source_entity_id FROM dictamesh_entity_catalog WHERE source_entity_id <> '*' AND status = 'active'"
        )
        return {row[0] for row in rows}


async def gauge(mesh: Runtime, name: str) -> float:
    line = next(line for line in (await mesh.metrics()).splitlines() if line.startswith(f"dictamesh_{name} "))
    return float(line.split()[1])


async def test_erasing_while_the_mesh_runs(place: Path) -> None:
    cms = AsyncExitStack()
    async with example_sources(place) as the_example, cms:
        url = await serve.listen(cms, cms_app(the_example.records.customers, serve.key("cms.token")), 0)
        sources = replace(the_example, environment={**the_example.environment, "CMS_URL": url})
        await erase_while_it_runs(place, sources, cms)


async def nobody_stands_in(mesh: Runtime, sources: Sources, cms: AsyncExitStack) -> None:
    """While the CMS is down, another one's cached row is answered with, that of the erased one is gone (S25)."""
    await cms.aclose()
    other = await mesh.ask(OTHER)
    assert (other["data"], other["extensions"]["degraded"]) == ({"customer": {"country": "DE"}}, ["customers"])
    gone = await mesh.ask(ASK)
    assert gone["data"] == {"customer": None}
    assert gone["errors"][0]["extensions"]["code"] in {"SOURCE_UNAVAILABLE", "CIRCUIT_OPEN"}
    app = cms_app(sources.records.customers, serve.key("cms.token"))
    await serve.listen(cms, app, int(sources.environment["CMS_URL"].rpartition(":")[2]))


async def erase_while_it_runs(place: Path, sources: Sources, cms: AsyncExitStack) -> None:
    edit(place / "mesh" / "mesh.yaml", "name: acme", "name: acme\nresilience: {default: {retry: {attempts: 1}}}")
    edit(
        place / "mesh" / "products" / "customers.yaml",
        "{property: latency, value: 5, unit: s}",
        "{property: latency, value: 1, unit: s}",
    )
    async with running(place / "mesh" / "mesh.yaml", place / "data", sources.environment) as mesh:
        assert (await mesh.ask(ASK))["data"]["customer"]["id"] == WHO
        assert "errors" not in await mesh.ask(OTHER)
        first = await erase(place, sources, "--reason", "request 17", "--deadline", "14d", "--by", "privacy-office")
        assert (first["state"], first["subject"]["kind"], first["requestedBy"]) == (
            "pending",
            "customer",
            "privacy-office",
        )
        assert [(each["product"], each["owner"], each["source"]) for each in first["receipts"]] == [
            ("customers", "ana", "holds"),
            ("invoices", "kim", "holds"),
        ]
        assert first["receipts"][1]["sourceRecords"] == 5
        await mesh.until_said("data subjects were erased")
        await nobody_stands_in(mesh, sources, cms)
        assert await gauge(mesh, "erasures_pending") == 1
        _, audit = await mesh.get("/api/v1/audit?operation=DELETE", "steward")
        assert {each["hash"] for each in audit["items"]} == {each["hash"] for each in first["certificate"]}
        assert {each["principal"] for each in audit["items"]} == {"privacy-office"}
        everything = "".join([*mesh.errors, json.dumps(audit), (place / "data" / "erasures.jsonl").read_text()])
        assert WHO not in everything
        again = await erase(place, sources)
        assert (again["id"], again["certificate"]) == (first["id"], [])

        sources.records.customers[:] = [each for each in sources.records.customers if each["id"] != WHO]
        with closing(sqlite3.connect(sources.environment["ERP_PATH"])) as erp:
            erp.execute("DELETE FROM invoices WHERE customer_id = ?", (WHO,))
            erp.commit()
        done = await erase(place, sources)
        assert done["state"] == "done"
        assert {each["source"] for each in done["receipts"]} == {"gone"}
        await until(lambda: _none_pending(mesh), "the metric follows")
        code, out, _ = await command(*words(place, "erase", "list", "--format", "json"))
        (standing,) = json.loads(out)
        assert (code, standing["state"], standing["overdue"], standing["reason"]) == (0, "done", False, "request 17")
        assert (await command(*words(place, "audit", "verify")))[0] == 0


async def _none_pending(mesh: Runtime) -> bool:
    return await gauge(mesh, "erasures_pending") == 0


async def test_a_restored_backup_brings_nobody_back(place: Path) -> None:
    config, data_dir = place / "mesh" / "mesh.yaml", place / "data"
    async with example_sources(place) as sources:
        async with running(config, data_dir, sources.environment):
            dsn = running_owner(data_dir)
            assert dsn is not None
            put_records(dsn, "Customer", WHO, "c-0002")
            put_records(dsn, "Invoice", "i-0001")
        cluster = cluster_of(data_dir)
        backup = cluster.with_name("backup")
        subprocess.run(["cp", "-a", cluster, backup], check=True)
        erased = await erase(place, sources)
        assert erased["receipts"][0]["archived"] == 1
        shutil.rmtree(cluster)
        backup.rename(cluster)
        async with await start_cluster(data_dir) as restored:
            assert WHO in active(restored.dsn), "the backup is from before the erasure"
        async with running(config, data_dir, sources.environment) as mesh:
            messages = [record["message"] for record in mesh.log()]
            again = next(place for place, text in enumerate(messages) if text.startswith("erasures were done again"))
            assert again < messages.index("gateway ready"), "before anything is served"
            assert WHO not in active(running_owner(data_dir) or "")
            assert any("the database lacks audit heads" in text for text in messages)
            _, audit = await mesh.get("/api/v1/audit?operation=DELETE", "steward")
            assert audit["total"] == 2, "attested again"
            assert await gauge(mesh, "erasures_pending") == 1
        async with running(config, data_dir, sources.environment) as mesh:
            assert mesh.said("erasures were done again") == [], "once is enough"
        verify = words(place, "audit", "verify", "--format", "json")
        code, out, _ = await command(*verify)
        assert (code, json.loads(out)["intact"]) == (1, False), "rows between backup and restore are missing"
        accept = words(place, "audit", "accept-restore", "--reason", "the disk failed", "--by", "kim")
        code, out, err = await command(*accept)
        assert code == 0, out + err
        assert "voids statements" in out
        code, out, _ = await command(*verify)
        report = json.loads(out)
        assert (code, report["intact"], "by kim" in report["notes"][0]) == (0, True, True), report
        assert (await command(*accept))[0] == 2, "there is nothing more to accept"


def cluster_of(data_dir: Path) -> Path:
    pointer = data_dir / "postgres.path"
    return (Path(pointer.read_text("utf-8").strip()) if pointer.exists() else data_dir) / "postgres"


async def test_a_damaged_ledger_stops_the_start(place: Path) -> None:
    (place / "data").mkdir()
    (place / "data" / "erasures.jsonl").write_text('{"no": "entry"}\n')
    async with example_sources(place) as sources:
        line = words(place, "--port", "0", "--metrics-port", "0")
        code, _, err = await command(*line, environment=sources.environment)
    assert code == 3
    assert "line 1 of the erasure ledger" in err


async def test_a_source_that_is_down_leaves_its_receipt_open(place: Path) -> None:
    edit(place / "mesh" / "mesh.yaml", "runtime: {", "erasure: {ledger: ledger.jsonl, deadline: 3d}\nruntime: {")
    async with example_sources(place) as sources:
        async with running(place / "mesh" / "mesh.yaml", place / "data", sources.environment):
            pass
        environment = {**sources.environment, "CMS_URL": "http://127.0.0.1:1"}
        line = words(place, "erase", "--subject", f"customer:{WHO}")
        code, out, err = await command(*line, environment=environment)
    assert code == 0, out + err
    assert "customers: 1 records" in out
    assert "its source could not be asked (SOURCE_UNAVAILABLE) (pending, ana)" in out
    assert (place / "mesh" / "ledger.jsonl").exists()
    assert not (place / "data" / "erasures.jsonl").exists()


async def test_who_cannot_be_erased(place: Path) -> None:
    for given, told in (
        ([], "--subject KIND:ID"),
        (["--subject", "c-0001"], "--subject KIND:ID"),
        (["--subject", "custmer:c-0001"], "did you mean 'customer'"),
        (["--subject", "customer:"], "1 to 1024"),
        (["--subject", "customer:c-0001", "--reason", "Mr c-0001 asked"], "names the subject"),
        (["--subject", "customer:c-0001", "--deadline", "soon"], "--deadline"),
        (["--subject", "customer:c-0001", "--reason", "x" * 201], "200 characters"),
    ):
        code, _, err = await command(*words(place, "erase", *given))
        assert (code, told in err) == (2, True), (given, err)
    code, _, err = await command(*words(place, "erase", "--subject", "customer:c-0001"))
    assert (code, "there is no catalog" in err) == (3, True)


async def test_retention_by_hand_and_by_itself(place: Path) -> None:
    config, data_dir = place / "mesh" / "mesh.yaml", place / "data"
    edit(config, "runtime: {", "events: {capture: false}\nretention: {enabled: false}\nruntime: {")
    async with example_sources(place) as sources:
        async with running(config, data_dir, sources.environment):
            put_records(running_owner(data_dir) or "", "Product", "p-1", "p-2", days=8)
            put_records(running_owner(data_dir) or "", "Product", "p-3", days=6)
            line = words(place, "retention", "run", "--format", "json")
            code, out, _ = await command(*line, "--dry-run")
            product = next(each for each in json.loads(out)["records"] if each["entity"] == "Product")
            assert (code, product["expired"], product["retentionDays"]) == (0, 2, 7)
            assert active(running_owner(data_dir) or "") == {"p-1", "p-2", "p-3"}
            code, out, _ = await command(*line)
            product = next(each for each in json.loads(out)["records"] if each["entity"] == "Product")
            assert (product["expired"], product["eventsAppended"]) == (2, 2)
            assert active(running_owner(data_dir) or "") == {"p-3"}
            put_records(running_owner(data_dir) or "", "Product", "p-4", days=8)
        edit(config, "retention: {enabled: false}", "retention: {every: 200ms}")
        async with running(config, data_dir, sources.environment) as mesh:
            await mesh.until_said("retention took out what was too old")
            assert active(running_owner(data_dir) or "") == {"p-3"}
            assert 'dictamesh_retention_removed_total{what="record"} 1.0' in await mesh.metrics()

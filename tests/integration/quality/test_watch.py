# SPDX-License-Identifier: Apache-2.0
"""Rules while meshes run: checked when due, by one replica, kept as numbers, shown by all."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.catalog.lease import leased
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool
from dictamesh.runtime.mesh.build import build_file
from dictamesh.runtime.mesh.running import RunningMesh
from dictamesh.runtime.mesh.start import Start
from dictamesh.runtime.mesh.starting import start_mesh
from dictamesh.specs.diagnostics import render
from tests.support.postgres import fresh_database
from tests.support.running import until

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: watched
include: [taxonomy.yaml, people.yaml]
servers: {db: {type: sqlite, path: people.sqlite}}
catalog: {dsn: "${env:WATCH_DSN}", pool: {max: 3, idle: 1}}
quality: {every: 300ms, keep: 30d}
"""
TAXONOMY = """
apiVersion: dictamesh/v1
kind: Taxonomy
tiers: [public, internal, confidential, restricted]
tags: {pii: {pii: true, description: personal}}
"""
PEOPLE = """
apiVersion: dictamesh/v1
kind: DataProduct
id: people-1
name: people
version: 1.2.0
status: active
schema:
  - name: Person
    physicalName: people
    quality:
      - {name: somebody, metric: rowCount, mustBeGreaterThan: 0}
      - {name: nightly, metric: rowCount, mustBe: 3, schedule: "0 0 1 1 *"}
      - {name: oldest, type: sql, query: "SELECT MAX(age) FROM {object}", mustBeLessThan: 100}
      - {name: broken, type: sql, query: "SELECT COUNT(*) FROM nowhere", mustBe: 0, severity: info}
      - {name: words, type: text, description: fine people}
    properties:
      - {name: id, logicalType: integer, primaryKey: true, classification: public}
      - name: name
        logicalType: string
        classification: restricted
        tags: [pii]
        quality:
          - {name: named, metric: nullValues, mustBe: 0, dimension: completeness}
          - {name: form, metric: invalidValues, arguments: {pattern: "^[A-Z]"}, mustBeLessThan: 50, unit: percent}
      - {name: age, logicalType: integer, classification: public}
source: {server: db}
"""
PETS = """\
  - name: Pet
    physicalName: pets
    quality: [{name: pets, metric: rowCount, mustBe: 1}]
    properties:
      - {name: id, logicalType: integer, primaryKey: true, classification: public}
"""
NAMES = ("Zaphod", "trillian", None)


@dataclass
class Tree:
    folder: Path
    dsn: str
    meshes: list[RunningMesh] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self, name: str) -> RunningMesh:
        config = self.folder / "mesh.yaml"
        built = build_file(config)
        assert built.plan is not None, render(built.diagnostics, built.sources)
        settings = built.plan.mesh.runtime.model_copy(
            update={"port": 0, "metrics_port": 0, "data_dir": str(self.folder / name), "watch": False}
        )
        mesh = await start_mesh(Start(config, built, built.plan, settings))
        self.stack.push_async_callback(mesh.stop)
        return mesh

    async def rows(self, mesh: RunningMesh) -> list[dict[str, Any]]:
        return await mesh.store.pool.rows(b"SELECT * FROM dictamesh_quality_results ORDER BY id")


def shown(mesh: RunningMesh, metric: str) -> dict[str, float]:
    """The values of a metric by rule."""
    text = mesh.metrics.exposition().decode()
    found = re.findall(rf"^dictamesh_{metric}\{{(?P<labels>[^}}]*)\}} (?P<value>\S+)$", text, re.MULTILINE)
    return {re.search('rule="([^"]*)"', labels)[1]: float(value) for labels, value in found}  # type: ignore[index]


@pytest.fixture
async def tree(tmp_path: Path, embedded_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tree]:
    for name, text in {"mesh.yaml": MESH, "taxonomy.yaml": TAXONOMY, "people.yaml": PEOPLE}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database:
        database.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)")
        database.executemany(
            "INSERT INTO people (name, age) VALUES (?, ?)", [(name, 40 + len(name or "")) for name in NAMES]
        )
        database.commit()
    with fresh_database(embedded_dsn) as dsn:
        monkeypatch.setenv("WATCH_DSN", dsn)
        made = Tree(tmp_path, dsn)
        async with made.stack:
            yield made


async def test_what_is_due_is_checked_and_kept(tree: Tree) -> None:
    mesh = await tree.start("one")

    async def several() -> bool:
        return len([row for row in await tree.rows(mesh) if row["rule"] == "named"]) >= 2

    await until(several, "two checks of each rule")
    rows = await tree.rows(mesh)
    by_rule = {row["rule"]: row for row in rows}
    assert set(by_rule) == {"somebody", "oldest", "broken", "named", "form"}, "not what is never due, nor words"
    named = by_rule["named"]
    kept = ("mesh", "product_id", "product", "product_version", "entity_type", "property", "metric", "dimension")
    assert [named[name] for name in kept] == [
        "watched", "people-1", "people", "1.2.0", "Person", "name", "nullValues", "completeness",
    ]  # fmt: skip
    assert [named[name] for name in ("severity", "outcome", "checked_rows", "failed_rows")] == ["error", "failed", 3, 1]
    assert (named["measured"], named["reason"], named["plan_hash"]) == (1, None, mesh.start.plan.hash)
    assert named["pass_rate"] == pytest.approx(2 / 3)
    assert named["duration_ms"] >= 0
    assert (by_rule["oldest"]["outcome"], by_rule["oldest"]["measured"]) == ("passed", None), "an age is not kept"
    assert (by_rule["broken"]["outcome"], by_rule["broken"]["reason"]) == ("error", "the source refuses the query")
    assert (by_rule["form"]["outcome"], by_rule["form"]["failed_rows"]) == ("passed", 1)
    told = f"{rows} {mesh.metrics.exposition().decode()}"
    assert not [name for name in NAMES if name and name in told]


async def test_metrics_show_the_last_check(tree: Tree) -> None:
    mesh = await tree.start("one")

    async def seen() -> bool:
        return "form" in shown(mesh, "quality_pass_rate")

    await until(seen, "metrics of rules")
    assert shown(mesh, "quality_rule_met") == {"somebody": 1, "oldest": 1, "named": 0, "form": 1}
    rates = shown(mesh, "quality_pass_rate")
    assert rates == {"somebody": 1, "oldest": 1, "named": pytest.approx(2 / 3), "form": pytest.approx(2 / 3)}
    text = mesh.metrics.exposition().decode()
    assert 'dictamesh_quality_checks_total{entity="Person",outcome="error",product="people",rule="broken"}' in text
    assert "other" not in {*rates}


async def test_lineage_hears_of_each_check(tree: Tree) -> None:
    mesh = await tree.start("one")
    told = (
        b"SELECT event FROM dictamesh_lineage_events WHERE event->'job'->>'name' = 'people#Person.quality' ORDER BY id"
    )

    async def sent() -> list[dict[str, Any]]:
        return [row["event"] for row in await mesh.store.pool.rows(told)]

    async def several() -> bool:
        return len(await sent()) >= 2

    await until(several, "a run of the rules")
    started, completed = (await sent())[:2]
    assert [each["eventType"] for each in (started, completed)] == ["START", "COMPLETE"]
    (checked,) = completed["inputs"]
    assertions = checked["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {each["name"]: (each["assertion"], each["success"], each.get("column")) for each in assertions} == {
        "somebody": ("rowCount", True, None),
        "oldest": ("sql", True, None),
        "named": ("nullValues", False, "name"),
        "form": ("invalidValues", True, "name"),
    }


async def test_one_of_two_replicas_does_the_work(tree: Tree) -> None:
    one, two = await tree.start("one"), await tree.start("two")

    async def several() -> bool:
        return len([row for row in await tree.rows(one) if row["rule"] == "named"]) >= 6

    await until(several, "six checks of each rule")
    await tree.stack.aclose()
    async with open_rows(tree.dsn) as rows:
        times = [row["checked_at"] for row in rows if row["rule"] == "named"]
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    assert min(gaps) >= 0.29, "no check is done twice"
    for mesh in (one, two):
        assert shown(mesh, "quality_rule_met")["named"] == 0, "both show what one of them found"


@contextlib.asynccontextmanager
async def open_rows(dsn: str) -> AsyncIterator[list[dict[str, Any]]]:
    pool = await open_pool(dsn, PoolSettings(max_size=2, idle=0))
    try:
        yield await pool.rows(b"SELECT rule, checked_at FROM dictamesh_quality_results ORDER BY checked_at, id")
    finally:
        await pool.close()


async def test_a_lease_is_held_by_one(embedded_dsn: str) -> None:
    pool = await open_pool(embedded_dsn, PoolSettings(max_size=1, idle=1))
    try:
        async with leased(pool, "work") as first, leased(pool, "work") as second, leased(pool, "other work") as third:
            assert (first, second, third) == (True, False, True)
            assert await pool.rows(b"SELECT 1 AS one") == [{"one": 1}], "no connection of the pool is taken"
        async with leased(pool, "work") as again:
            assert again
    finally:
        await pool.close()


async def test_a_reload_checks_the_rules_that_it_brings(tree: Tree) -> None:
    mesh = await tree.start("one")
    changed = PEOPLE.replace(
        "{name: somebody, metric: rowCount, mustBeGreaterThan: 0}", "{name: three, metric: rowCount, mustBe: 3}"
    )
    (tree.folder / "people.yaml").write_text(changed, encoding="utf-8")
    assert await mesh.reload("signal") == "applied"

    async def seen() -> bool:
        return "three" in shown(mesh, "quality_rule_met")

    await until(seen, "the new rule is checked")
    assert "somebody" not in shown(mesh, "quality_rule_met")


async def test_nothing_is_checked_where_the_mesh_says_so(tree: Tree) -> None:
    (tree.folder / "mesh.yaml").write_text(MESH.replace("quality: {", "quality: {enabled: false, "), encoding="utf-8")
    mesh = await tree.start("one")
    await asyncio.sleep(1)
    assert await tree.rows(mesh) == []


async def test_what_is_old_is_forgotten(tree: Tree) -> None:
    (tree.folder / "mesh.yaml").write_text(MESH.replace("keep: 30d", "keep: 1s"), encoding="utf-8")
    mesh = await tree.start("one")

    async def begun() -> bool:
        return bool(await tree.rows(mesh))

    await until(begun, "a first check")
    first = (await tree.rows(mesh))[0]["id"]

    async def gone() -> bool:
        return all(row["id"] != first for row in await tree.rows(mesh))

    await until(gone, "the first row goes")


async def test_callers_are_served_while_a_source_of_rules_fails(tree: Tree) -> None:
    """A rule's failing query opens no breaker of the callers."""
    mesh = await tree.start("one")

    async def several() -> bool:
        return len([row for row in await tree.rows(mesh) if row["rule"] == "broken"]) >= 6

    await until(several, "six failed checks")
    assert {str(each.line.guard.state) for each in mesh.world.lines.values()} == {"closed"}


async def test_what_goes_wrong_with_one_entity_stops_no_other(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connector that breaks its contract, or a fault of ours, is a result like any other."""
    more = PEOPLE.replace("source: {server: db}", PETS + "source: {server: db}")
    (tree.folder / "people.yaml").write_text(more, encoding="utf-8")
    with closing(sqlite3.connect(tree.folder / "people.sqlite")) as database:
        database.execute("CREATE TABLE pets (id INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO pets VALUES (1)")
        database.commit()
    mesh = await tree.start("one")
    (line,) = [each.line for each in mesh.world.lines.values()]
    real = line.connector.count

    async def breaks(source: Any, request: Any) -> int:
        if source.physical_name == "people":
            raise KeyError("trillian")
        return await real(source, request)

    monkeypatch.setattr(line.connector, "count", breaks)

    async def both() -> bool:
        return {"pets", "named"} <= {row["rule"] for row in await tree.rows(mesh)}

    await until(both, "both entities are checked")
    by_rule = {row["rule"]: row for row in await tree.rows(mesh)}
    assert (by_rule["named"]["outcome"], by_rule["named"]["reason"]) == ("error", "SOURCE_UNAVAILABLE")
    assert by_rule["pets"]["outcome"] == "passed"
    assert "trillian" not in str(await tree.rows(mesh))

# SPDX-License-Identifier: Apache-2.0
"""The same people in every kind of source, with quality rules over them."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.mesh.build import build
from dictamesh.runtime.quality.checks import check
from dictamesh.runtime.quality.reading import reading
from dictamesh.runtime.quality.results import Result
from dictamesh.specs.diagnostics import render
from dictamesh.specs.documents import Memory
from tests.integration.connectors import people
from tests.integration.execution.harness import Running, listening, running
from tests.integration.execution.tables import Tables
from tests.support.postgres import fresh_database

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: crowd
include: [taxonomy.yaml, people.yaml]
servers: {main: SERVER}
"""
TAXONOMY = """
apiVersion: dictamesh/v1
kind: Taxonomy
tiers: [public, internal, confidential, restricted]
tags: {pii: {pii: true, description: personal}}
"""
FIELDS: Mapping[str, Mapping[str, Any]] = {
    "id": {"logicalType": "string", "primaryKey": True, "required": True},
    "name": {"logicalType": "string", "classification": "restricted", "tags": ["pii"]},
    "group": {"logicalType": "string"},
    "age": {"logicalType": "integer"},
    "big": {"logicalType": "integer", "logicalTypeOptions": {"format": "i64"}},
    "price": {"logicalType": "number", "physicalType": "decimal(12,2)"},
    "active": {"logicalType": "boolean"},
    "born": {"logicalType": "date"},
    "seen": {"logicalType": "timestamp"},
}
REST = {"list": {"path": "/people", "records": "items"}}
HOMES: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "sqlite": ("{type: sqlite, path: x}", "the people", {}),
    "postgres": ('{type: postgres, dsn: "${env:DSN}"}', 'sales."the people"', {}),
    "csv": ("{type: file, path: x}", "people-*.csv", {}),
    "jsonl": ("{type: file, path: x}", "people.jsonl", {}),
    "parquet": ("{type: file, path: x}", "people.parquet", {}),
    "rest": ('{type: rest, url: "http://127.0.0.1:1"}', "people", REST),
}
"""By name: the server, the physical name, the entity's options."""


def plan(home: str, rules: Mapping[str, Iterable[Mapping[str, Any]]], **mesh: Any) -> Plan:
    """The people at a home; `rules` are by field, those of the entity under an empty name."""
    server, physical, options = HOMES[home]
    properties = [
        {"name": name, "classification": "public", **given, "quality": list(rules.get(name, ()))}
        for name, given in FIELDS.items()
    ]
    entity = {"name": "Person", "physicalName": physical, "properties": properties, "quality": list(rules.get("", ()))}
    product = {"apiVersion": "dictamesh/v1", "kind": "DataProduct", "id": "people", "name": "people"}
    product |= {"version": "1.0.0", "status": "active", "schema": [entity]}
    product |= {"source": {"server": "main", **({"Person": dict(options)} if options else {})}}
    files = {
        "mesh.yaml": MESH.replace("SERVER", server) + yaml.safe_dump(mesh) if mesh else MESH.replace("SERVER", server),
        "taxonomy.yaml": TAXONOMY,
        "people.yaml": yaml.safe_dump(product),
    }
    made = build(Memory(files), "mesh.yaml")
    assert made.plan is not None, render(made.diagnostics, made.sources)
    return made.plan


@asynccontextmanager
async def at_home(home: str, made: Plan, folder: Path, dsn: str) -> AsyncIterator[Running]:
    """Run a plan of a home over its filled source."""
    async with AsyncExitStack() as stack:
        options: dict[str, Any] = {"path": str(folder)}
        if home == "sqlite":
            people.sqlite_file(folder / "people.sqlite")
            options = {"path": "people.sqlite"}
        elif home == "postgres":
            database = stack.enter_context(fresh_database(dsn))
            people.postgres_tables(database)
            options = {"dsn": database}
        elif home == "rest":
            tables = Tables({"people": [people.in_json(row) for row in people.ROWS]})
            options = {"url": await stack.enter_async_context(listening(tables.app()))}
        else:
            {"csv": people.csv_files, "jsonl": _jsonl, "parquet": _parquet}[home](folder)
        yield await stack.enter_async_context(running(made, {"main": options}, folder))


def _jsonl(folder: Path) -> None:
    people.jsonl_file(folder / "people.jsonl")


def _parquet(folder: Path) -> None:
    people.parquet_file(folder / "people.parquet")


def only(made: Plan) -> EntityPlan:
    (entity,) = made.entities.values()
    return entity


async def results(adapters: Adapters, max_scan: int = 1000) -> dict[str, Result]:
    entity = only(adapters.plan)
    own = reading(adapters.plan, adapters.lines)
    return {each.rule.name: each for each in await check(own, entity.address, entity.quality, max_scan)}


def by_reading(mesh: Running) -> Adapters:
    """The same adapters where the source counts nothing: every rule that can be is measured on rows."""
    entities = {
        address: replace(entity, capabilities=replace(entity.capabilities, count=False))
        for address, entity in mesh.plan.entities.items()
    }
    lines = {
        name: Line(line.connector, line.guard, replace(line.manifest, sql=None))
        for name, line in mesh.adapters.lines.items()
    }
    return Adapters(replace(mesh.plan, entities=entities), lines)

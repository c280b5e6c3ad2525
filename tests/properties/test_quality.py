# SPDX-License-Identifier: Apache-2.0
"""What a database counts for a rule is what is counted on its rows, whatever stands in them."""

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dictamesh.runtime.mesh.build import build
from dictamesh.runtime.quality.results import Outcome
from dictamesh.specs.diagnostics import render
from dictamesh.specs.documents import Memory
from tests.integration.execution.harness import running
from tests.integration.quality.homes import by_reading, results

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: odd
include: [things.yaml]
servers: {db: {type: sqlite, path: x.sqlite}}
"""
TEXTS = ("", "a", "A", "ä", "n/a", "5", "2026-01-31", "1.50")
TYPES: dict[str, dict[str, Any]] = {
    "text": {"logicalType": "string"},
    "number": {"logicalType": "integer"},
    "money": {"logicalType": "number", "physicalType": "decimal(6,2)"},
    "day": {"logicalType": "date"},
}
CELLS = st.sampled_from((None, *TEXTS, 0, 1, 5, -7, 2**40, 1.5, b"\x00", b"a"))
VALUES = {
    "text": st.sampled_from(TEXTS),
    "number": st.integers(-7, 7),
    "money": st.sampled_from([0, 1.5, "5", "2.25"]),
    "day": st.sampled_from(["2026-01-31", "2026-02-01"]),
}
VALID = {"text": st.sampled_from(["a", "A", "5", "n/a"])}  # each another name in GraphQL


@st.composite
def rules(draw: st.DrawFn, name: str) -> dict[str, Any]:
    metric = draw(st.sampled_from(["nullValues", "missingValues", "invalidValues", "duplicateValues"]))
    arguments: dict[str, Any] = {}
    if metric == "missingValues" and draw(st.booleans()):
        arguments["missingValues"] = draw(st.lists(st.none() | VALUES[name], max_size=3))
    if metric == "invalidValues":
        arguments["validValues"] = draw(st.lists(VALID.get(name, VALUES[name]), min_size=1, max_size=3, unique=True))
    return {"metric": metric, "arguments": arguments, "mustBe": 0, "unit": draw(st.sampled_from(["rows", "percent"]))}


@st.composite
def products(draw: st.DrawFn) -> dict[str, Any]:
    properties = [{"name": "id", "logicalType": "integer", "primaryKey": True}]
    properties += [
        {"name": name, **kind, "quality": draw(st.lists(rules(name), max_size=3))} for name, kind in TYPES.items()
    ]
    names = draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=2, unique=True))
    entity = {"name": "Thing", "physicalName": "things", "properties": properties}
    entity["quality"] = [{"metric": "duplicateValues", "arguments": {"properties": names}, "mustBe": 0}]
    product = {"apiVersion": "dictamesh/v1", "kind": "DataProduct", "id": "things", "name": "things"}
    return product | {"version": "1.0.0", "status": "active", "schema": [entity], "source": {"server": "db"}}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(products(), st.lists(st.tuples(*[CELLS] * len(TYPES)), max_size=8))
def test_counted_there_and_here(product: dict[str, Any], rows: list[tuple[Any, ...]]) -> None:
    made = build(Memory({"mesh.yaml": MESH, "things.yaml": yaml.safe_dump(product)}), "mesh.yaml")
    assert made.plan is not None, render(made.diagnostics, made.sources)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(sqlite3.connect(folder / "x.sqlite")) as database:
            database.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, text, number, money, day)")
            database.executemany("INSERT INTO things (text, number, money, day) VALUES (?, ?, ?, ?)", rows)
            database.commit()

        async def both() -> tuple[Any, Any]:
            async with running(made.plan, {"db": {"path": "x.sqlite"}}, folder) as mesh:  # type: ignore[arg-type]
                return await results(mesh.adapters), await results(by_reading(mesh))

        there, here = asyncio.run(both())
    assert not [each.reason for each in there.values() if each.outcome is Outcome.ERROR]
    assert {name: (each.outcome, each.bad, each.rows, each.value) for name, each in there.items()} == {
        name: (each.outcome, each.bad, each.rows, each.value) for name, each in here.items()
    }

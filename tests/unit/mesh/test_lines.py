# SPDX-License-Identifier: Apache-2.0
"""Lines to servers: unchanged ones outlive a plan, others are closed once, drift is told (S1, S29)."""

import logging
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.build import build
from dictamesh.runtime.mesh.drift import compare
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.lines import close_lines, open_lines, states, unused
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.resilience import Listeners
from dictamesh.specs.diagnostics import render
from dictamesh.specs.documents import Memory

MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: m
include: p.yaml
servers:
  a: {type: sqlite, path: "${env:A}"}
  b: {type: sqlite, path: b.sqlite}
"""
PRODUCT = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: NAME
name: NAME
version: 1.0.0
status: active
domain: NAME
team: {name: us, members: [{username: ana, role: owner}]}
schema:
  - name: TYPE
    physicalName: things
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: colour, logicalType: string, classification: public}
source: {server: NAME}
"""


def plan(mesh: str = MESH) -> Plan:
    products = [PRODUCT.replace("NAME", name).replace("TYPE", name.upper()) for name in "ab"]
    found = build(Memory({"mesh.yaml": mesh, "p.yaml": "---\n".join(products)}), "mesh.yaml")
    assert found.plan is not None, render(found.diagnostics, found.sources)
    return found.plan


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    for name in "ab":
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as connection:
            connection.execute("CREATE TABLE things (id TEXT PRIMARY KEY, colour TEXT)")
    return {"A": str(tmp_path / "a.sqlite")}


def resolver(tmp_path: Path, environment: Mapping[str, str]) -> Resolver:
    return Resolver(tmp_path, environment)


async def test_unchanged_servers_are_taken_over(tmp_path: Path, environment: dict[str, str]) -> None:
    where = resolver(tmp_path, environment)
    first = await open_lines(plan(), where, Listeners())
    same = await open_lines(plan(), where, Listeners(), first)
    assert [same[name] is first[name] for name in "ab"] == [True, True]
    assert unused(first, same) == []
    # other options, other resilience, another value behind a reference: each makes a line anew
    options = await open_lines(plan(MESH.replace("b.sqlite", "./b.sqlite")), where, Listeners(), first)
    assert [options[name] is first[name] for name in "ab"] == [True, False]
    guarded = await open_lines(plan(MESH + "resilience: {b: {timeout: 9s}}\n"), where, Listeners(), first)
    assert [guarded[name] is first[name] for name in "ab"] == [True, False]
    (tmp_path / "c.sqlite").write_bytes((tmp_path / "a.sqlite").read_bytes())
    moved = await open_lines(plan(), resolver(tmp_path, {"A": str(tmp_path / "c.sqlite")}), Listeners(), first)
    assert [moved[name] is first[name] for name in "ab"] == [False, True]
    assert states(first) == {"a": "closed", "b": "closed"}
    every = {id(each): each for lines in (first, options, guarded, moved) for each in lines.values()}
    await close_lines(every.values())


async def test_a_missing_reference_leaves_nothing_open(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"servers\.a\.path: the environment variable A is not there"):
        await open_lines(plan(), resolver(tmp_path, {}), Listeners())


async def test_drift_is_told(tmp_path: Path, environment: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    lines = await open_lines(plan(), resolver(tmp_path, environment), Listeners())
    try:
        assert await compare(plan(), lines) == {}
        with closing(sqlite3.connect(tmp_path / "b.sqlite")) as connection:
            connection.execute("ALTER TABLE things RENAME COLUMN colour TO color")
        with caplog.at_level(logging.WARNING, "dictamesh.mesh"):
            assert await compare(plan(), lines) == {"b#B": ["colour"]}
        assert [record.message for record in caplog.records] == ["declared columns are missing in the source"]
        with closing(sqlite3.connect(tmp_path / "b.sqlite")) as connection:
            connection.execute("DROP TABLE things")
        await compare(plan(), lines)  # a source that cannot tell is passed over or lacks all
    finally:
        await close_lines(lines.values())

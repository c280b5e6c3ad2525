# SPDX-License-Identifier: Apache-2.0
"""A small mesh over a SQLite file and a CSV file, and commands run in this process."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dictamesh.runtime.cli.main import main

Run = Callable[..., tuple[int, str, str]]

MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: small
include: [taxonomy.yaml, products/*.yaml, policies/*.yaml]
servers:
  db: {type: sqlite, path: small.sqlite}
roles: [reader, chief]
purposes: [care, sale]
security:
  claims: {areas: [string], level: integer, insider: boolean}
  keys: {pepper: "${file:pepper.key}"}
  apiKeys:
    - {name: desk, key: "${env:SMALL_DESK_KEY:-}", roles: [reader]}
runtime: {dataDir: data}
"""
TAXONOMY = """\
apiVersion: dictamesh/v1
kind: Taxonomy
tiers: [public, internal, confidential, restricted]
tags:
  pii: {pii: true, description: personal data, children: [email]}
"""
PEOPLE = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: people
name: people
version: 1.0.0
status: active
domain: people
team: {name: us, members: [{username: ana, role: owner}]}
schema:
  - name: Person
    physicalName: people
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: email, logicalType: string, classification: restricted, tags: [pii.email]}
      - {name: area, logicalType: string, classification: public}
      - {name: level, logicalType: integer, classification: internal}
slaProperties:
  - {property: availability, value: 99.9, unit: percent}
  - {property: latency, value: 5, unit: s}
  - {property: responseTime, value: 5, unit: s}
source: {server: db}
"""
POLICY = """\
apiVersion: dictamesh/v1
kind: Policy
name: addresses
owner: office
match: {tags: [pii]}
rules:
  - {name: chiefs-in-care, roles: [chief], purposes: [care], effect: allow}
  - {name: insiders, claims: {insider: [true]}, effect: allow}
  - {name: others, effect: mask, mask: {kind: redact}}
tests:
  - as: {roles: [chief], purpose: care}
    field: people#Person.email
    value: a@example.com
    expect: {value: a@example.com}
  - {as: {}, field: people#Person.email, value: a@example.com, expect: {effect: mask, rule: others}}
---
apiVersion: dictamesh/v1
kind: Policy
name: areas
owner: office
match: {products: [people]}
rows:
  - {name: own-areas, roles: [reader], keep: "area = ANY(principal.areas) OR level = principal.level"}
"""


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    """The mesh file of a tree that a test may change."""
    for name, text in {
        "mesh.yaml": MESH,
        "taxonomy.yaml": TAXONOMY,
        "products/people.yaml": PEOPLE,
        "policies/office.yaml": POLICY,
        "pepper.key": "a pepper that is long enough for tests\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "small.sqlite")) as connection:
        connection.execute("CREATE TABLE people (id TEXT PRIMARY KEY, email TEXT, area TEXT, level INTEGER)")
        rows = [(f"p{n}", f"p{n}@example.com", "north" if n % 2 else "south", n) for n in range(1, 7)]
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
        connection.commit()
    return tmp_path / "mesh.yaml"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command line in `tmp_path`; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMALL_DESK_KEY", "the key of the desk")

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return command

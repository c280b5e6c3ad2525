# SPDX-License-Identifier: Apache-2.0
"""Who sees what while rows are fetched: row filters, restricting relations, masks by row, hidden keys (S17..S20)."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dictamesh.runtime.governance.principal import Principal
from tests.integration.execution.harness import Running, compiled, listening, memory, running
from tests.integration.execution.tables import Tables

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: hospital
include: [taxonomy.yaml, wards.yaml, policies.yaml]
servers:
  db: {type: sqlite, path: x.sqlite}
  web: {type: rest, url: "http://127.0.0.1:1"}
roles: [nurse, guest, head]
purposes: [care]
security:
  claims: {wards: [string]}
  keys: {pepper: "${env:PEPPER}"}
"""
TAXONOMY = """
apiVersion: dictamesh/v1
kind: Taxonomy
tiers: [public, internal, confidential, restricted]
tags:
  pii: {pii: true, description: personal}
"""
PRODUCT = """
apiVersion: dictamesh/v1
kind: DataProduct
id: wards
name: wards
version: 1.0.0
status: active
domain: care
schema:
  - name: Ward
    physicalName: wards
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: area, logicalType: string, classification: public}
  - name: Patient
    physicalName: patients
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
      - {name: wardId, physicalName: ward_id, logicalType: string, classification: public}
      - {name: name, logicalType: string, classification: restricted, tags: [pii]}
      - {name: until, physicalName: until_day, logicalType: date, classification: public}
  - name: Note
    physicalName: notes
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
      - {name: patientId, physicalName: patient_id, logicalType: integer, classification: public}
      - {name: text, logicalType: string, classification: public}
  - name: Badge
    physicalName: badges
    properties:
      - {name: code, logicalType: string, primaryKey: true, required: true, classification: restricted}
      - {name: colour, logicalType: string, classification: public}
      - {name: area, logicalType: string, classification: public}
SOURCE
relations:
  - {name: ward, from: Patient.wardId, to: Ward.id, cardinality: many-to-one, inverse: patients}
  - {name: patient, from: Note.patientId, to: Patient.id, cardinality: many-to-one, inverse: notes, restrict: true}
  - {name: badge, from: Ward.area, to: Badge.area, cardinality: many-to-one}
"""
POLICIES = """
apiVersion: dictamesh/v1
kind: Policy
name: wards
owner: head
match: {entities: [Ward]}
rows:
  - {name: own, roles: [nurse], keep: "id = ANY(principal.wards)"}
  - {name: guests, roles: [guest], keep: none}
---
apiVersion: dictamesh/v1
kind: Policy
name: patients
owner: head
match: {entities: [Patient]}
rows:
  - {name: by-ward, roles: [nurse], keep: "ward.area = 'north'"}
---
apiVersion: dictamesh/v1
kind: Policy
name: names
owner: head
match: {tags: [pii]}
rules:
  - {name: while-here, roles: [nurse], where: "until >= CURRENT_DATE AND ward.area = 'north'", effect: allow}
  - {name: else, roles: [nurse], effect: mask, mask: {kind: partial, keepFirst: 1, keepLast: 0}}
  - {name: head, roles: [head], effect: allow}
"""
WARDS = [("w1", "north"), ("w2", "south"), ("w3", "north")]
PATIENTS = [
    (1, "w1", "Anton", "2026-01-02"),
    (2, "w1", "Berta", "2025-12-31"),
    (3, "w2", "Cesar", "2026-02-01"),
    (4, "w3", "Doris", "2026-02-01"),
    (5, None, "Emil", None),
    (6, "w9", "Frieda", "2026-02-01"),
]
NOTES = [(n, patient, f"note {n}") for n, patient in enumerate([1, 2, 3, 4, 5, 6, 7, None], 10)]
BADGES = [("b1", "red", "north"), ("b2", "blue", "north"), ("b3", "green", "south")]
COLUMNS = {
    "wards": ("id", "area"),
    "patients": ("id", "ward_id", "name", "until_day"),
    "notes": ("id", "patient_id", "text"),
    "badges": ("code", "colour", "area"),
}
ROWS = {"wards": WARDS, "patients": PATIENTS, "notes": NOTES, "badges": BADGES}
NURSE = Principal("nurse", True, frozenset({"nurse"}), "care", ("care",), {"wards": ("w1", "w2")})
GUEST = Principal("guest", True, frozenset({"guest"}))
HEAD = Principal("head", True, frozenset({"head"}))


def source(kind: str) -> str:
    if kind == "sqlite":
        return "source: {server: db}"
    lines = ["source:", "  server: web"]
    for entity, table in (("Ward", "wards"), ("Patient", "patients"), ("Note", "notes"), ("Badge", "badges")):
        batch = "" if entity == "Badge" else f", batch: {{path: /{table}, query: {{ids: '{{ids}}'}}, records: items}}"
        lines.append(f"  {entity}: {{list: {{path: /{table}, records: items}}{batch}}}")
    return "\n".join(lines)


@asynccontextmanager
async def hospital(kind: str, folder: Path, now: datetime) -> AsyncIterator[Running]:
    plan = compiled(
        memory(mesh=MESH, taxonomy=TAXONOMY, wards=PRODUCT.replace("SOURCE", source(kind)), policies=POLICIES)
    )
    with closing(sqlite3.connect(folder / "x.sqlite")) as db, db:
        for table, columns in COLUMNS.items():
            db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(columns)})")
            db.execute(f"DELETE FROM {table}")
            db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", ROWS[table])
    tables = {name: [dict(zip(COLUMNS[name], row, strict=True)) for row in rows] for name, rows in ROWS.items()}
    async with listening(Tables(tables).app()) as url:
        options = {"db": {"path": "x.sqlite"}, "web": {"url": url}}
        async with running(plan, options, folder, now=lambda: now) as mesh:
            yield mesh


Opens = Callable[[datetime], AbstractAsyncContextManager[Running]]


@pytest.fixture(params=["sqlite", "rest"])
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Opens:
    return lambda now: hospital(request.param, tmp_path, now)


@pytest.fixture
async def mesh(opens: Opens) -> AsyncIterator[Running]:
    async with opens(datetime(2026, 1, 1, 12, tzinfo=UTC)) as found:
        yield found


async def test_row_filters_hold_wherever_rows_are_reached(mesh: Running) -> None:
    data = await mesh.data('{ wards { id } wardsCount a: ward(id: "w1") { id } b: ward(id: "w3") { id } }', NURSE)
    assert data == {"wards": [{"id": "w1"}, {"id": "w2"}], "wardsCount": "2", "a": {"id": "w1"}, "b": None}
    # a filter over a relation: w3 does not exist for her, so its area is NULL for patient 4
    data = await mesh.data("{ patients { id ward { id } } patientsCount }", NURSE)
    assert data == {
        "patients": [{"id": 1, "ward": {"id": "w1"}}, {"id": 2, "ward": {"id": "w1"}}],
        "patientsCount": "2",
    }
    data = await mesh.data('{ wards { id patients { id } } ward(id: "w2") { patients { id } } }', NURSE)
    assert data == {
        "wards": [{"id": "w1", "patients": [{"id": 1}, {"id": 2}]}, {"id": "w2", "patients": []}],
        "ward": {"patients": []},
    }


async def test_a_relation_that_restricts(mesh: Running) -> None:
    data = await mesh.data("{ notes { id } notesCount n: note(id: 10) { id } gone: note(id: 12) { id } }", NURSE)
    assert data == {"notes": [{"id": 10}, {"id": 11}], "notesCount": "2", "n": {"id": 10}, "gone": None}
    # for the head all patients exist, but that of note 16 does not, and note 17 has none
    data = await mesh.data("{ notes { id } }", HEAD)
    assert [note["id"] for note in data["notes"]] == [10, 11, 12, 13, 14, 15]
    data = await mesh.data('{ patients(filter: {id: {lt: 3}}) { notes(filter: {text: {like: "%1"}}) { id } } }', NURSE)
    assert data == {"patients": [{"notes": []}, {"notes": [{"id": 11}]}]}


async def test_no_source_is_asked_where_nothing_exists(mesh: Running) -> None:
    data = await mesh.data('{ wards { id } wardsCount ward(id: "w1") { id } }', GUEST)
    assert data == {"wards": [], "wardsCount": "0", "ward": None}
    assert not mesh.calls


async def test_filters_see_hidden_rows_as_missing(mesh: Running) -> None:
    query = """{ patients(filter: {ward: {area: {isNull: true}}}) { id }
                 other: patients(filter: {ward: {area: {eq: "north"}}}) { id } }"""
    assert await mesh.data(query, HEAD) == {
        "patients": [{"id": 5}, {"id": 6}],
        "other": [{"id": 1}, {"id": 2}, {"id": 4}],
    }
    every = await mesh.data(query, GUEST)
    assert every == {"patients": [{"id": n} for n in range(1, 7)], "other": []}


async def test_masks_by_row(opens: Opens) -> None:
    async with opens(datetime(2026, 1, 1, 12, tzinfo=UTC)) as mesh:
        body = await mesh.ask("{ patients { id name } }", NURSE)
        assert body["data"] == {"patients": [{"id": 1, "name": "Anton"}, {"id": 2, "name": "B****"}]}
        assert [entry["field"] for entry in body["extensions"]["policy"]] == ["Patient.name"]
        (row,) = mesh.audit.rows
        assert (row.fields, row.subject_count) == (("name",), 2)
        body = await mesh.ask('{ patients(filter: {name: {eq: "Anton"}}) { id } }', NURSE)
        assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    async with opens(datetime(2026, 1, 3, 12, tzinfo=UTC)) as mesh:  # conditions read the operation's clock
        data = await mesh.data("{ patients { name } }", NURSE)
        assert data == {"patients": [{"name": "A****"}, {"name": "B****"}]}


async def test_an_entity_whose_key_is_hidden(mesh: Running) -> None:
    body = await mesh.ask("{ badges { colour } badgesCount wards { id badge { colour } } }", NURSE)
    assert body["data"]["badges"] is None
    assert body["data"]["badgesCount"] == "3"
    assert body["data"]["wards"] == [{"id": "w1", "badge": None}, {"id": "w2", "badge": None}]
    assert [error["extensions"]["code"] for error in body["errors"]] == ["FORBIDDEN"] * 3
    body = await mesh.ask('{ badge(code: "b1") { colour } }', NURSE)
    assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_the_cache_knows_no_caller(mesh: Running) -> None:
    query = "{ patient(id: 3) { id name } }"
    assert (await mesh.ask(query, HEAD))["data"] == {"patient": {"id": 3, "name": "Cesar"}}
    assert (await mesh.ask(query, NURSE))["data"] == {"patient": None}
    assert (await mesh.ask("{ patient(id: 1) { name } }", GUEST))["data"] == {"patient": {"name": None}}
    assert (await mesh.ask("{ patient(id: 1) { name } }", HEAD))["data"] == {"patient": {"name": "Anton"}}


async def test_hidden_rows_cost_what_missing_ones_do(mesh: Running) -> None:
    query = "{ patient(id: %d) { id } }"
    await mesh.ask(query % 3, HEAD)
    await mesh.ask("{ wards { id } }", HEAD)
    assert await mesh.ask(query % 3, HEAD) == {"data": {"patient": {"id": 3}}}
    assert not mesh.calls  # it is in the cache
    missing, cost = await mesh.ask(query % 99, NURSE), dict(mesh.calls)
    assert (await mesh.ask(query % 5, NURSE), dict(mesh.calls)) == (missing, cost)  # has no ward
    assert (await mesh.ask(query % 5, NURSE), dict(mesh.calls)) == (missing, cost)  # cached by now
    assert (missing, sum(cost.values())) == ({"data": {"patient": None}}, 1)

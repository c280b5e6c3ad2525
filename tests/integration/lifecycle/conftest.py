# SPDX-License-Identifier: Apache-2.0
"""Two products over a database of their own, registered in the catalog; what is known of their records is put there."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.catalog.graph.edges import upsert_edges
from dictamesh.runtime.catalog.graph.values import Ref, SeenEdge
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.registration import register
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.lifecycle.erasure import Eraser
from dictamesh.runtime.lifecycle.ledger import LedgerFile
from dictamesh.runtime.lifecycle.receipts import Order
from dictamesh.runtime.lifecycle.sources import Sources
from dictamesh.runtime.lifecycle.subjects import subject
from dictamesh.runtime.mesh.build import build
from dictamesh.runtime.mesh.lines import close_lines, lines_of, open_lines
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.store import registration
from dictamesh.runtime.resilience import Listeners
from dictamesh.specs.documents import Memory
from tests.integration.catalog.conftest import catalog, data_dir, dsn, pool
from tests.support.postgres import embedded_dsn, postgres15_dsn

__all__ = ["catalog", "data_dir", "dsn", "embedded_dsn", "pool", "postgres15_dsn"]

KEY = b"the audit key of the tests"
MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: acme
include: ["*.product.yaml"]
servers:
  crm: {type: sqlite, path: crm.sqlite}
  erp: {type: sqlite, path: erp.sqlite}
security: {keys: {pepper: "${env:PEPPER}"}}
"""
CUSTOMERS = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: customers
name: customers
version: 1.0.0
status: active
customProperties: [{property: regimes, value: [GDPR]}]
domain: crm
team: {name: crm, members: [{username: ana, role: owner}]}
schema:
  - name: Customer
    physicalName: customers
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: name, logicalType: string, classification: internal}
slaProperties: [{property: retention, value: 30, unit: d}]
source: {server: crm}
subjects: {customer: Customer.id}
"""
INVOICES = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: invoices
name: invoices
version: 1.0.0
status: active
domain: finance
team: {name: finance, members: [{username: kim, role: owner}]}
schema:
  - name: Invoice
    physicalName: invoices
    properties:
      - {name: id, logicalType: integer, primaryKey: true, classification: public}
      - {name: customerId, physicalName: customer_id, logicalType: string, classification: public}
  - name: Note
    physicalName: notes
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: about, logicalType: string, classification: public}
      - {name: author, logicalType: string, classification: public}
slaProperties: [{property: retention, value: 10, unit: y}]
source: {server: erp}
relations:
  - {name: customer, from: Invoice.customerId, to: customers#Customer.id, cardinality: many-to-one, inverse: invoices}
output: {Invoice: {retention: 7d, partitions: 3}}
subjects: {customer: [Invoice.customerId, Note.about, Note.author]}
"""


def plan_of(**changes: str) -> Plan:
    files = {"mesh.yaml": MESH, "a.product.yaml": CUSTOMERS, "b.product.yaml": INVOICES, **changes}
    made = build(Memory(files), "mesh.yaml")
    assert made.plan is not None, made.diagnostics
    return made.plan


@dataclass
class Shop:
    """A mesh at rest: its plan, its catalog, its two source databases, its ledger."""

    pool: Pool
    plan: Plan
    folder: Path
    sources: Sources
    ledger: LedgerFile
    keys: dict[str, bytes] = field(default_factory=lambda: {"pepper": b"pepper"})

    def query(self, database: str, statement: str) -> None:
        with closing(sqlite3.connect(self.folder / f"{database}.sqlite")) as connection:
            connection.execute(statement)
            connection.commit()

    async def erase(self, written: str = "c1", **order: Any) -> Any:
        eraser = Eraser(self.pool, self.plan, self.sources, self.ledger, KEY)
        return await eraser.erase(subject(self.plan, "customer", written), Order(**{"by": "steward", **order}))

    async def record(self, kind: str, *ids: str, days: float = 0) -> None:
        """Records as event consumers put them into the catalog, last seen some days ago."""
        await self.pool.execute(
            b"INSERT INTO dictamesh_entity_catalog (mesh, product_id, product_version, entity_type, domain,"
            b" source_system, source_entity_id, key_fields, data_classification, last_seen_at)"
            b" SELECT mesh, product_id, product_version, entity_type, domain, source_system, i.id, key_fields,"
            b" data_classification, now() - %s * interval '1 day'"
            b" FROM dictamesh_entity_catalog, unnest(%s::text[]) AS i (id)"
            b" WHERE entity_type = %s AND source_entity_id = '*'",
            (days, list(ids), kind),
        )

    async def edge(self, near: tuple[str, str], name: str, far: tuple[str, str]) -> None:
        """A relation as event consumers put it into the catalog, seen so long ago that it keeps nothing."""
        at = datetime.now(UTC) - timedelta(days=500)
        told = SeenEdge(Ref(*near), name, Ref(*far), at, cardinality="many-to-one")
        async with self.pool.transaction() as connection:
            await upsert_edges(connection, [told])

    async def active(self, kind: str) -> set[str]:
        rows = await self.pool.rows(
            b"SELECT source_entity_id AS id FROM dictamesh_entity_catalog"
            b" WHERE entity_type = %(kind)s AND source_entity_id <> '*' AND status = 'active'",
            {"kind": kind},
        )
        return {row["id"] for row in rows}

    async def open_edges(self) -> int:
        rows = await self.pool.rows(
            b"SELECT count(*) AS n FROM dictamesh_entity_relationships"
            b" WHERE valid_to IS NULL AND subject_entity_id <> '*'"
        )
        return rows[0]["n"]

    async def events(self, kind: str) -> list[tuple[str, str, str]]:
        rows = await self.pool.rows(
            b"SELECT entity_id, event_type, event_payload->'entity'->>'version' AS version FROM dictamesh_event_log"
            b" WHERE entity_type = %(kind)s ORDER BY entity_id, id",
            {"kind": kind},
        )
        return [(row["entity_id"], row["event_type"], row["version"]) for row in rows]


@pytest.fixture
async def shop(catalog: Pool, tmp_path: Path) -> AsyncIterator[Shop]:
    plan, resolver = plan_of(), Resolver(tmp_path, {"PEPPER": "pepper"})
    for database, statements in {
        "crm": (
            "CREATE TABLE customers (id TEXT, name TEXT)",
            "INSERT INTO customers VALUES ('c1', 'Ana'), ('c2', 'Bo')",
        ),
        "erp": (
            "CREATE TABLE invoices (id INTEGER, customer_id TEXT)",
            "INSERT INTO invoices VALUES (1, 'c1'), (2, 'c1'), (3, 'c2')",
            "CREATE TABLE notes (id TEXT, about TEXT, author TEXT)",
            "INSERT INTO notes VALUES ('n1', 'c1', 'c2'), ('n2', 'c2', 'c1'), ('n3', 'c2', 'c2')",
        ),
    }.items():
        with closing(sqlite3.connect(tmp_path / f"{database}.sqlite")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
    await register(catalog, registration(plan, resolver))
    lines = await open_lines(plan, resolver, Listeners())
    sources = Sources(plan, lines_of(lines), Surrogates(plan.name, {}))
    yield Shop(catalog, plan, tmp_path, sources, LedgerFile(tmp_path / "erasures.jsonl"))
    await close_lines(lines.values())

# SPDX-License-Identifier: Apache-2.0
"""A mesh at rest over a table of its own, and what captures its changes."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.capture.contract import Recorded, Seen, StateId
from dictamesh.runtime.capture.recorder import CatalogRecorder
from dictamesh.runtime.capture.running import Making
from dictamesh.runtime.capture.states_of import states_of
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.log import LoggedEvent, bounds, read_events
from dictamesh.runtime.events.payload import NoPayload
from dictamesh.runtime.mesh.build import build
from dictamesh.runtime.mesh.lines import close_lines, lines_of, open_lines
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.resilience import Listeners
from dictamesh.specs.documents import Memory
from tests.integration.catalog.conftest import catalog, data_dir, dsn, pool
from tests.support.postgres import embedded_dsn, postgres15_dsn

__all__ = ["catalog", "data_dir", "dsn", "embedded_dsn", "pool", "postgres15_dsn"]

KEY = b"k" * 32
MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: acme
include: ["*.product.yaml"]
servers:
  crm: {type: sqlite, path: crm.sqlite}
security: {keys: {pepper: "${env:PEPPER}"}}
"""
PRODUCT = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: customers
name: customers
version: 1.0.0
status: active
domain: crm
team: {name: crm, members: [{username: ana, role: owner}]}
schema:
  - name: Customer
    physicalName: customers
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: name, logicalType: string, classification: internal}
      - {name: age, logicalType: integer, classification: internal}
      - {name: label, logicalType: string, classification: internal, transformLogic: "upper(name)"}
      - {name: storeId, physicalName: store_id, logicalType: string, classification: public}
  - name: Store
    physicalName: stores
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
relations:
  - {name: store, from: Customer.storeId, to: Store.id, cardinality: many-to-one, inverse: customers}
source:
  server: crm
  Customer:
    columns: {updated_at: timestamp}
    changes: CHANGES
"""
TABLES = (
    "CREATE TABLE customers (id TEXT, name TEXT, age, store_id TEXT, updated_at TEXT)",
    "CREATE TABLE stores (id TEXT)",
)


def plan_of(
    changes: str = "{snapshot: {every: 1s, page: 3, pause: 0s}}", required: Iterable[str] = (), **files: str
) -> Plan:
    product = PRODUCT.replace("CHANGES", changes)
    for name in required:
        product = product.replace(f"{{name: {name}, ", f"{{name: {name}, required: true, ")
    given = {"mesh.yaml": MESH, "a.product.yaml": product, **files}
    made = build(Memory(given), "mesh.yaml")
    assert made.plan is not None, [each.message for each in made.diagnostics]
    return made.plan


@dataclass
class Mesh:
    """The parts that capture needs, over a folder with `crm.sqlite`."""

    pool: Pool
    folder: Path
    plan: Plan = field(default_factory=plan_of)
    lines: Mapping[str, Line] = field(default_factory=dict)

    @property
    def entity(self) -> EntityPlan:
        return self.plan.entities["customers#Customer"]

    @property
    def state(self) -> StateId:
        return states_of(self.plan.name, self.entity)[0]

    def recorder(self, payload: Any = None, dead: Any = None) -> CatalogRecorder:
        ids = RecordIds(Surrogates(self.plan.name, {"pepper": b"pepper"}))
        return CatalogRecorder(self.pool, self.plan, self.entity, ids, KEY, payload or NoPayload(), dead=dead)

    def sql(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.folder / "crm.sqlite")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def rows(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self.folder / "crm.sqlite")) as connection:
            return connection.execute(statement).fetchall()

    @contextlib.asynccontextmanager
    async def making(
        self, recorder: CatalogRecorder, environment: Mapping[str, str] | None = None
    ) -> AsyncIterator[Making]:
        resolver = Resolver(self.folder, environment or {"PEPPER": "pepper"})
        lines = await open_lines(self.plan, resolver, Listeners())
        try:
            line = lines_of(lines)[self.entity.server]
            yield Making(self.plan, self.entity, self.state, line, recorder, self.pool)
        finally:
            await close_lines(lines.values())

    async def events(self) -> list[LoggedEvent]:
        """All events of the entity; those of one record are in order."""
        topic = self.entity.topic.name
        found = []
        for partition, at in (await bounds(self.pool, topic)).items():
            found += await read_events(self.pool, topic, partition, at.beginning, 10_000)
        return found

    async def told(self) -> list[tuple[str, str, str]]:
        return sorted((e.entity_id, e.envelope["entity"]["version"], e.event_type) for e in await self.events())


def row(id_: str | None, name: str | None = "ana", **more: Any) -> Seen:
    """A row of the table as its driver gives it."""
    columns: Mapping[str, Any] = {"id": id_, "name": name, "age": 1, "store_id": None, **more}
    return Seen(columns=columns, origin=f"row {id_}")


@pytest.fixture
def mesh(catalog: Pool, tmp_path: Path) -> Mesh:
    made = Mesh(catalog, tmp_path)
    made.sql(*TABLES)
    return made


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """Wait until something holds and return it; fails after a time that no machine should need."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
    return found


def counts(done: Recorded) -> tuple[int, int, int, int, int]:
    return done.created, done.updated, done.deleted, done.unchanged, done.bad

# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost: a source is changed while everything between it and the topic is killed with -9, and cut off.

Two replicas capture a PostgreSQL by logical decoding, and publish to a Kafka. Replicas, broker, registry, the catalog's
PostgreSQL and that of the source are each killed and started again; links are cut. At the end each topic, replayed per
key, is the table. ``DICTAMESH_EVENTS_CHANGES`` says how many changes are made (2,000), ``DICTAMESH_EVENTS_KILLS`` how
often each is killed (1); the seed is printed.
"""

import asyncio
import datetime
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.disaster.parts import Link, Postgres, Service, kafka, link, registry, services_folder
from tests.e2e.disaster.replayed import Replayed, Told, of_kafka, of_log, owners, replayed
from tests.e2e.disaster.writers import Writers
from tests.support.running import Runtime, spawn
from tests.support.services import address

CHANGES = int(os.environ.get("DICTAMESH_EVENTS_CHANGES", "2000"))
KILLS = int(os.environ.get("DICTAMESH_EVENTS_KILLS", "1"))
PATIENCE = 300.0
MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: disaster
include: [taxonomy.yaml, books.yaml]
servers:
  erp: {type: postgres, dsn: "${env:ERP_DSN}"}
catalog: {dsn: "${env:CATALOG_DSN}", pool: {max: 8, idle: 1}}
security: {keys: {audit: "${env:AUDIT_KEY}"}}
audit: {key: audit}
EVENTS"""
EVENTS = (
    'events: {kafka: {bootstrap: "${env:KAFKA}", replication: 1}, registry: {url: "${env:REGISTRY}"}, lease: 500ms}\n'
)
TAXONOMY = "apiVersion: dictamesh/v1\nkind: Taxonomy\ntiers: [public, internal, confidential, restricted]\n"
BOOKS = """
apiVersion: dictamesh/v1
kind: DataProduct
id: books
name: books
version: 1.0.0
status: active
domain: finance
schema:
  - name: Ledger
    physicalName: ledger
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: name, logicalType: string, classification: public}
      - {name: amount, logicalType: number, physicalType: "decimal(12,2)", classification: public}
      - {name: open, logicalType: boolean, required: true, classification: public}
      - {name: at, logicalType: timestamp, classification: public}
      - {name: day, logicalType: date, classification: public}
      - {name: weight, logicalType: number, physicalType: double, classification: public}
  - name: Plain
    physicalName: plain
    properties:
      - {name: id, logicalType: integer, physicalType: bigint, primaryKey: true, required: true, classification: public}
      - {name: note, logicalType: string, classification: public}
source:
  server: erp
  Ledger: {changes: {postgres: {heartbeat: 1s}}}
  Plain: {changes: {postgres: {heartbeat: 1s}}}
output:
  Ledger: {topic: finance.ledger, partitions: 4, payload: all}
  Plain: {topic: finance.plain, partitions: 3, payload: none}
"""


@dataclass
class Scene:
    """Everything that is struck; replicas are started again until they stand."""

    folder: Path
    erp: Postgres
    catalog: Postgres
    broker: Service | None
    registry: Service | None
    links: dict[str, Link]
    environment: dict[str, str]
    kafka: str = ""
    registry_url: str = ""
    replicas: dict[str, Runtime] = field(default_factory=dict)
    struck: list[str] = field(default_factory=list)

    async def begin(self, name: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            config = self.folder / "mesh" / "mesh.yaml"
            runtime = await spawn(config, self.folder / name, self.environment, "--no-watch", "--log-level", "info")
            if await runtime.ready():
                self.replicas[name] = runtime
                return
            if runtime.process.returncode is None:
                runtime.process.kill()
            await asyncio.gather(*runtime.readers)
            said = "".join(runtime.output[-5:] + runtime.errors[-5:])
            assert time.monotonic() < deadline, f"a replica does not start:\n{said}"
            await asyncio.sleep(0.5)

    def strikes(self) -> dict[str, Callable[[float], Awaitable[None]]]:
        """What can happen, by name; each lasts so many seconds."""
        found: dict[str, Callable[[float], Awaitable[None]]] = {
            "replica a": lambda seconds: self._replica("a", seconds),
            "replica b": lambda seconds: self._replica("b", seconds),
            "source": lambda seconds: self._server(self.erp, seconds),
            "catalog": lambda seconds: self._server(self.catalog, seconds),
            **{f"link to {name}": lambda seconds, name=name: self._cut(name, seconds) for name in self.links},
        }
        if self.broker is not None and self.registry is not None:
            broker, schemas = self.broker, self.registry
            found["broker"] = lambda seconds: self._server(broker, seconds)
            found["registry"] = lambda seconds: self._server(schemas, seconds)
            found["broker hangs"] = lambda seconds: self._hang(broker, seconds)
            found["registry hangs"] = lambda seconds: self._hang(schemas, seconds)
        return found

    async def _replica(self, name: str, seconds: float) -> None:
        runtime = self.replicas[name]
        runtime.process.kill()
        await runtime.process.wait()
        await asyncio.gather(*runtime.readers)
        await asyncio.sleep(seconds)
        await self.begin(name)

    async def _server(self, server: Postgres | Service, seconds: float) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(server.start)

    async def _hang(self, server: Service, seconds: float) -> None:
        server.pause()
        await asyncio.sleep(seconds * 2)
        server.go_on()

    async def _cut(self, name: str, seconds: float) -> None:
        await asyncio.to_thread(self.links[name].cut)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.links[name].mend)

    async def end(self) -> None:
        for runtime in self.replicas.values():
            if runtime.process.returncode is None:
                runtime.process.kill()
                await runtime.process.wait()
            await asyncio.gather(*runtime.readers)


@pytest.fixture
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with ExitStack() as stack:
        name = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="dictamesh-disaster-", ignore_cleanup_errors=True)
        )
        folder = Path(name)
        folder.chmod(0o755)
        yield _scene(folder, stack, published=request.param == "kafka")


def _scene(folder: Path, stack: ExitStack, *, published: bool) -> Scene:
    proxy = address("DICTAMESH_TEST_TOXIPROXY")
    erp, catalog = Postgres(folder / "erp"), Postgres(folder / "catalog")
    for server in (erp, catalog):
        server.start()
        stack.callback(server.stop)
    links = {"source": link(proxy, erp.port), "catalog": link(proxy, catalog.port)}
    environment = {
        "ERP_DSN": f"postgresql://dictamesh@127.0.0.1:{links['source'].port}/postgres",
        "CATALOG_DSN": f"postgresql://dictamesh@127.0.0.1:{links['catalog'].port}/postgres",
        "AUDIT_KEY": "the audit key of this test, long enough",
    }
    found = Scene(folder, erp, catalog, None, None, links, environment)
    if published:
        scripts = services_folder()
        assert scripts is not None
        found.broker, found.kafka, way = kafka(scripts, folder / "services", proxy)
        assert way is not None
        links["broker"] = way
        found.registry, url = registry(scripts, folder / "services")
        for service in (found.broker, found.registry):
            service.start()
            stack.callback(service.stop)
        links["registry"] = link(proxy, int(url.split(":")[2].split("/")[0]))
        found.registry_url = url
        through = f"http://127.0.0.1:{links['registry'].port}/apis/ccompat/v7"
        environment |= {"KAFKA": found.kafka, "REGISTRY": through}
    for each in links.values():
        stack.callback(each.remove)
    tree = folder / "mesh"
    tree.mkdir()
    texts = {"mesh.yaml": MESH.replace("EVENTS", EVENTS if published else "events: {lease: 500ms}\n")}
    for file, text in (texts | {"taxonomy.yaml": TAXONOMY, "books.yaml": BOOKS}).items():
        (tree / file).write_text(text, encoding="utf-8")
    return found


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scene", ["log", "kafka"], indirect=True)
async def test_nothing_is_lost(scene: Scene, request: pytest.FixtureRequest) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    writers = Writers(scene.erp.dsn, CHANGES)
    try:
        await asyncio.to_thread(writers.prepare)
        await asyncio.gather(scene.begin("a"), scene.begin("b"))
        writers.start()
        began = time.monotonic()
        await strike(scene, writers, random.Random(seed))
        while not writers.done:
            await asyncio.sleep(0.05)
        print(f"\nseed {seed}: {writers.committed} changes in {time.monotonic() - began:.0f} s; struck", *scene.struck)
        await settled(scene, writers, seed)
    finally:
        writers.stop()
        for name, runtime in scene.replicas.items():
            (scene.folder / f"{name}.log").write_text("".join(runtime.errors))
        if request.session.testsfailed or os.environ.get("DICTAMESH_KEEP_LOGS"):
            for name, runtime in scene.replicas.items():
                print(f"--- {name}\n{''.join(runtime.errors[-60:])}")
        await scene.end()


async def strike(scene: Scene, writers: Writers, dice: random.Random) -> None:
    """Let everything happen, each so often, at moments that are spread over the writing."""
    strikes = scene.strikes()
    order = [name for name in strikes for _ in range(KILLS)]
    dice.shuffle(order)
    for number, name in enumerate(order):
        share = writers.wanted * (number + dice.random()) / (len(order) + 1)
        while writers.committed < share and not writers.done:
            await asyncio.sleep(0.02)
        writers.hold_at(int(writers.wanted * (number + 2) / (len(order) + 1)))
        await strikes[name](dice.uniform(0, 2))
        scene.struck.append(name)
    writers.hold_at(writers.wanted)


async def settled(scene: Scene, writers: Writers, seed: int) -> None:
    """Wait until every topic tells what its table holds; what keeps it from that is told at the end."""
    buses: dict[str, Callable[[str], list[Told]]] = {"log": lambda topic: of_log(scene.catalog.dsn, topic)}
    if scene.broker is not None:
        buses["kafka"] = lambda topic: of_kafka(scene.kafka, scene.registry_url, topic)
    for bus, read in buses.items():
        for table in ("ledger", "plain"):
            deadline = time.monotonic() + PATIENCE
            while True:
                events = await asyncio.to_thread(read, f"finance.{table}")
                found, rows = replayed(events), await asyncio.to_thread(writers.rows, table)
                missing = differences(table, found, rows)
                if not missing:
                    break
                assert time.monotonic() < deadline, f"seed {seed}, {bus}, {table}: {missing[:5]}"
                await asyncio.sleep(1.0)
            print(f"{bus} {table}: {found.events} events, {found.doubled} again, {len(rows)} rows, 0 differ")
            assert found.faults == [], f"seed {seed}, {bus}: {found.faults[:5]}"
    for table in ("ledger", "plain"):
        captured = owners(scene.catalog.dsn, f"finance.{table}")
        assert captured == sorted(set(captured)), f"seed {seed}: two owners wrote at once: {captured}"
        print(f"owners of {table}: {len(captured)}, one after the other")


def differences(table: str, found: Replayed, rows: Mapping[str, Mapping[str, Any]]) -> list[object]:
    told = found.rows
    wrong: list[object] = sorted(told.keys() ^ rows.keys())
    if table == "ledger":
        wrong += [(key, told[key], row) for key, row in rows.items() if key in told and plain(told[key]) != plain(row)]
    return wrong


def plain(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """A row in values that compare, whether it came out of JSON, Avro or the database."""
    return {name: _plain(value, name) for name, value in (row or {}).items()}


def _plain(value: Any, name: str) -> Any:
    match name, value:
        case _, None:
            return None
        case "amount", _:
            return Decimal(value).quantize(Decimal("0.01"))
        case "at", _:
            at = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)
            return at.astimezone(datetime.UTC)
        case "day", _:
            return value if isinstance(value, datetime.date) else datetime.date.fromisoformat(value)
        case "weight", _:
            return float(value)
    return value

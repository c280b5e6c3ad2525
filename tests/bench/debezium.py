# SPDX-License-Identifier: Apache-2.0
"""The same changes through Debezium and through us, from the commit in the source to the message at the broker.

``python -m tests.bench.debezium [CHANGES]`` starts a Kafka, a schema registry and a Kafka Connect with Debezium from
the folder ``DICTAMESH_TEST_SERVICES``, and a `dictamesh-runtime` as its users do. Each follows a PostgreSQL of its own,
one after the other, so that none disturbs the other. First 1,000 changes come a second, then a backlog is drained. When
a message was appended is told by the broker, when its change was committed by the source.

We write Avro by the registry with the whole row. Debezium, whose converters for Avro come from another vendor, writes
JSON without schemas, and looks for changes every 50 ms instead of every 500. Its worker has exactly-once delivery on,
as the script sets it; a message counts from when it is appended, not from when its transaction ends.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.bench.logical import TABLE
from tests.bench.published import END, HEADER, PATIENCE, Costs, Heard, Side, mark, measured, until
from tests.e2e.disaster import parts
from tests.e2e.disaster.replayed import Schemas
from tests.support.running import Runtime, start
from tests.support.sources import Source, running

CHANGES = 50_000
MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: bench
include: [taxonomy.yaml, orders.yaml]
servers:
  erp: {type: postgres, dsn: "${env:ERP_DSN}"}
catalog: {dsn: "${env:CATALOG_DSN}"}
security: {keys: {audit: "${env:AUDIT_KEY}"}}
audit: {key: audit}
events: {kafka: {bootstrap: "${env:KAFKA}", replication: 1}, registry: {url: "${env:REGISTRY}"}}
"""
TAXONOMY = "apiVersion: dictamesh/v1\nkind: Taxonomy\ntiers: [public, internal, confidential, restricted]\n"
ORDERS = """
apiVersion: dictamesh/v1
kind: DataProduct
id: orders
name: orders
version: 1.0.0
status: active
domain: sales
schema:
  - name: Order
    physicalName: bench_orders
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: customer, logicalType: string, classification: public}
      - {name: status, logicalType: string, classification: public}
      - {name: note, logicalType: string, classification: public}
      - {name: quantity, logicalType: integer, classification: public}
      - {name: cents, logicalType: integer, classification: public}
      - {name: store, logicalType: string, classification: public}
      - {name: created_at, logicalType: timestamp, classification: public}
      - {name: changed_at, logicalType: timestamp, classification: public}
source:
  server: erp
  Order: {changes: {postgres: {}}}
output:
  Order: {topic: sales.order, partitions: 1, payload: all}
"""


class Connect:
    """A connector of a Kafka Connect worker, through its REST interface."""

    def __init__(self, url: str, name: str) -> None:
        self._url = f"{url.rstrip('/')}/connectors/{name}"

    def put(self, path: str, body: Any = None) -> Any:
        return self._ask("PUT", path, body)

    def state(self) -> str:
        try:
            found = self._ask("GET", "/status")
        except urllib.error.HTTPError:
            return "UNASSIGNED"
        tasks = [task["state"] for task in found["tasks"]]
        return tasks[0] if tasks else found["connector"]["state"]

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def debezium(source: Source, worker: parts.Service, url: str, kafka: str, changes: int) -> Costs:
    """Measure Debezium on an empty table of a source."""
    connector = Connect(url, "bench")
    connector.put("/config", _config(source))

    def stop() -> None:
        connector.put("/stop")
        until(lambda: not _streams(source))

    def committed(value: bytes) -> float:
        return float(json.loads(value)["source"]["ts_us"]) / 1000

    side = Side("Debezium", stop, partial(connector.put, "/resume"), lambda: worker.pid, None, committed)
    until(lambda: connector.state() == "RUNNING" and _streams(source))
    mark(source, "topic")
    topic = "bench.public.bench_orders"
    until(lambda: topic in AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics)
    with Heard(kafka, topic).listening() as heard:
        heard.until(f"{END}-topic")
        return measured(side, source, heard, changes)


def _config(source: Source) -> dict[str, str]:
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1",
        "database.port": str(source.tcp),
        "database.user": "dictamesh",
        "database.password": "none",
        "database.dbname": "postgres",
        "topic.prefix": "bench",
        "slot.name": "bench",
        "publication.name": "bench",
        "publication.autocreate.mode": "filtered",
        "table.include.list": "public.bench_orders",
        "snapshot.mode": "no_data",
        "poll.interval.ms": "50",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "false",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "topic.creation.default.replication.factor": "1",
        "topic.creation.default.partitions": "1",
        "topic.creation.default.message.timestamp.type": "LogAppendTime",
    }


def _streams(source: Source) -> bool:
    with psycopg.connect(source.dsn) as admin:
        row = admin.execute("SELECT count(*) FROM pg_replication_slots WHERE active").fetchone()
    return row is not None and row[0] > 0


def ours(source: Source, catalog: Source, folder: Path, kafka: str, registry: str, changes: int) -> Costs:
    """Measure a `dictamesh-runtime` on an empty table of a source."""
    for name, text in {"mesh.yaml": MESH, "taxonomy.yaml": TAXONOMY, "orders.yaml": ORDERS}.items():
        (folder / name).write_text(text, encoding="utf-8")
    environment = {
        "ERP_DSN": f"postgresql://dictamesh@127.0.0.1:{source.tcp}/postgres",
        "CATALOG_DSN": f"postgresql://dictamesh@127.0.0.1:{catalog.tcp}/postgres",
        "AUDIT_KEY": "the audit key of this bench, long enough",
        "KAFKA": kafka,
        "REGISTRY": registry,
    }
    schemas = Schemas(registry)

    def committed(value: bytes) -> float:
        return schemas.decode(value)["timestamp"].timestamp() * 1000

    assert catalog.process is not None
    with asyncio.Runner() as runner, _looping(runner) as call:
        standing: list[Runtime] = []

        def begin() -> None:
            standing.append(call(start(folder / "mesh.yaml", folder / "data", environment, "--no-watch")))

        def end() -> None:
            assert call(standing.pop().stop()) == 0

        begin()
        side = Side("DictaMesh", end, begin, lambda: standing[-1].process.pid, catalog.process.pid, committed)
        try:
            until(lambda: _streams(source))
            _timed_by_the_broker(kafka, "sales.order")
            with Heard(kafka, "sales.order").listening() as heard:
                mark(source, "topic")
                heard.until(f"{END}-topic")
                return measured(side, source, heard, changes)
        finally:
            for each in standing:
                call(each.stop())


@contextlib.contextmanager
def _looping(runner: asyncio.Runner) -> Iterator[Callable[[Any], Any]]:
    """A loop in a thread, which goes on to read what a process writes; gives what runs a coroutine in it."""
    loop = runner.get_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _timed_by_the_broker(kafka: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    until(lambda: topic in admin.list_topics(timeout=10).topics)
    entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
    wanted = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for done in admin.incremental_alter_configs([wanted]).values():
        done.result(30)


def compare(changes: int) -> list[Costs]:
    """Measure both, and return us and then them."""
    scripts = parts.services_folder()
    if scripts is None:
        sys.exit("set DICTAMESH_TEST_SERVICES to the folder of scripts that start services; they need a JDK")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dictamesh-debezium-")))
        broker, kafka, _ = parts.kafka(scripts, folder / "services")
        registry, url = parts.registry(scripts, folder / "services")
        for service in (broker, registry):
            service.start()
            stack.callback(service.stop)
        sources = [stack.enter_context(running(tcp=parts.free_port())) for _ in range(3)]
        for source in sources[:2]:
            with psycopg.connect(source.dsn, autocommit=True) as writer:
                writer.execute(TABLE)
        we = ours(sources[0], sources[2], folder, kafka, url, changes)
        registry.stop()
        worker, at = parts.connect(scripts, folder / "services", kafka)
        worker.start()
        stack.callback(worker.stop)
        return [we, debezium(sources[1], worker, at, kafka, changes)]


def aims(we: Costs, they: Costs) -> dict[str, bool]:
    """What the comparison is to show, and whether it does."""
    return {
        "at least its throughput per core (runtime against worker)": we.own <= they.own,
        "the same with our catalog counted": we.own + we.catalog <= they.own,
        "a lower p99": we.p99 < they.p99,
        "under half its memory": we.peak < they.peak / 2,
    }


def main() -> int:
    found = compare(int(sys.argv[1]) if len(sys.argv) > 1 else CHANGES)
    for row in (HEADER, ["---"] * len(HEADER), *(each.row() for each in found)):
        print("| " + " | ".join(row) + " |")
    judged = aims(*found)
    for aim, met in judged.items():
        print(f"- {aim}: {'met' if met else 'MISSED'}")
    return 0 if all(judged.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

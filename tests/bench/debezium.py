# SPDX-License-Identifier: Apache-2.0
"""The same changes through Debezium and through us, side by side: throughput, processor time, memory, latency.

``python -m tests.bench.debezium [CHANGES]``. Needs Kafka Connect with Debezium's PostgreSQL connector and its broker:
``DICTAMESH_TEST_CONNECT`` (http://...), ``DICTAMESH_TEST_KAFKA`` (host:port), ``DICTAMESH_TEST_CONNECT_PID`` (number of
the worker's process, for processor time and memory). Each has a source of its own, one after the other, so that none
disturbs the other. A change is there when it is in the broker, or in the event log.
"""

import asyncio
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer

from tests.bench import processes
from tests.bench.logical import TABLE, Costs, backlog, measured, steadily
from tests.support.postgres import fresh_database
from tests.support.sources import Source, running

STEADY = 10.0  # seconds
_NEEDED = ("DICTAMESH_TEST_CONNECT", "DICTAMESH_TEST_KAFKA", "DICTAMESH_TEST_CONNECT_PID")


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

    def remove(self) -> None:
        self._ask("DELETE", "")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def debezium(source: Source, changes: int) -> Costs:
    """Measure Debezium on an empty table of a source."""
    connect, kafka, pid = (os.environ[name] for name in _NEEDED)
    name = f"bench{int(time.time())}"
    connector = Connect(connect, name)
    with psycopg.connect(source.dsn, autocommit=True) as writer:
        writer.execute(TABLE)
    connector.put("/config", _config(source, name))
    try:
        _until(lambda: connector.state() == "RUNNING" and _streams(source))
        connector.put("/stop")
        _until(lambda: not _streams(source))
        backlog(source.dsn, changes)
        before = processes.cpu(int(pid))
        connector.put("/resume")
        messages = _messages(kafka, f"{name}.public.bench_orders")
        taken = [next(messages) for _ in range(_expected(source, changes))]
        used = processes.cpu(int(pid)) - before
        made = steadily(source.dsn, STEADY, changes)
        steady = [next(messages) for _ in range(made - made // 20 - 1)]
        rss = processes.memory(int(pid)) / 2**20
    finally:
        connector.remove()
    arrived = [at for at, _ in taken]
    latencies = sorted(at - committed for at, committed in steady)
    seconds = max(arrived) / 1000 - min(arrived) / 1000
    p50, p99 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    return Costs("Debezium (commit to broker)", len(taken), seconds, used / len(taken) * 1e6, rss, p50, p99)


def _expected(source: Source, changes: int) -> int:
    """Deletes of rows that are not there are no changes: PostgreSQL counts what was done."""
    with psycopg.connect(source.dsn, autocommit=True) as admin:
        admin.execute("SELECT pg_stat_force_next_flush()")
        row = admin.execute(
            "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = 'bench_orders'"
        ).fetchone()
    assert row is not None and 0 < row[0] <= changes
    return int(row[0])


def _config(source: Source, name: str) -> dict[str, str]:
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1",
        "database.port": str(source.tcp),
        "database.user": "dictamesh",
        "database.password": "none",
        "database.dbname": "postgres",
        "topic.prefix": name,
        "slot.name": name,
        "publication.name": name,
        "publication.autocreate.mode": "filtered",
        "table.include.list": "public.bench_orders",
        "snapshot.mode": "no_data",
        "tombstones.on.delete": "false",
        "topic.creation.default.replication.factor": "1",
        "topic.creation.default.partitions": "1",
    }


def _streams(source: Source) -> bool:
    with psycopg.connect(source.dsn) as admin:
        row = admin.execute("SELECT count(*) FROM pg_replication_slots WHERE active").fetchone()
    return row is not None and row[0] > 0


def _messages(kafka: str, topic: str) -> Iterator[tuple[float, float]]:
    """When each message was produced, and when its change was committed, in milliseconds since 1970."""
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([topic])
    deadline = time.monotonic() + 120
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is None or message.error() is not None:
                continue
            kind, at = message.timestamp()
            assert kind != TIMESTAMP_NOT_AVAILABLE
            deadline = time.monotonic() + 120
            value = json.loads(message.value())
            told = value.get("payload", value)["source"]
            yield float(at), told["ts_us"] / 1000 if "ts_us" in told else float(told["ts_ms"])
    finally:
        consumer.close()


def _until(met: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def main() -> None:
    missing = [name for name in _NEEDED if not os.environ.get(name)]
    if missing:
        sys.exit(f"set {', '.join(missing)}: see the text at the head of this file")
    changes = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with running(tcp=_free_port()) as source:
        print(debezium(source, changes), flush=True)
    with running() as source, running() as other, fresh_database(other.dsn) as catalog:
        print(asyncio.run(measured(catalog, source.dsn, changes)))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""From a change in the log to a subscriber's message, while changes come at a steady rate.

The events are appended as capture does, in transactions of some records; each message is a read by key through the
subscriber's policies with its audit row. Times are from the append's commit to the arrival at the client.
"""

import asyncio
import os
import secrets
import sqlite3
import time
import uuid
from contextlib import closing
from pathlib import Path

import aiohttp
import orjson
import psycopg

from dictamesh.runtime.catalog.cluster import start
from dictamesh.runtime.mesh.build import build_file
from dictamesh.runtime.mesh.start import Start
from dictamesh.runtime.mesh.starting import start_mesh
from dictamesh.specs.model import Runtime
from tests.bench.figures import Figure
from tests.support.subscribing import MESH, NAMES, SPECS, Heard, connected

RATE = 1_000
SECONDS = 10
AT_ONCE = 10
RECORDS = 1_000
TARGET = 200.0
QUERY = "subscription { personChanged { event { id type changedFields cursor } node { id name email } } }"


def measure(folder: Path, rounds: int) -> list[Figure]:
    """Measure the 50th and the 99th percentile, in milliseconds."""
    found = asyncio.run(_measured(folder, rounds))
    name = f"change to subscriber at {RATE:,} changes/s"
    return [
        Figure(f"{name}, p50", "ms", [p50 for p50, _ in found]),
        Figure(f"{name}, p99", "ms", [p99 for _, p99 in found], target=TARGET),
    ]


async def _measured(folder: Path, rounds: int) -> list[tuple[float, float]]:
    cluster = await start(folder / "catalog")
    try:
        with psycopg.connect(cluster.dsn, autocommit=True) as admin:
            name = f"t{secrets.token_hex(6)}"
            admin.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        config = _written(folder, psycopg.conninfo.make_conninfo(cluster.dsn, dbname=name))
        built = build_file(config)
        assert built.plan is not None
        settings = Runtime(port=0, metrics_port=0, data_dir=str(folder / "data"), watch=False, shutdown_timeout=5)
        mesh = await start_mesh(Start(config, built, built.plan, settings))
        try:
            return [await _round(Heard(mesh, folder)) for _ in range(rounds)]
        finally:
            await mesh.stop()
    finally:
        await cluster.stop()


def _written(folder: Path, dsn: str) -> Path:
    os.environ.update({name: f"{name.lower()}-0123456789abcdef" for name in NAMES} | {"HEARD_DSN": dsn})
    (folder / "mesh.yaml").write_text(MESH % {"events": "", "subscriptions": ""}, "utf-8")
    (folder / "specs.yaml").write_text(SPECS, "utf-8")
    with closing(sqlite3.connect(folder / "people.sqlite")) as db, db:
        db.execute("CREATE TABLE people (id PRIMARY KEY, name, country, email, boss_id)")
        rows = [(str(n), f"Person {n}", "DE", f"p{n}@x.example", None) for n in range(RECORDS)]
        db.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", rows)
        db.execute("CREATE TABLE badges (code PRIMARY KEY, colour)")
        db.execute("CREATE TABLE countries (code PRIMARY KEY)")
    return folder / "mesh.yaml"


async def _round(people: Heard) -> tuple[float, float]:
    sent: dict[str, float] = {}
    heard: dict[str, float] = {}
    async with connected(people.url, max_msg_size=0) as socket:
        await socket.subscribe(QUERY)
        await asyncio.sleep(0.5)
        listening = asyncio.create_task(_listen(socket.socket, heard, RATE * SECONDS))
        began = time.perf_counter()
        for batch in range(RATE * SECONDS // AT_ONCE):
            await asyncio.sleep(max(began + batch * AT_ONCE / RATE - time.perf_counter(), 0))
            events = [people.event(str((batch * AT_ONCE + n) % RECORDS)) for n in range(AT_ONCE)]
            written: list[uuid.UUID] = await people.write(*events)
            at = time.perf_counter()
            sent.update((str(each), at) for each in written)
        async with asyncio.timeout(60):
            await listening
    times = sorted((heard[each] - at) * 1000 for each, at in sent.items())
    return times[len(times) // 2], times[len(times) * 99 // 100]


async def _listen(socket: aiohttp.ClientWebSocketResponse, heard: dict[str, float], count: int) -> None:
    while len(heard) < count:
        message = orjson.loads((await socket.receive()).data)
        heard[message["payload"]["data"]["personChanged"]["event"]["id"]] = time.perf_counter()

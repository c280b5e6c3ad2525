# SPDX-License-Identifier: Apache-2.0
"""A mesh in this process whose changes a test writes itself, and clients that subscribe to it."""

import asyncio
import json
import socket
import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from dictamesh.runtime.events.envelope import EntityReference, Event, EventTrace, RelationshipReference
from dictamesh.runtime.events.log import append_events
from dictamesh.runtime.mesh.build import build_file
from dictamesh.runtime.mesh.running import RunningMesh
from dictamesh.runtime.mesh.start import Start
from dictamesh.runtime.mesh.starting import start_mesh
from dictamesh.runtime.observe import trace
from dictamesh.specs.model import Runtime

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: heard
include: [specs.yaml]
servers: {db: {type: sqlite, path: people.sqlite}}
roles: [chief, reader, german, stranger]
catalog: {dsn: "${env:HEARD_DSN}"}
events: {capture: false%(events)s}
security:
  keys: {pepper: "${env:HEARD_PEPPER}", audit: "${env:HEARD_PEPPER}"}
  claims: {country: string}
  apiKeys:
    - {name: chief, key: "${env:HEARD_CHIEF}", roles: [chief]}
    - {name: reader, key: "${env:HEARD_READER}", roles: [reader]}
    - {name: german, key: "${env:HEARD_GERMAN}", roles: [german]}
    - {name: stranger, key: "${env:HEARD_STRANGER}", roles: [stranger]}
audit: {key: audit}
gateway: {subscriptions: {%(subscriptions)s}}
"""
SPECS = """
apiVersion: dictamesh/v1
kind: Taxonomy
tags:
  pii: {pii: true, description: personal, children: [email]}
---
apiVersion: dictamesh/v1
kind: DataProduct
id: people
name: people
version: 1.0.0
status: active
domain: hr
slaProperties: [{property: latency, value: 1, unit: h}]
schema:
  - name: Person
    physicalName: people
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: name, logicalType: string, classification: public}
      - {name: country, logicalType: string, classification: public}
      - {name: email, logicalType: string, classification: restricted, tags: [pii.email]}
      - {name: bossId, physicalName: boss_id, logicalType: string, classification: public}
  - name: Country
    physicalName: countries
    properties:
      - {name: code, logicalType: string, primaryKey: true, required: true, classification: public}
  - name: Badge
    physicalName: badges
    properties:
      - {name: code, logicalType: string, primaryKey: true, required: true, classification: restricted,
         tags: [pii.email]}
      - {name: colour, logicalType: string, classification: public}
source:
  server: db
  Person: {changes: {poll: {cursor: name}}}
  Badge: {surrogate: {hmac: pepper}, changes: {poll: {cursor: colour}}}
graphql: {Person: {plural: people}}
relations:
  - {name: boss, from: Person.bossId, to: Person.id, cardinality: many-to-one, inverse: staff}
  - {name: homes, from: Country.code, to: Person.country, cardinality: one-to-many, inverse: land}
---
apiVersion: dictamesh/v1
kind: Policy
name: email
owner: o
match: {tags: [pii.email]}
rules: [{name: chiefs, roles: [chief], effect: allow}, {name: rest, effect: mask, mask: {kind: redact}}]
---
apiVersion: dictamesh/v1
kind: Policy
name: rows
owner: o
match: {entities: [people#Person]}
rows:
  - {name: germans, roles: [german], keep: "country = 'DE'"}
  - {name: strangers, roles: [stranger], keep: none}
  - {name: rest, keep: all}
"""
PEOPLE = [
    ("1", "Ann", "DE", "ann@x.example", None),
    ("2", "Bob", "FR", "bob@x.example", "1"),
    ("3", "Cid", "DE", "cid@x.example", "1"),
]
BADGES = [("A-1", "red"), ("B-2", "blue")]
NAMES = ("HEARD_PEPPER", "HEARD_CHIEF", "HEARD_READER", "HEARD_GERMAN", "HEARD_STRANGER")
WHAT = "{ event { id type key changedFields version cursor at } node { id name email boss { name } } }"


def headers(caller: str | None) -> dict[str, str]:
    return {"X-API-Key": f"heard_{caller}-0123456789abcdef"} if caller else {}


@dataclass
class Heard:
    """A mesh that is serving, its source, and the events that the test writes."""

    mesh: RunningMesh
    folder: Path
    version: int = 0
    stopped: int | None = None

    async def stop(self) -> int:
        if self.stopped is None:
            self.stopped = await self.mesh.stop()
        return self.stopped

    @property
    def url(self) -> str:
        return f"{self.mesh.url}/graphql"

    def sql(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.folder / "people.sqlite")) as db, db:
            db.execute(statement, values)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the source so that it cannot be read."""
        with closing(sqlite3.connect(self.folder / "people.sqlite")) as db:
            db.execute("BEGIN EXCLUSIVE")
            yield

    async def metrics(self) -> str:
        url = f"http://{self.mesh.metrics_http.host}:{self.mesh.metrics_http.port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.text()

    def event(self, record: str, kind: str = "UPDATED", fields: tuple[str, ...] = ("name",), **more: Any) -> Event:
        entity = self.mesh.world.plan.entities[more.pop("entity", "people#Person")]
        self.version += 1
        at = more.pop("trace", trace.begin())
        boss, land = more.pop("boss", None), more.pop("land", None)
        related = (RelationshipReference("Person", boss, "db", "boss"),) if boss else ()
        related += (RelationshipReference("Country", land, "db", "land"),) if land else ()
        reference = EntityReference(entity.name, record, str(self.version))
        return Event(
            topic=entity.topic.name,
            event_type=kind,
            entity=reference,
            source_system="db",
            domain="hr",
            trace=EventTrace(at.trace_id, at.span_id),
            changed_fields=fields,
            relationships=related,
            timestamp=datetime.now(UTC),
            **more,
        )

    async def write(self, *events: Event) -> list[uuid.UUID]:
        partitions = {e.topic.name: e.topic.partitions for e in self.mesh.world.plan.entities.values()}
        async with self.mesh.store.pool.transaction() as connection:
            await append_events(connection, events, partitions)
        return [event.event_id for event in events]

    async def change(self, record: str, kind: str = "UPDATED", fields: tuple[str, ...] = ("name",), **more: Any) -> Any:
        (written,) = await self.write(self.event(record, kind, fields, **more))
        return written

    async def ask(self, query: str, caller: str | None = "chief") -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, json={"query": query}, headers=headers(caller)) as response,
        ):
            return await response.json(content_type=None)


@asynccontextmanager
async def heard(
    folder: Path,
    dsn: str,
    monkeypatch: Any,
    *,
    events: str = "",
    subscriptions: str = "",
    edits: Mapping[str, str] | None = None,
) -> AsyncIterator[Heard]:
    """Start the mesh."""
    for name in NAMES:
        monkeypatch.setenv(name, f"{name.lower()}-0123456789abcdef")
    monkeypatch.setenv("HEARD_DSN", dsn)
    texts = {"mesh.yaml": MESH % {"events": events, "subscriptions": subscriptions}, "specs.yaml": SPECS}
    for name, text in texts.items():
        for before, after in (edits or {}).items():
            text = text.replace(before, after)  # noqa: PLW2901 - edited step by step
        (folder / name).write_text(text, "utf-8")
    with closing(sqlite3.connect(folder / "people.sqlite")) as db, db:
        db.execute("CREATE TABLE people (id PRIMARY KEY, name, country, email, boss_id)")
        db.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", PEOPLE)
        db.execute("CREATE TABLE badges (code PRIMARY KEY, colour)")
        db.executemany("INSERT INTO badges VALUES (?, ?)", BADGES)
        db.execute("CREATE TABLE countries (code PRIMARY KEY)")
    config = folder / "mesh.yaml"
    built = build_file(config)
    assert built.plan is not None, built.diagnostics
    settings = Runtime(port=0, metrics_port=0, data_dir=str(folder / "data"), watch=False, shutdown_timeout=5)
    running = Heard(await start_mesh(Start(config, built, built.plan, settings)), folder)
    try:
        yield running
    finally:
        await running.stop()


class Socket:
    """A client of graphql-transport-ws."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def next(self, seconds: float = 20.0) -> dict[str, Any]:
        message = await self.socket.receive(timeout=seconds)
        assert message.type is aiohttp.WSMsgType.TEXT, (message, self.socket.close_code)
        return json.loads(message.data)

    async def begin(self, payload: Any = None) -> None:
        await self.send(type="connection_init", **({} if payload is None else {"payload": payload}))
        assert await self.next() == {"type": "connection_ack"}

    async def subscribe(self, query: str, at: str = "1", variables: Mapping[str, Any] | None = None) -> None:
        await self.send(id=at, type="subscribe", payload={"query": query, "variables": variables})

    async def closed(self, seconds: float = 20.0) -> tuple[int | None, str]:
        while True:
            message = await self.socket.receive(timeout=seconds)
            if message.type is aiohttp.WSMsgType.CLOSE:
                return message.data, message.extra or ""
            if message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR}:
                return self.socket.close_code, ""

    async def quiet(self, seconds: float = 1.0) -> None:
        """Nothing comes."""
        try:
            message = await self.socket.receive(timeout=seconds)
        except TimeoutError:
            return
        raise AssertionError(message)


@asynccontextmanager
async def connected(
    url: str, caller: str | None = "chief", *, init: bool = True, payload: Any = None, **more: Any
) -> AsyncIterator[Socket]:
    """Connect as somebody, by the header."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=("graphql-transport-ws",), headers=headers(caller), **more) as socket,
    ):
        made = Socket(socket)
        if init:
            await made.begin(payload)
        yield made


@asynccontextmanager
async def streamed(url: str, query: str, caller: str | None = "chief", **more: Any) -> AsyncIterator["Events"]:
    """Subscribe by server-sent events."""
    sent = {**headers(caller), "Accept": "text/event-stream", **more.pop("headers", {})}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"query": query, **more}, headers=sent) as response,
    ):
        yield Events(response)


class Events:
    """Server-sent events as they come."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> tuple[str, str | None, Any]:
        """The next event: its name, its id, its data; comments are passed over."""
        name, mark, data = "", None, ""
        while True:
            line = (await self.response.content.readline()).decode()
            assert line, "the stream has ended"
            text = line.rstrip("\n")
            if text.startswith("event: "):
                name = text[7:]
            elif text.startswith("id: "):
                mark = text[4:]
            elif text.startswith("data: "):
                data = text[6:]
            elif not text and name:
                return name, mark, json.loads(data) if data else None


@asynccontextmanager
async def slow(
    people: Heard, caller: str, query: str, *, narrow: bool = False
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Subscribe over a WebSocket that is read by hand; a `narrow` one holds next to nothing that is not read."""
    own = socket.socket()
    if narrow:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    own.setblocking(False)
    await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", int(people.mesh.http.port)))
    reader, writer = await asyncio.open_connection(sock=own, limit=1024)
    sent = {
        "Host": "x",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "graphql-transport-ws",
        **headers(caller),
    }
    head = "GET /graphql HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items()) + "\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.write(frame('{"type":"connection_init"}'))
    writer.write(frame(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}})))
    await asyncio.sleep(0.5)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def frame(text: str) -> bytes:
    """A masked text frame, as clients send them; the mask is zero."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + len(data).to_bytes(2, "big")
    return b"\x81" + size + b"\0\0\0\0" + data

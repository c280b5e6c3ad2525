# SPDX-License-Identifier: Apache-2.0
"""What publishing costs: events read from the log, encoded and produced, beside the same messages merely produced.

The floor is confluent-kafka's own producer with the same settings on the same broker, by turns in one run: by the
clock, and by the processor's time of this process, which other programs do not change. Reading them back, decoded, is
measured too. Needs `DICTAMESH_TEST_KAFKA`.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop
from confluent_kafka import Consumer, Producer, TopicPartition

from dictamesh.runtime.bus.admin import Admin
from dictamesh.runtime.bus.client import Message, Sender
from dictamesh.runtime.bus.codec import decode, parsed
from dictamesh.runtime.bus.messages import Outgoing, Row, Told, outgoing, written
from dictamesh.runtime.bus.offsets import page, reading, set_back
from dictamesh.runtime.bus.relay import Relay
from dictamesh.runtime.bus.settings import producer
from dictamesh.runtime.bus.topics import Wanted, create
from dictamesh.runtime.catalog.cluster import start
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import Pool, open_pool
from dictamesh.runtime.events.log import Encode, append_events, bounds
from dictamesh.specs.model.events import Kafka
from tests.bench.figures import Figure
from tests.support.bus import Heard, customer, event, wanted
from tests.support.services import KAFKA, unique

PARTITIONS = 12
_WAIT = 60
_MICROSECONDS = 1e6
PAYLOAD = {
    "country": "DE",
    "status": "active",
    "newsletter": True,
    "tags": ["a", "b"],
    "createdAt": "2026-01-02T03:04:05.000006Z",
}


class _Forgetful(Heard):
    """Keeps no event, as a mesh does: what is kept is walked by each collection of garbage."""

    def published(self, rows: Sequence[Told]) -> None:
        pass


def measure(folder: Path, rounds: int, count: int = 50_000) -> list[Figure]:
    """Publish, produce and read by turns."""
    bootstrap = os.environ.get(KAFKA)
    if not bootstrap:
        raise SystemExit(f"set {KAFKA} to the address of a running Kafka")
    return uvloop.run(_measured(folder, rounds, count, bootstrap))


async def _measured(folder: Path, rounds: int, count: int, bootstrap: str) -> list[Figure]:
    cluster = await start(folder)
    pool = await open_pool(cluster.dsn)
    try:
        await up(pool)
        return [
            figure
            for name, payload in (("references", None), ("with payload", PAYLOAD))
            for figure in await _one(pool, bootstrap, rounds, count, name, payload)
        ]
    finally:
        await pool.close()
        await cluster.stop()


async def _one(
    pool: Pool, bootstrap: str, rounds: int, count: int, name: str, payload: dict[str, Any] | None
) -> list[Figure]:
    topics = {each: wanted(customer(unique("bench"), PARTITIONS)) for each in ("relay", "raw")}
    reached = {"bootstrap.servers": bootstrap}
    admin = Admin(reached)
    await create(admin, topics.values())
    relayed = topics["relay"]
    ways = {relayed.name: outgoing("bench", "1.0.0", relayed, 1, 1_048_576)}
    await _fill(pool, relayed.name, count, payload, ways[relayed.name].codec.datum)
    settings = producer(Kafka(bootstrap=bootstrap), reached)
    relay = Relay(pool, "bench", settings, lambda: ways, _unexpected, _Forgetful())
    messages = await _messages(pool, ways, relayed.name, topics["raw"].name)
    sender = Sender(settings)
    _warm(sender, messages[0])
    taken: dict[str, list[float]] = {name: [] for name in ("relay", "raw", "read", "bare", "relay CPU", "raw CPU")}
    for _ in range(rounds):
        spent = time.process_time()
        taken["raw"].append(_raw(settings, messages) / count)
        taken["raw CPU"].append((time.process_time() - spent) / count * _MICROSECONDS)
        async with pool.transaction() as connection:
            await set_back(connection, "bench", {(relayed.name, number): 0 for number in range(PARTITIONS)})
        began, spent = time.perf_counter(), time.process_time()
        assert await relay.publish(sender, once=True) == count
        taken["relay"].append((time.perf_counter() - began) / count * _MICROSECONDS)
        taken["relay CPU"].append((time.process_time() - spent) / count * _MICROSECONDS)
        taken["read"].append(_read(bootstrap, relayed, count, decoded=True) / count)
        taken["bare"].append(_read(bootstrap, relayed, count, decoded=False) / count)
    await admin.delete([each.name for each in topics.values()])
    return [
        Figure(f"relay, {name}", "us/event", taken["relay"], taken["raw"], "raw producer"),
        Figure(f"relay, {name}", "CPU us/event", taken["relay CPU"], taken["raw CPU"], "raw producer"),
        Figure(f"read and decoded, {name}", "us/event", taken["read"], taken["bare"], "raw consumer", target=20),
    ]


def _warm(sender: Sender, message: Message) -> None:
    """Connections and the producer's id are had once in the life of a relay."""
    sender.send([message])
    assert sender.wait(_WAIT)


async def _fill(pool: Pool, topic: str, count: int, payload: dict[str, Any] | None, encode: Encode) -> None:
    """Write events as capture does where there is a registry."""
    for begin in range(0, count, 2000):
        made = [
            event(topic, f"c-{number:06}", version=number, changed_fields=("country", "status"), payload=payload)
            for number in range(begin, min(begin + 2000, count))
        ]
        async with pool.transaction() as connection:
            await append_events(connection, made, {topic: PARTITIONS}, encode)


async def _messages(pool: Pool, ways: dict[str, Outgoing], topic: str, onto: str) -> list[Message]:
    """The messages that the relay makes, for another topic, in the order in which it sends them."""
    rows: list[Row] = []
    held = await bounds(pool, topic)
    with reading(pool) as connection:
        for number, each in held.items():
            rows += page(connection, {(topic, number): 0}, {(topic, number): each.end})
    messages, rejected = written(ways, rows)
    assert not rejected
    return [Message(onto, each.partition, each.key, each.value, each.headers) for each in messages]


def _raw(settings: Any, messages: Sequence[Message]) -> float:
    made = Producer(dict(settings))
    first = messages[0]
    made.produce(first.topic, first.value, first.key, first.partition, headers=first.headers)
    assert made.flush(_WAIT) == 0
    began = time.perf_counter()
    for each in messages:
        while True:
            try:
                made.produce(each.topic, each.value, each.key, each.partition, headers=each.headers)
                break
            except BufferError:
                made.poll(0.05)
    assert made.flush(_WAIT) == 0
    return (time.perf_counter() - began) * _MICROSECONDS


def _read(bootstrap: str, topic: Wanted, count: int, *, decoded: bool) -> float:
    schema = parsed(topic.entity.avro) if topic.entity is not None else None
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic.name, number, 0) for number in range(PARTITIONS)])
    found = 0
    began = time.perf_counter()
    while found < count:
        for message in consumer.consume(5000, 1.0):
            assert message.error() is None
            value = message.value()
            if decoded and value is not None:
                decode(value, schema)
            found += 1
    taken = time.perf_counter() - began
    consumer.close()
    return taken * _MICROSECONDS


async def _unexpected(_connection: Any, rejected: Any) -> None:
    raise AssertionError(rejected)

# SPDX-License-Identifier: Apache-2.0
"""A topic read back: what its events come to per key, and whether they keep what the event log promises."""

import io
import itertools
import json
import struct
import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import fastavro
import psycopg
from confluent_kafka import Consumer, TopicPartition

_LOG = b"""
SELECT partition, "offset", event_payload AS envelope FROM dictamesh_event_log WHERE topic = %s
 ORDER BY partition, "offset"
"""
_OWNERS = b"""
SELECT split_part(event_payload->'metadata'->>'capture', '/', 2)::bigint FROM dictamesh_event_log
 WHERE topic = %s ORDER BY id
"""
QUIET = 10.0  # seconds without a message that mean the end of a topic


@dataclass
class Told:
    """One event: its place, and its envelope as plain values."""

    partition: int
    offset: int
    key: str
    envelope: Mapping[str, Any]


@dataclass
class Replayed:
    """The last event of each key, and what is wrong with the order."""

    last: dict[str, Told] = field(default_factory=dict)
    events: int = 0
    doubled: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def rows(self) -> dict[str, Mapping[str, Any] | None]:
        """The payload by key, of what is not deleted."""
        living = {key: told for key, told in self.last.items() if told.envelope["event_type"] != "DELETED"}
        return {key: told.envelope["payload"] for key, told in living.items()}


def replayed(events: Iterable[Told]) -> Replayed:
    """Replay events: versions of a key must not fall, but for a repetition, which bears the same id."""
    found, versions = Replayed(), dict[tuple[str, int], str]()
    for told in events:
        found.events += 1
        version, event_id = int(told.envelope["entity"]["version"]), told.envelope["event_id"]
        known = versions.setdefault((told.key, version), str(event_id))
        if known != str(event_id):
            found.faults.append(f"{told.key} has two events of version {version}")
        last = found.last.get(told.key)
        if last is not None and version <= int(last.envelope["entity"]["version"]):
            found.doubled += 1  # delivered again; what follows comes again, too
            if version < int(last.envelope["entity"]["version"]) and str(event_id) != known:
                found.faults.append(f"{told.key} went back to version {version}")
            continue
        found.last[told.key] = told
    return found


def of_log(dsn: str, topic: str) -> list[Told]:
    """The events of a topic in the event log."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(_LOG, (topic,)).fetchall()
    return [Told(row[0], row[1], row[2]["entity"]["id"], row[2]) for row in rows]


def owners(dsn: str, topic: str) -> list[int]:
    """The owners of a topic's capture in the order of the log, each as often as it began to write."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(_OWNERS, (topic,)).fetchall()
    return [owner for owner, _ in itertools.groupby(row[0] for row in rows)]


def of_kafka(bootstrap: str, registry: str, topic: str) -> list[Told]:
    """The events of a topic at the brokers, tombstones left out."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "disaster", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        ends = {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1]
            for number in partitions
        }
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        return list(_read(consumer, ends, Schemas(registry)))
    finally:
        consumer.close()


def _read(consumer: Consumer, ends: dict[int, int], schemas: "Schemas") -> Iterable[Told]:
    left = {number for number, end in ends.items() if end > 0}
    deadline = time.monotonic() + QUIET
    while left and time.monotonic() < deadline:
        for message in consumer.consume(1000, 1.0):
            assert message.error() is None, message.error()
            deadline = time.monotonic() + QUIET
            if message.value() is not None:
                key = message.key().decode()
                yield Told(message.partition(), message.offset(), key, schemas.decode(message.value()))
            if message.offset() >= ends[message.partition()] - 1:
                left.discard(message.partition())


class Schemas:
    """Schemas of a registry by id, to decode its wire format."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._known: dict[int, Any] = {}

    def decode(self, value: bytes) -> dict[str, Any]:
        magic, number = struct.unpack(">bI", value[:5])
        assert magic == 0
        if number not in self._known:
            with urllib.request.urlopen(f"{self.url}/schemas/ids/{number}", timeout=10) as answer:
                self._known[number] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
        decoded = fastavro.schemaless_reader(io.BytesIO(value[5:]), self._known[number], None)
        assert isinstance(decoded, dict)
        return decoded

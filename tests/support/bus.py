# SPDX-License-Identifier: Apache-2.0
"""A relay and its topics as tests want them, and a Kafka consumer that is not ours."""

import json
import struct
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, TopicPartition

from dictamesh.runtime.bus.admin import Admin
from dictamesh.runtime.bus.messages import Outgoing, Rejected, Told, outgoing
from dictamesh.runtime.bus.relay import Relay
from dictamesh.runtime.bus.settings import connection, producer
from dictamesh.runtime.bus.tls import Fault
from dictamesh.runtime.bus.topics import Wanted, create
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.events.envelope import EntityReference, Event, EventTrace
from dictamesh.specs.model.events import Kafka
from tests.support.example import files, plan

CUSTOMER = "customers#Customer"


def customer(topic: str, partitions: int = 3, **changes: Any) -> EntityPlan:
    """The example's customers on a topic of the test."""
    found = plan(files()).entities[CUSTOMER]
    return replace(found, topic=replace(found.topic, name=topic, partitions=partitions, replication=1, **changes))


def wanted(entity: EntityPlan) -> Wanted:
    topic = entity.topic
    config = {"retention.ms": str(round(topic.retention * 1000)), "cleanup.policy": topic.cleanup}
    return Wanted(topic.name, topic.partitions, topic.replication, config, entity)


def event(topic: str, key: str, kind: str = "UPDATED", version: int = 1, **changes: Any) -> Event:
    entity = EntityReference("Customer", key, str(version), f"https://cms.example.com/{key}")
    return Event(topic, kind, entity, "cms", "customers", EventTrace("ab" * 16, "cd" * 8), **changes)


@dataclass
class Heard:
    """What a relay told."""

    rows: list[Told] = field(default_factory=list)
    invalid: int = 0
    codes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    fault: Fault | None = None
    lags: dict[str, int] = field(default_factory=dict)

    def published(self, rows: Sequence[Told]) -> None:
        self.rows += rows

    def rejected(self, topic: str, count: int) -> None:
        self.invalid += count

    def failed(self, topic: str, code: str, count: int) -> None:
        self.codes.append(code)

    def lag(self, events: dict[str, int]) -> None:
        self.lags = dict(events)

    def waiting(self, reason: str | None, fault: Fault | None = None) -> None:
        self.fault = fault
        if reason is not None:
            self.reasons.append(reason)


async def relay(
    pool: Pool,
    bootstrap: str | Kafka,
    topics: Iterable[Wanted],
    ids: dict[str, int] | None = None,
    refused: list[Rejected] | None = None,
    make: bool = True,
) -> tuple[Relay, Heard]:
    """A relay to a broker, with its topics made."""
    declared = Kafka(bootstrap=bootstrap) if isinstance(bootstrap, str) else bootstrap
    reached = connection(declared, lambda written, _: written, Path("/"))
    topics = list(topics)
    if make:
        await create(Admin(reached), topics)
    ways: dict[str, Outgoing] = {
        each.name: outgoing("tests", "1.0.0", each, (ids or {}).get(each.name), 1_048_576) for each in topics
    }
    heard = Heard()

    async def reject(_connection: Any, found: Sequence[Rejected]) -> None:
        (refused if refused is not None else []).extend(found)

    return Relay(pool, "tests", producer(declared, reached), lambda: ways, reject, heard, every=0.2), heard


def consumed(bootstrap: str, topic: str, partitions: int, until: Callable[[list], bool], seconds: float = 30) -> list:
    """Messages of a topic from the beginning, read by Kafka's own client, until a test has what it wants."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "tests",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found: list = []
    for _ in range(int(seconds / 0.2)):
        found += [message for message in consumer.consume(5000, 0.2) if message.error() is None]
        if until(found):
            break
    consumer.close()
    return found


def read(message: bytes, registry: str) -> dict[str, Any]:
    """An event as a stranger reads it: the schema by its id from the registry, Avro by fastavro."""
    magic, number = struct.unpack(">bI", message[:5])
    assert magic == 0
    with urllib.request.urlopen(f"{registry}/schemas/ids/{number}", timeout=5) as answer:
        schema = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
    return fastavro.schemaless_reader(BytesIO(message[5:]), schema)

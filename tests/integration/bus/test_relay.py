# SPDX-License-Identifier: Apache-2.0
"""The relay on a real Kafka: in order per key, in Java's partition, at least once, nothing that does not fit."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from dictamesh.runtime.bus.codec import codec
from dictamesh.runtime.bus.offsets import set_back, standing
from dictamesh.runtime.bus.registry import SchemaRegistry
from dictamesh.runtime.bus.schemas import Schemas
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.log import Encode, append_events
from dictamesh.runtime.events.partitioning import partition_of
from dictamesh.runtime.events.payload import ENCRYPTED
from tests.support.bus import consumed, customer, event, read, relay, wanted
from tests.support.services import unique

pytestmark = pytest.mark.kafka


async def append(pool: Pool, partitions: int, *events) -> None:
    async with pool.transaction() as connection:
        await append_events(connection, events, {each.topic: partitions for each in events})


async def test_events_arrive_in_avro_with_their_headers(catalog: Pool, kafka: str, registry: str) -> None:
    entity = customer(unique("customers"))
    topic = wanted(entity)
    client = SchemaRegistry(registry)
    schemas = Schemas(client, "BACKWARD")
    await schemas.check({topic.name: topic})
    await schemas.register({topic.name: topic})
    payload = {
        "id": "c-1",
        "country": "DE",
        "birthdate": "2001-02-03",
        "tags": ["a", None],
        "newsletter": True,
        "createdAt": "2026-01-02T03:04:05.000006Z",
        ENCRYPTED: {"email": "dm1:token:AAAA"},
    }
    at = datetime(2026, 11, 27, 10, 0, 0, 123000, UTC)
    await append(catalog, 3, event(topic.name, "c-1", payload=payload, timestamp=at, changed_fields=("country",)))
    publishing, heard = await relay(catalog, kafka, [topic], schemas.ids)
    assert await publishing.publish_all() == 1
    (message,) = consumed(kafka, topic.name, 3, lambda found: len(found) >= 1)
    await client.close()
    assert message.key() == b"c-1"
    found = read(message.value(), registry)
    assert found["event_type"] == "UPDATED"
    assert found["timestamp"] == at
    assert found["changed_fields"] == ["country"]
    assert found["payload"]["country"] == "DE"
    assert found["payload"]["birthdate"].isoformat() == "2001-02-03"
    assert found["payload"]["tags"] == ["a", None]
    assert found["payload"]["createdAt"] == datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    assert found["payload"]["email"] is None
    assert found["payload_encrypted"] == {"email": "dm1:token:AAAA"}
    headers = {name: value.decode() for name, value in message.headers()}
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": str(found["event_id"]),
        "ce_source": "/tests/customers/Customer",
        "ce_type": "com.dictamesh.events.Customer.UPDATED",
        "ce_time": "2026-11-27T10:00:00.123Z",
        "ce_subject": "c-1",
        "content-type": "application/avro",
        "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
        "event-type": "UPDATED",
        "event-version": "1.0.0",
        "trace-id": "ab" * 16,
        "span-id": "cd" * 8,
    }
    assert heard.lags == {topic.name: 0}


async def test_what_was_encoded_when_it_was_written_is_sent_as_it_is(catalog: Pool, kafka: str, registry: str) -> None:
    """Beside what was not, or by another schema, or is unusual; messages tell no difference, and keep their order."""
    topic = wanted(customer(unique("customers"), 1, cleanup="compact"))
    assert topic.entity is not None
    client = SchemaRegistry(registry)
    schemas = Schemas(client, "BACKWARD")
    await schemas.check({topic.name: topic})
    await schemas.register({topic.name: topic})
    ours = codec(topic.entity)
    at = datetime(2026, 11, 27, 10, 0, 0, 123999, UTC)
    payload = {"country": "DE", "createdAt": "2026-01-02T03:04:05.000006Z", "tags": ["ä", None]}
    more = {"payload": payload, "timestamp": at, "changed_fields": ("country",), "metadata": {"capture": "poll/1"}}
    ways: list[Encode | None] = [None, ours.datum, replace(ours, fingerprint=b"another!").datum, ours.datum]
    made = [event(topic.name, f"c-{n % 4}", "DELETED" if n > 7 else "UPDATED", n, **more) for n in range(12)]
    for number, each in enumerate(made):
        async with catalog.transaction() as connection:
            await append_events(connection, [each], {topic.name: 1}, ways[number % 4])
    rows = await catalog.rows(b"SELECT encoded FROM dictamesh_event_log ORDER BY id")
    assert [row["encoded"] is not None for row in rows] == [False, True, True, True] * 3
    publishing, heard = await relay(catalog, kafka, [topic], schemas.ids)
    assert await publishing.publish_all() == 12
    found = consumed(kafka, topic.name, 1, lambda found: len(found) >= 16)
    await client.close()
    events = [message for message in found if message.value() is not None]
    assert [message.key().decode() for message in found if message.value() is None] == [f"c-{n}" for n in range(4)]
    assert [row.key for row in heard.rows] == [message.key().decode() for message in events]
    assert {row.at for row in heard.rows} == {int(at.timestamp() * 1000)}
    for message, each in zip(events, made, strict=True):
        value = read(message.value(), registry)
        assert value["event_id"] == each.event_id
        assert value["entity"]["version"] == each.entity.version
        assert value["payload"]["createdAt"] == datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
        headers = {name: header.decode() for name, header in message.headers()}
        assert headers["ce_id"] == str(each.event_id)
        assert headers["ce_time"] == "2026-11-27T10:00:00.123Z"
        assert headers["ce_type"].endswith(each.event_type)
        assert headers["traceparent"] == f"00-{'ab' * 16}-{'cd' * 8}-01"
        assert len(headers) == 12


async def test_without_a_registry_messages_are_json(catalog: Pool, kafka: str) -> None:
    topic = wanted(customer(unique("customers")))
    await append(catalog, 3, event(topic.name, "c-1", payload={"country": "DE"}))
    publishing, _ = await relay(catalog, kafka, [topic])
    await publishing.publish_all()
    (message,) = consumed(kafka, topic.name, 3, lambda found: len(found) >= 1)
    assert orjson.loads(message.value())["payload"] == {"country": "DE"}
    assert dict(message.headers())["content-type"] == b"application/json"


async def test_order_per_key_and_partition_are_those_of_kafkas_own_partitioner(catalog: Pool, kafka: str) -> None:
    partitions = 7
    topic = wanted(customer(unique("customers"), partitions))
    dice = random.Random(11)
    keys = [f"kundin-{dice.randrange(60)}-ä" for _ in range(2000)]
    versions: dict[str, int] = {}
    written = []
    for key in keys:
        versions[key] = versions.get(key, 0) + 1
        written.append(event(topic.name, key, version=versions[key]))
    publishing, _ = await relay(catalog, kafka, [topic])
    for start in range(0, len(written), 500):
        await append(catalog, partitions, *written[start : start + 500])
        await publishing.publish_all()
    found = consumed(kafka, topic.name, partitions, lambda found: len(found) >= len(written))
    assert len(found) == len(written)
    seen: dict[str, list[int]] = {}
    for message in found:
        envelope = orjson.loads(message.value())
        seen.setdefault(envelope["entity"]["id"], []).append(int(envelope["entity"]["version"]))
    assert seen == {key: list(range(1, last + 1)) for key, last in versions.items()}
    theirs = _placed_by_kafka(kafka, unique("theirs"), sorted(versions), partitions)
    assert {message.key().decode(): message.partition() for message in found} == theirs
    assert {key: partition_of(key, partitions) for key in versions} == theirs


def _placed_by_kafka(kafka: str, topic: str, keys: list[str], partitions: int) -> dict[str, int]:
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        future.result()
    placed: dict[str, int] = {}
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    for key in keys:
        producer.produce(
            topic, b"", key.encode(), on_delivery=lambda _, m: placed.update({m.key().decode(): m.partition()})
        )
    producer.flush(20)
    return placed


async def test_what_does_not_fit_is_refused_and_the_stream_goes_on(catalog: Pool, kafka: str) -> None:
    topic = wanted(customer(unique("customers"), 1))
    refused: list = []
    bad = [
        event(topic.name, "c-1", payload={"birthdate": "no day"}),
        event(topic.name, "c-2", payload={"unknown": 1}),
        event(topic.name, "c-3", payload={"country": 7}),
        event(topic.name, "c-4", metadata={"huge": "x" * 1_100_000}),
    ]
    good = [event(topic.name, f"g-{number}", payload={"country": "DE"}) for number in range(50)]
    await append(catalog, 1, *good[:25], *bad, *good[25:])
    publishing, heard = await relay(catalog, kafka, [topic], refused=refused)
    await publishing.publish_all()
    found = consumed(kafka, topic.name, 1, lambda found: len(found) >= 50)
    assert [message.key().decode() for message in found] == [each.entity.id for each in good]
    assert [each.row.key for each in refused] == ["c-1", "c-2", "c-3", "c-4"]
    assert all("no day" not in each.reason and "xxx" not in each.reason for each in refused)
    assert heard.invalid == 4
    assert await standing(catalog, "tests", [topic.name]) == {(topic.name, 0): (54, 54)}


async def test_a_message_that_the_brokers_refuse_is_found_among_good_ones(catalog: Pool, kafka: str) -> None:
    entity = customer(unique("customers"), 1)
    topic = wanted(entity)
    topic = type(topic)(topic.name, 1, 1, {**topic.config, "max.message.bytes": "20000"}, entity)
    refused: list = []
    random.seed(5)
    noise = "".join(chr(random.randrange(0x4E00, 0x9FFF)) for _ in range(20_000))
    await append(catalog, 1, *(event(topic.name, f"g-{n}") for n in range(3)))
    await append(catalog, 1, event(topic.name, "big", metadata={"noise": noise}), event(topic.name, "last"))
    publishing, _ = await relay(catalog, kafka, [topic], refused=refused)
    await publishing.publish_all()
    found = consumed(kafka, topic.name, 1, lambda found: any(m.key() == b"last" for m in found))
    assert list(dict.fromkeys(message.key().decode() for message in found)) == ["g-0", "g-1", "g-2", "last"]
    assert [each.row.key for each in refused] == ["big"]


async def test_deletes_on_compacted_topics_are_followed_by_a_tombstone(catalog: Pool, kafka: str) -> None:
    topic = wanted(customer(unique("customers"), 1, cleanup="compact"))
    await append(catalog, 1, event(topic.name, "c-1"), event(topic.name, "c-1", "DELETED", 2), event(topic.name, "c-2"))
    publishing, _ = await relay(catalog, kafka, [topic])
    await publishing.publish_all()
    found = consumed(kafka, topic.name, 1, lambda found: len(found) >= 4)
    assert [(m.key(), m.value() is None) for m in found] == [
        (b"c-1", False),
        (b"c-1", False),
        (b"c-1", True),
        (b"c-2", False),
    ]


async def test_a_relay_follows_the_log_and_goes_back_where_it_is_set_back(catalog: Pool, kafka: str) -> None:
    topic = wanted(customer(unique("customers"), 1))
    publishing, heard = await relay(catalog, kafka, [topic])
    running = asyncio.create_task(publishing.run())
    try:
        for number in range(5):
            await append(catalog, 1, event(topic.name, f"c-{number}"))
            await asyncio.sleep(0.05)
        await _until(lambda: len(heard.rows) == 5)
        async with catalog.transaction() as connection:
            await set_back(connection, "tests", {(topic.name, 0): 3})
        await _until(lambda: len(heard.rows) == 7)
        assert [row.key for row in heard.rows] == ["c-0", "c-1", "c-2", "c-3", "c-4", "c-3", "c-4"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_two_relays_publish_each_event_once_between_them(catalog: Pool, kafka: str) -> None:
    topic = wanted(customer(unique("customers"), 3))
    first, heard = await relay(catalog, kafka, [topic])
    second, also = await relay(catalog, kafka, [topic])
    running = [asyncio.create_task(each.run()) for each in (first, second)]
    try:
        for number in range(20):
            await append(catalog, 3, *(event(topic.name, f"c-{number}-{n}") for n in range(20)))
        await _until(lambda: len(heard.rows) + len(also.rows) >= 400)
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    assert sorted(map(len, (heard.rows, also.rows))) == [0, 400]
    assert len(consumed(kafka, topic.name, 3, lambda found: len(found) >= 400)) == 400


async def _until(holds, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)

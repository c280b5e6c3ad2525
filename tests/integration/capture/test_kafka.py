# SPDX-License-Identifier: Apache-2.0
"""Topics of somebody else on a real Kafka: in order, resumed where the data says, bad messages kept (AD-6, SR-2)."""

import asyncio
import contextlib
import io
import json
import struct
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from dictamesh.runtime.adapters.ask import ReadFailed
from dictamesh.runtime.bus.registry import SchemaRegistry
from dictamesh.runtime.capture.contract import Batch, CaptureLost, Recorded
from dictamesh.runtime.capture.kafka import KafkaWay, offsets_of
from dictamesh.runtime.capture.kafka_client import Record
from dictamesh.runtime.capture.messages import MessageReader
from dictamesh.runtime.capture.states_of import states_of
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.events.kept_letters import Letter, Which, letters
from tests.integration.capture.conftest import until
from tests.support.plans import plan
from tests.support.recorder import Listening
from tests.support.services import Broker, broker, free_port, kafka, registry, unique
from tests.support.webhooks import SEAL, orders

__all__ = ["broker", "kafka", "registry"]
SCHEMA = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "updated", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "address", "type": {"type": "record", "name": "A", "fields": [{"name": "city", "type": "string"}]}},
    ],
}


class Foreign:
    """A topic, who writes it, and who follows it."""

    def __init__(self, pool: Pool, bootstrap: str, changes: dict[str, Any]) -> None:
        self.pool, self.bootstrap, self.topic = pool, bootstrap, changes["topic"]
        self.entity: EntityPlan = orders({"kafka": changes})
        self.recorder = Listening(pool, plan(self.entity), self.entity, SEAL)
        (self.state,) = states_of("test", self.entity)
        self.schemas: Any = None
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def make(self, partitions: int = 2, **settings: str) -> None:
        for future in self._admin.create_topics([NewTopic(self.topic, partitions, 1, config=settings)]).values():
            future.result(20)

    def write(self, messages: Iterable[tuple[str | None, bytes | None]], **more: Any) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5})
        for key, value in messages:
            producer.produce(self.topic, value, key, **more)
        assert producer.flush(20) == 0

    def way(self, recorder: Any = None, **settings: Any) -> KafkaWay:
        reader = MessageReader(self.entity, self.entity.changes.kafka, self.schemas)
        reached = {"bootstrap.servers": self.bootstrap, **settings}
        return KafkaWay(self.state, self.topic, reached, reader, recorder or self.recorder)

    @contextlib.asynccontextmanager
    async def followed(self, recorder: Any = None) -> AsyncIterator[asyncio.Task[None]]:
        work = asyncio.create_task(self.way(recorder).run())
        try:
            yield work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def count(self, wanted: int) -> list[Any]:
        async def enough() -> Any:
            found = await self.recorder.log()
            return found if len(found) >= wanted else None

        return await until(enough, 60)

    async def letters(self) -> list[Letter]:
        return await letters(self.pool, Which("test"))


@pytest.fixture
def foreign(catalog: Pool, kafka: str) -> Foreign:
    made = Foreign(catalog, kafka, {"topic": unique("orders")})
    made.make()
    return made


def row(number: int, total: str = "1.50") -> tuple[str, bytes]:
    return f"o-{number}", json.dumps({"id": f"o-{number}", "total": total, "address": {"city": "Ulm"}}).encode()


async def test_upserts_and_deletes_in_order(foreign: Foreign) -> None:
    trace = [("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01".encode())]
    foreign.write([row(1), row(2)], headers=trace, timestamp=1_700_000_000_000, partition=0)
    foreign.write([row(1, "9.00"), ("o-2", None), ('"o-1"', None)], partition=0)
    async with foreign.followed():
        found = await foreign.count(5)
    events = [(e.entity_id, e.event_type, e.envelope["entity"]["version"]) for e in found]
    first = [each for each in events if each[0] == "o-2"]
    assert first == [("o-2", "CREATED", "1"), ("o-2", "DELETED", "2")]
    assert sorted(each[1] for each in events if each[0] == "o-1") == ["CREATED", "DELETED", "UPDATED"]
    made = next(each for each in found if each.event_type == "CREATED")
    assert made.envelope["trace_context"]["trace_id"] == "ab" * 16
    assert made.envelope["timestamp"] == 1_700_000_000_000
    assert made.envelope["payload"]["city"] == "Ulm"


async def test_what_was_read_is_not_read_again(foreign: Foreign) -> None:
    foreign.write(row(n) for n in range(700))
    async with foreign.followed():
        await foreign.count(700)
    at = offsets_of(await foreign.recorder.position(foreign.state))
    assert sum(at.values()) == 700
    foreign.write(row(n) for n in range(700, 710))
    foreign.recorder.batches.clear()
    async with foreign.followed():
        await foreign.count(710)
    assert sum(len(batch.seen) for batch in foreign.recorder.batches) == 10


async def test_a_batch_that_was_not_written_comes_again(foreign: Foreign) -> None:
    class Breaking(Listening):
        async def record(self, batch: Batch) -> Any:
            if len(self.batches) == 1:
                raise ConnectionError
            return await super().record(batch)

    foreign.write(row(n) for n in range(1200))
    breaking = Breaking(foreign.pool, plan(foreign.entity), foreign.entity, SEAL)
    with pytest.raises(ConnectionError):
        await foreign.way(breaking).run()
    async with foreign.followed():
        found = await foreign.count(1200)
    assert len({each.entity_id for each in found}) == len(found) == 1200


async def test_poison_in_the_middle_of_ten_thousand(foreign: Foreign) -> None:
    messages = [row(n) for n in range(10_000)]
    messages[5_000] = ("o-5000", b"{not json")
    messages[6_000] = row(6_000, "free")
    foreign.write(messages)
    async with foreign.followed():
        told = await foreign.count(9_999)
        assert len(told) == 9_999
        (without,) = [each.envelope for each in told if each.entity_id == "o-6000"]
        assert (without["payload"]["total"], without["metadata"]["unread"]) == (None, "total")

        async def kept() -> bool:
            return len(await foreign.letters()) == 2

        await until(kept)
    found = {each.rule: each for each in await foreign.letters()}
    assert found.keys() == {"INVALID_JSON", "DATA_INVALID orders#Order.total"}
    assert found["INVALID_JSON"].origin.startswith(f"{foreign.topic}/")
    assert sum(offsets_of(await foreign.recorder.position(foreign.state)).values()) == 10_000


async def test_bad_messages_are_told_apart(foreign: Foreign) -> None:
    bad = [(None, None), (None, b"[1]"), (None, b'{"total": 1}'), ('{"no": 1}', None), (None, b"\xff")]
    foreign.write([*bad, row(1)])
    async with foreign.followed():
        await foreign.count(1)

        async def kept() -> bool:
            return len(await foreign.letters()) == len(bad)

        await until(kept)
    rules = sorted(each.rule for each in await foreign.letters())
    assert rules == ["INVALID_JSON", "NO_KEY", "NO_KEY", "NO_KEY", "NO_ROW"]


async def test_changes_that_say_what_they_are(catalog: Pool, kafka: str) -> None:
    """The envelope of Debezium."""
    words = {"path": "op", "created": ["c", "r"], "updated": "u", "deleted": "d"}
    foreign = Foreign(catalog, kafka, {"topic": unique("cdc"), "payload": "after", "event": words})
    foreign.make(1)

    def change(op: str, after: Any) -> bytes:
        return json.dumps({"op": op, "after": after}).encode()

    key = '{"id": "o-1"}'
    after = {"id": "o-1", "total": "1.00"}
    foreign.write([(key, change("c", after)), (key, change("u", {**after, "total": "2.00"})), (key, change("d", None))])
    foreign.write([(key, None), (key, change("x", after))])
    async with foreign.followed():
        found = await foreign.count(3)

        async def kept() -> bool:
            return [each.rule for each in await foreign.letters()] == ["UNKNOWN_EVENT_TYPE"]

        await until(kept)
    assert [each.event_type for each in found] == ["CREATED", "UPDATED", "DELETED"]


async def test_avro_by_the_registry(catalog: Pool, kafka: str, registry: str) -> None:
    foreign = Foreign(catalog, kafka, {"topic": unique("avro"), "format": "avro"})
    foreign.make(1)
    client = SchemaRegistry(registry)
    foreign.schemas = client.schema
    number = await client.register(f"{foreign.topic}-value", SCHEMA)

    def written(total: str, schema: int = number) -> bytes:
        body = io.BytesIO()
        value = {"id": "o-1", "total": Decimal(total), "updated": 1_700_000_000_000, "address": {"city": "Ulm"}}
        fastavro.schemaless_writer(body, fastavro.parse_schema(SCHEMA), value)
        return struct.pack(">bI", 0, schema) + body.getvalue()

    foreign.write(
        [("o-1", written("1.50")), ("o-1", b"{}"), ("o-1", written("3.00", 2**31 - 2)), ("o-1", written("2")[:9])]
    )
    foreign.write([("o-1", written("4.00"))])
    try:
        async with foreign.followed():
            found = await foreign.count(2)

            async def kept() -> bool:
                return len(await foreign.letters()) == 3

            await until(kept)
    finally:
        await client.close()
    assert [each.envelope["payload"]["total"] for each in found] == ["1.50", "4.00"]
    assert found[0].envelope["payload"]["city"] == "Ulm"
    assert found[0].envelope["payload"]["updated"] == "2023-11-14T22:13:20Z"
    assert sorted(each.rule for each in await foreign.letters()) == ["INVALID_AVRO", "INVALID_AVRO", "UNKNOWN_SCHEMA"]


async def test_messages_that_are_gone_before_they_were_read_stop_it_loudly(foreign: Foreign) -> None:
    foreign.write(row(n) for n in range(10))
    await foreign.recorder.record(Batch(foreign.state, position={"offsets": {"0": 1_000_000, "1": 0}}))
    with pytest.raises(CaptureLost, match="partition 0"):
        await asyncio.wait_for(foreign.way().run(), 60)


async def test_a_topic_that_is_not_there_is_a_source_that_does_not_answer(catalog: Pool, kafka: str) -> None:
    foreign = Foreign(catalog, kafka, {"topic": unique("nothing")})
    with pytest.raises(ReadFailed):
        await asyncio.wait_for(foreign.way().run(), 60)


async def test_brokers_that_are_not_there_are_a_source_that_does_not_answer(foreign: Foreign) -> None:
    foreign.bootstrap = f"127.0.0.1:{free_port()}"
    with pytest.raises(ReadFailed):
        await asyncio.wait_for(foreign.way().run(), 60)


async def test_new_partitions_are_read_from_their_beginning(foreign: Foreign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dictamesh.runtime.capture.kafka._LOOK", 1.0)

    async with foreign.followed():
        foreign.write([row(1)], partition=0)
        await foreign.count(1)
        admin = AdminClient({"bootstrap.servers": foreign.bootstrap})
        for future in admin.create_partitions([NewPartitions(foreign.topic, 3)]).values():
            future.result(20)
        foreign.write([row(2)], partition=2)
        assert {each.entity_id for each in await foreign.count(2)} == {"o-1", "o-2"}


async def test_a_broker_that_is_killed_is_waited_for(catalog: Pool, broker: Broker) -> None:
    foreign = Foreign(catalog, broker.bootstrap, {"topic": unique("orders")})
    foreign.make()

    async def insist() -> None:
        while True:
            with contextlib.suppress(ReadFailed):
                await foreign.way().run()
            await asyncio.sleep(0.2)

    foreign.write(row(n) for n in range(500))
    work = asyncio.create_task(insist())
    try:
        await foreign.count(500)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        foreign.write(row(n) for n in range(500, 1000))
        found = await foreign.count(1000)
        assert not work.done()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert len({each.entity_id for each in found}) == len(found) == 1000


async def test_many_large_messages_let_others_run(catalog: Pool) -> None:
    """A batch holds 32 MB: read in one go it would keep everybody from being served."""
    foreign = Foreign(catalog, "127.0.0.1:1", {"topic": "t"})
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    class Told(Listening):
        before = 0  # turns of others until there was something to record

        async def record(self, batch: Batch) -> Recorded:
            self.before = self.before or turns
            return await super().record(batch)

    recorder = Told(catalog, plan(foreign.entity), foreign.entity, SEAL)
    value = b'{"id": "o-1", "total": "1.50", "more": "' + b"x" * 100_000 + b'"}'
    running = asyncio.create_task(other())
    await foreign.way(recorder)._record([Record(0, n, None, value, None) for n in range(50)], {})
    running.cancel()
    assert recorder.before >= 10

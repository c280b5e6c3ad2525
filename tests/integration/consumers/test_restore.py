# SPDX-License-Identifier: Apache-2.0
"""A catalog whose database is lost comes back from the specs, the topics of Kafka and a fresh snapshot (DR-5)."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from dictamesh.runtime.bus.restore import Occupied, Restored, restore
from dictamesh.runtime.bus.settings import connection
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.cli.main import main
from dictamesh.runtime.events.envelope import Event
from dictamesh.runtime.events.log import append_events
from dictamesh.specs.model.events import Kafka
from tests.integration.consumers.test_rebuild import EDITS, again, log, newest, shown
from tests.support.bus import consumed, customer, event, relay, wanted
from tests.support.postgres import fresh_database
from tests.support.running import until
from tests.support.services import kafka, registry, unique
from tests.support.subscribing import Heard, heard

__all__ = ["kafka", "registry"]

pytestmark = pytest.mark.kafka
FORGOTTEN = "topics bear events that this catalog never published"
MESH = "tests"  # the mesh of `tests.support.bus.relay`


def settings(kafka: str) -> Mapping[str, Any]:
    return connection(Kafka(bootstrap=kafka), lambda written, _: written, Path("/"))


async def restored(catalog: Pool, kafka: str, *topics: Wanted) -> dict[str, Restored]:
    done = await restore(catalog, MESH, settings(kafka), {each.name: each for each in topics}, None)
    return {each.topic: each for each in done}


async def stands(catalog: Pool) -> list[dict[str, Any]]:
    """What the log holds, in the order of each record, without its places."""
    rows = await catalog.rows(
        b"SELECT topic, event_id, event_payload, entity_id, entity_type, changed_fields, trace_id, span_id"
        b"  FROM dictamesh_event_log ORDER BY topic, entity_id, id"
    )
    return [dict(row) for row in rows]


@asynccontextmanager
async def fresh(embedded_dsn: str) -> AsyncIterator[Pool]:
    """The catalog that `migrate up` makes."""
    with fresh_database(embedded_dsn) as dsn:
        pool = await open_pool(dsn, PoolSettings(max_size=5, idle=1))
        await up(pool)
        yield pool
        await pool.close()


@pytest.fixture
async def catalog(embedded_dsn: str) -> AsyncIterator[Pool]:
    """The catalog that will be lost."""
    async with fresh(embedded_dsn) as pool:
        yield pool


@pytest.fixture
async def other(embedded_dsn: str) -> AsyncIterator[Pool]:
    """The catalog that takes its place."""
    async with fresh(embedded_dsn) as pool:
        yield pool


async def published(catalog: Pool, kafka: str, topics: list[Wanted], events: list[Event]) -> None:
    async with catalog.transaction() as writing:
        await append_events(writing, events, {each.name: each.partitions for each in topics})
    sending, _ = await relay(catalog, kafka, topics)
    assert await sending.publish_all() == len(events)


@pytest.fixture
def topic() -> Wanted:
    return wanted(customer(unique("restored"), cleanup="compact,delete"))


async def test_the_log_is_what_it_was(catalog: Pool, other: Pool, kafka: str, topic: Wanted) -> None:
    payload = {"country": "DE", "createdAt": "2026-01-02T03:04:05Z"}
    events = [event(topic.name, f"c-{n % 7}", version=1 + n // 7, payload=payload) for n in range(50)]
    events.append(event(topic.name, "c-0", "DELETED", 9, metadata={"capture": "poll/1"}, changed_fields=("country",)))
    await published(catalog, kafka, [topic], events)
    before = await stands(catalog)
    done = await restored(other, kafka, topic)
    assert done == {topic.name: Restored(topic.name, events=51, tombstones=1)}
    assert await stands(other) == before
    sending, _ = await relay(other, kafka, [topic])
    assert await sending.publish_all() == 0
    assert await restored(other, kafka, topic) == {topic.name: Restored(topic.name)}
    assert len(consumed(kafka, topic.name, 3, lambda found: len(found) > 52, seconds=2)) == 52


async def test_what_was_broken_off_is_taken_up_again(catalog: Pool, other: Pool, kafka: str, topic: Wanted) -> None:
    await published(catalog, kafka, [topic], [event(topic.name, f"c-{n}") for n in range(4_000)])
    before = await stands(catalog)
    first = asyncio.create_task(restored(other, kafka, topic))

    async def begun() -> bool:
        return bool(await stands(other)) or first.done()

    await until(begun, "a part of the topic is in the log")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    there = len(await stands(other))
    done = (await restored(other, kafka, topic))[topic.name]
    assert (done.events, done.known) == (4_000 - there, 0)
    assert await stands(other) == before


async def test_a_log_with_events_of_its_own_is_left_alone(
    catalog: Pool, other: Pool, kafka: str, topic: Wanted
) -> None:
    await published(catalog, kafka, [topic], [event(topic.name, "c-1")])
    with pytest.raises(Occupied, match=f"holds events of {topic.name}"):
        await restored(catalog, kafka, topic)
    await restored(other, kafka, topic)
    async with other.transaction() as writing:
        await append_events(writing, [event(topic.name, "c-2")], {topic.name: topic.partitions})
    with pytest.raises(Occupied, match="that were not published"):
        await restored(other, kafka, topic)
    assert len(await stands(other)) == 2


async def test_what_is_no_event_of_this_mesh_is_told_and_left(
    catalog: Pool, other: Pool, kafka: str, topic: Wanted
) -> None:
    await published(catalog, kafka, [topic], [event(topic.name, "c-1")])
    (good,) = consumed(kafka, topic.name, 3, bool)
    envelope = json.loads(good.value())
    ours = dict(good.headers())
    forged = [
        b"\x00\x01",
        b"{}",
        orjson.dumps({**envelope, "event_type": "PROMOTED"}),
        orjson.dumps({**envelope, "event_id": "no uuid"}),
        orjson.dumps({**envelope, "entity": {**envelope["entity"], "type": "Invoice"}}),
        orjson.dumps({**envelope, "entity": {**envelope["entity"], "id": "c-2"}}),
        orjson.dumps({**envelope, "entity": {**envelope["entity"], "version": "first"}}),
        orjson.dumps({**envelope, "timestamp": 10**18}),
        orjson.dumps({**envelope, "entity": {**envelope["entity"], "url": "a\0b"}}),
        b'{"event_type": "\\ud800"}',
    ]
    producer = Producer({"bootstrap.servers": kafka})
    for each in forged:
        producer.produce(topic.name, each, b"c-1", headers=list(ours.items()), partition=0)
    producer.produce(topic.name, good.value(), b"c-1", headers=list({**ours, "ce_source": b"/other/x/y"}.items()))
    producer.produce(topic.name, good.value(), b"c-1")
    producer.flush(20)
    done = (await restored(other, kafka, topic))[topic.name]
    assert (done.events, done.others, done.refused) == (1, 2, len(forged))
    assert len(done.unreadable) == len(forged)
    assert [each["entity_id"] for each in await stands(other)] == ["c-1"]


async def test_a_mesh_goes_on_after_its_database_was_lost(
    tmp_path: Path,
    dsn: str,
    embedded_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    kafka: str,
    registry: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="dictamesh.bus")
    name = unique("heard")
    bus = f', kafka: {{bootstrap: "{kafka}", replication: 1}}, registry: {{url: "{registry}"}}'
    ports = "output:\n" + "".join(f"  {each}: {{topic: {name}.{each}}}\n" for each in ("Person", "Badge", "Country"))
    edits = {**EDITS, "name: heard": f"name: {name}", "graphql: {Person": f"{ports}graphql: {{Person"}
    command = ["events", "restore", "--config", str(tmp_path / "mesh.yaml"), "--format", "json"]
    async with heard(tmp_path, dsn, monkeypatch, events=bus, edits=edits) as people:

        async def told(count: int) -> bool:
            return len(await log(people)) >= count

        await until(lambda: told(5), "three people and two badges are told of")
        people.sql("UPDATE people SET boss_id = '2' WHERE id = '3'")
        await until(lambda: told(6), "a change is")
        people.sql("INSERT INTO people VALUES ('4', 'Dee', 'DE', NULL, '2')")
        await until(lambda: told(7), "a new one is")

        async def related() -> bool:
            found = {(edge[1], edge[4]) for edge in (await shown(people))[0] if edge[2] == "boss"}
            return found == {("2", "1"), ("3", "2"), ("4", "2")}

        await until(related, "the catalog has read everything")
        await until(lambda: sent(people), "all is published")
        before, versions = await shown(people), await newest(people)
        assert await asyncio.to_thread(main, command) == 3
        assert "a mesh is running on this catalog" in capsys.readouterr().err
        await people.stop()

    people.sql("DELETE FROM people WHERE id = '4'")
    async with fresh(embedded_dsn) as pool:
        monkeypatch.setenv("HEARD_DSN", str(pool.connections.conninfo))
        capsys.readouterr()
        assert await asyncio.to_thread(main, command) == 0
        done = {each["topic"]: each for each in json.loads(capsys.readouterr().out)}
        assert (done[f"{name}.Person"]["events"], done[f"{name}.Badge"]["events"]) == (5, 2)
        await goes_on(people, before, versions)
    assert FORGOTTEN not in caplog.text
    messages = consumed(kafka, f"{name}.Person", 3, lambda _: False, seconds=2)
    ids = [dict(each.headers())["ce_id"] for each in messages if each.value() is not None]
    assert len(ids) == len(set(ids)), "nothing was published twice"

    async with fresh(embedded_dsn) as pool:
        monkeypatch.setenv("HEARD_DSN", str(pool.connections.conninfo))
        people = await again(people)
        try:
            await until(lambda: FORGOTTEN in caplog.text, "whoever starts without restoring is told")
        finally:
            await people.stop()


async def goes_on(people: Heard, before: Any, versions: Any) -> None:
    people = await again(people)
    try:

        async def gone() -> bool:
            return any(each.event_type == "DELETED" and each.entity_id == "4" for each in await log(people))

        await until(gone, "what went meanwhile is told of")

        async def same() -> bool:
            edges, records = await shown(people)
            left = {row for row in before[1] if row[:2] != ("Person", "4")}
            return edges == {edge for edge in before[0] if "4" not in edge} and records == left

        await until(same, "the catalog is what it was")
        after = await newest(people)
        assert all(after[each] > versions[each] for each in versions), "versions go on"
        await until(lambda: sent(people), "all is published")
    finally:
        await people.stop()


async def sent(people: Heard) -> bool:
    rows = await people.mesh.store.pool.rows(
        b"SELECT count(*) AS n FROM dictamesh_event_partitions p LEFT JOIN dictamesh_relay_offsets r"
        b" USING (topic, partition) WHERE coalesce(r.next_offset, 0) < p.next_offset"
    )
    return rows[0]["n"] == 0

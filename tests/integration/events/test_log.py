# SPDX-License-Identifier: Apache-2.0
"""The event log: in order per key, gapless and never passed by a reader, once per event id, append-only (MC-5)."""

import asyncio
import random
import uuid
from datetime import UTC, datetime, timedelta

import fastavro
import fastavro.validation
import pytest

from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.avro import envelope
from dictamesh.runtime.events.envelope import (
    EntityReference,
    Event,
    EventTrace,
    RelationshipReference,
    envelope_of,
)
from dictamesh.runtime.events.log import Bounds, append_events, bounds, read_events
from dictamesh.runtime.events.partitioning import partition_of
from dictamesh.runtime.events.retention import TopicAge, count_old, delete_old

TOPICS = {"customers": 12, "invoices": 3}


def event(key: str, topic: str = "customers", kind: str = "UPDATED", **changes: object) -> Event:
    entity = EntityReference("Customer", key, "1", f"https://cms.example.com/{key}")
    return Event(topic, kind, entity, "cms", "customers", EventTrace("ab" * 16, "cd" * 8), **changes)


async def append(pool: Pool, *events: Event) -> list:
    async with pool.transaction() as connection:
        return await append_events(connection, events, TOPICS)


async def everything(pool: Pool, topic: str = "customers") -> list:
    return [
        each for partition in await bounds(pool, topic) for each in await read_events(pool, topic, partition, 0, 10_000)
    ]


async def test_an_event_is_read_as_it_was_written(catalog: Pool) -> None:
    related = RelationshipReference("Invoice", "i-1", "erp", "invoices")
    written = event("c-1", changed_fields=("email",), relationships=(related,), metadata={"country": "DE"})
    (place,) = await append(catalog, written)
    assert (place.topic, place.partition, place.offset) == ("customers", partition_of("c-1", 12), 0)
    (read,) = await read_events(catalog, "customers", place.partition, 0)
    assert (read.event_id, read.event_type, read.entity_type, read.entity_id) == (
        written.event_id,
        "UPDATED",
        "Customer",
        "c-1",
    )
    assert read.timestamp == written.timestamp
    assert read.changed_fields == ["email"]
    assert read.envelope == envelope_of(written)
    schema = fastavro.parse_schema(envelope("Customer", ()))
    assert fastavro.validation.validate(dict(read.envelope), schema, strict=True)


async def test_offsets_are_gapless_per_partition_and_keep_the_order_of_a_key(catalog: Pool) -> None:
    dice = random.Random(7)
    keys = [f"c-{dice.randrange(40)}" for _ in range(500)]
    for start in range(0, 500, 60):
        await append(catalog, *(event(key, metadata={"n": str(start)}) for key in keys[start : start + 60]))
    found = await everything(catalog)
    assert len(found) == 500
    for partition, held in (await bounds(catalog, "customers")).items():
        offsets = [each.offset for each in found if each.partition == partition]
        assert offsets == list(range(held.end))
    for key in set(keys):
        order = [int(each.envelope["metadata"]["n"]) for each in found if each.entity_id == key]
        assert order == sorted(order)
        assert {each.partition for each in found if each.entity_id == key} == {partition_of(key, 12)}


async def test_an_event_that_is_there_takes_no_offset(catalog: Pool) -> None:
    first, second = event("c-1"), event("c-1")
    assert [place.offset for place in await append(catalog, first)] == [0]
    places = await append(catalog, first, second, second)
    assert [place and place.offset for place in places] == [None, 1, None]
    assert len(await everything(catalog)) == 2


async def test_a_failed_transaction_leaves_no_gap(catalog: Pool) -> None:
    await append(catalog, event("c-1"))

    async def failing() -> None:
        async with catalog.transaction() as connection:
            await append_events(connection, [event("c-1")], TOPICS)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await failing()
    (place,) = await append(catalog, event("c-1"))
    assert place.offset == 1


async def test_a_reader_cannot_pass_a_late_commit(catalog: Pool) -> None:
    late, released = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with catalog.transaction() as connection:
            await append_events(connection, [event("c-1", metadata={"who": "slow"})], TOPICS)
            late.set()
            await released.wait()

    async def fast() -> None:
        await append(catalog, event("c-1", metadata={"who": "fast"}))

    first = asyncio.create_task(slow())
    await late.wait()
    second = asyncio.create_task(fast())
    await asyncio.sleep(0.2)
    assert await everything(catalog) == [], "what comes after the uncommitted event is not there before it"
    assert not second.done()
    released.set()
    await asyncio.gather(first, second)
    assert [(each.offset, each.envelope["metadata"]["who"]) for each in await everything(catalog)] == [
        (0, "slow"),
        (1, "fast"),
    ]


async def test_many_writers_and_a_reader_that_follows(catalog: Pool) -> None:
    total, batches = 600, 60
    seen: dict[int, list[int]] = {}

    async def writing(number: int) -> None:
        dice = random.Random(number)
        batch = [event(f"c-{dice.randrange(99)}", dice.choice(["customers", "invoices"])) for _ in range(10)]
        await append(catalog, *batch)

    async def following() -> None:
        while sum(map(len, seen.values())) < total:
            for topic, base in (("customers", 0), ("invoices", 100)):
                for partition in await bounds(catalog, topic):
                    mine = seen.setdefault(base + partition, [])
                    mine += [each.offset for each in await read_events(catalog, topic, partition, len(mine))]

    reader = asyncio.create_task(following())
    await asyncio.gather(*(writing(number) for number in range(batches)))
    await asyncio.wait_for(reader, 30)
    for offsets in seen.values():
        assert offsets == list(range(len(offsets)))


@pytest.mark.parametrize(
    "statement",
    [
        b"UPDATE dictamesh_event_log SET entity_id = 'x'",
        b"DELETE FROM dictamesh_event_log",
        b"TRUNCATE dictamesh_event_log",
        b"SET LOCAL dictamesh.retention = 'on'; UPDATE dictamesh_event_log SET entity_id = 'x'",
        b"SET LOCAL dictamesh.retention = 'on'; TRUNCATE dictamesh_event_log",
        b"SET LOCAL session_replication_role = replica; DELETE FROM dictamesh_event_log",
    ],
)
async def test_change_is_refused(catalog: Pool, statement: bytes) -> None:
    await append(catalog, event("c-1"))
    with pytest.raises(CatalogUnavailable, match="42501"):
        async with catalog.transaction() as connection:
            await connection.execute(statement)
    assert len(await everything(catalog)) == 1


async def test_only_members_of_the_retention_role_delete_where_there_is_one(catalog: Pool) -> None:
    await append(catalog, event("c-1"))
    role = f"dictamesh_test_{uuid.uuid4().hex[:8]}"
    age = TopicAge("customers", datetime.now(UTC) + timedelta(hours=1))
    async with catalog.transaction() as connection:
        await connection.execute(f"CREATE ROLE {role}".encode())
        await connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}".encode())
        await connection.execute(b"CREATE ROLE dictamesh_retention")
    deleting = f"SET LOCAL ROLE {role}; SET LOCAL dictamesh.retention = 'on'; DELETE FROM dictamesh_event_log".encode()
    try:
        with pytest.raises(CatalogUnavailable, match="42501"):
            async with catalog.transaction() as connection:
                await connection.execute(deleting)
        async with catalog.transaction() as connection:
            await connection.execute(f"GRANT dictamesh_retention TO {role}".encode())
            await connection.execute(deleting)
        assert await count_old(catalog, age) == 0
    finally:
        async with catalog.transaction() as connection:
            await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}; DROP ROLE dictamesh_retention".encode())


async def test_retention_deletes_by_age_and_gives_no_offset_twice(catalog: Pool) -> None:
    await append(catalog, *(event("c-1") for _ in range(3)))
    await append(catalog, event("i-1", "invoices"))
    old = TopicAge("customers", datetime.now(UTC) + timedelta(hours=1))
    assert await count_old(catalog, TopicAge("customers", datetime.now(UTC) - timedelta(hours=1))) == 0
    assert await count_old(catalog, old) == 3
    assert await delete_old(catalog, old) == 3
    assert len(await everything(catalog, "invoices")) == 1, "another topic is left alone"
    partition = partition_of("c-1", 12)
    assert (await bounds(catalog, "customers"))[partition] == Bounds(3, 3)
    (place,) = await append(catalog, event("c-1"))
    assert place.offset == 3
    assert (await bounds(catalog, "customers"))[partition] == Bounds(3, 4)


async def test_compacted_topics_keep_the_latest_event_of_each_key(catalog: Pool) -> None:
    await append(catalog, *(event(f"c-{number % 5}", metadata={"n": str(number)}) for number in range(50)))
    old = TopicAge("customers", datetime.now(UTC) + timedelta(hours=1), compact=True)
    assert await count_old(catalog, old) == 45
    assert await delete_old(catalog, old) == 45
    left = await everything(catalog)
    assert sorted(int(each.envelope["metadata"]["n"]) for each in left) == [45, 46, 47, 48, 49]


async def test_a_read_is_bounded(catalog: Pool) -> None:
    await append(catalog, *(event("c-1") for _ in range(5)))
    partition = partition_of("c-1", 12)
    assert [each.offset for each in await read_events(catalog, "customers", partition, 2, 2)] == [2, 3]
    with pytest.raises(ValueError, match="limit"):
        await read_events(catalog, "customers", partition, 0, 10_001)

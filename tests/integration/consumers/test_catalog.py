# SPDX-License-Identifier: Apache-2.0
"""The catalog follows the log: records, relations with validity, what it tells of them, and a rebuild (GL-2, GL-8)."""

import random
from typing import Any

from dictamesh.runtime.consumers.catalog import GROUP
from dictamesh.runtime.events.log import LoggedEvent
from dictamesh.runtime.events.positions import at_time, heads, reset, stored
from dictamesh.runtime.events.reading import following
from dictamesh.runtime.events.system import ENTITY_REGISTERED, RELATIONSHIP_CREATED
from dictamesh.runtime.observe import trace
from tests.support.running import until
from tests.support.subscribing import Heard

EDGES = b"""
SELECT subject_entity_id AS subject, relationship_type AS relation, object_entity_id AS object, valid_to
  FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*' ORDER BY valid_from, subject_entity_id
"""
VALIDITY = b"""
SELECT subject_entity_id, relationship_type, object_entity_id, valid_from, coalesce(valid_to, '9999-01-01') AS until
  FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*'
"""
LANDS = ["DE", "FR", "IT", "ES"]
RECORDS = b"""
SELECT entity_type, source_entity_id AS id, status FROM dictamesh_entity_catalog WHERE source_entity_id <> '*'
 ORDER BY entity_type, source_entity_id
"""


async def caught_up(people: Heard) -> None:
    async def done() -> bool:
        pool, topics = people.mesh.store.pool, people.mesh.consuming.topics()
        return await stored(pool, GROUP, topics) == await heads(pool, topics)

    await until(done, "the catalog has read everything")


async def log(people: Heard, topic: str) -> list[LoggedEvent]:
    return await following(people.mesh.store.pool, [topic], {}).more()


async def edges(people: Heard) -> list[tuple[Any, ...]]:
    rows = await people.mesh.store.pool.rows(EDGES)
    return [(row["subject"], row["relation"], row["object"], row["valid_to"] is None) for row in rows]


async def records(people: Heard) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await people.mesh.store.pool.rows(RECORDS)]


async def test_records_and_relations_are_as_events_say(people: Heard) -> None:
    at = trace.begin()
    first = people.event("2", "CREATED", boss="1", trace=at)
    await people.write(people.event("1", "CREATED"), first)
    await caught_up(people)
    assert await records(people) == [("Person", "1", "active"), ("Person", "2", "active")]
    assert await edges(people) == [("2", "boss", "1", True)]
    await people.change("2", fields=("bossId",), boss="3")
    await caught_up(people)
    assert await edges(people) == [("2", "boss", "1", False), ("2", "boss", "3", True)]
    await people.change("2", fields=("name",), boss="3")
    await people.change("2", fields=("bossId",))
    await caught_up(people)
    assert await edges(people) == [("2", "boss", "1", False), ("2", "boss", "3", False)]
    told = await log(people, RELATIONSHIP_CREATED)
    assert [each.envelope["relationships"][0]["entity_id"] for each in told] == ["1", "3"]
    assert told[0].envelope["trace_context"]["trace_id"] == at.trace_id
    assert told[0].envelope["trace_context"]["parent_span_id"] == at.span_id


async def test_a_relation_that_its_far_end_declares_stands_as_declared(people: Heard) -> None:
    await people.write(people.event("DE", "CREATED", entity="people#Country"), people.event("1", "CREATED", land="DE"))
    await caught_up(people)
    assert await edges(people) == [("DE", "homes", "1", True)]
    await people.change("1", fields=("country",), land="FR")
    await caught_up(people)
    assert await edges(people) == [("DE", "homes", "1", False), ("FR", "homes", "1", True)]
    await people.change("1", fields=("country",))
    await caught_up(people)
    assert await edges(people) == [("DE", "homes", "1", False), ("FR", "homes", "1", False)]


async def test_a_record_that_is_gone_is_archived_and_may_come_back(people: Heard) -> None:
    await people.write(people.event("1", "CREATED"), people.event("2", "CREATED", boss="1"))
    await people.write(people.event("1", "DELETED"))
    await caught_up(people)
    assert await records(people) == [("Person", "1", "archived"), ("Person", "2", "active")]
    assert await edges(people) == [("2", "boss", "1", False)]
    await people.change("2", fields=("name",), boss="1")  # a row may refer to what is gone
    await caught_up(people)
    assert await records(people) == [("Person", "1", "archived"), ("Person", "2", "active")]
    assert await edges(people) == [("2", "boss", "1", False)]
    await people.write(people.event("1", "CREATED"))
    await caught_up(people)
    assert await records(people) == [("Person", "1", "active"), ("Person", "2", "active")]
    assert await edges(people) == [("2", "boss", "1", False), ("2", "boss", "1", True)], "2 held on to it all the time"
    assert len(await log(people, RELATIONSHIP_CREATED)) == 2


async def test_nobody_is_related_again_who_left_while_a_record_was_gone(people: Heard) -> None:
    await people.write(people.event("1", "CREATED"), *(people.event(each, "CREATED", boss="1") for each in "2345"))
    await people.write(people.event("DE", "CREATED", entity="people#Country"), people.event("6", "CREATED", land="DE"))
    await people.write(people.event("1", "DELETED"), people.event("DE", "DELETED", entity="people#Country"))
    await caught_up(people)
    await people.write(people.event("3", fields=("bossId",)), people.event("4", fields=("bossId",), boss="2"))
    await people.write(people.event("5", "DELETED"))
    await caught_up(people)
    await people.write(people.event("1", "CREATED"), people.event("DE", "CREATED", entity="people#Country"))
    await caught_up(people)
    assert {each for each in await edges(people) if each[3]} == {
        ("2", "boss", "1", True),
        ("4", "boss", "2", True),
        ("DE", "homes", "6", True),
    }


async def test_types_are_told_of_once(people: Heard) -> None:
    assert [each.entity_id for each in sorted(await log(people, ENTITY_REGISTERED), key=lambda e: e.entity_id)] == [
        "Badge",
        "Country",
        "Person",
    ]
    assert await people.mesh.reload("signal") == "applied"
    assert len(await log(people, ENTITY_REGISTERED)) == 3


async def test_an_emptied_catalog_comes_back_from_the_log(people: Heard) -> None:
    dice = random.Random(5)
    for _ in range(30):
        batch = []
        for _ in range(10):
            record = str(dice.randrange(12))
            kind = dice.choice(["CREATED", "UPDATED", "UPDATED", "UPDATED", "DELETED"])
            boss = dice.choice([None, *map(str, range(12))]) if kind != "DELETED" else None
            batch.append(people.event(record, kind, ("bossId", "name"), boss=boss))
        await people.write(*batch)
    await caught_up(people)
    before = {each for each in await edges(people) if each[3]}, await records(people)
    gone = {record for _, record, status in before[1] if status == "archived"}
    assert not [each for each in before[0] if {each[0], each[2]} & gone]
    pool, topics = people.mesh.store.pool, people.mesh.consuming.topics()
    async with pool.transaction() as connection:
        await connection.execute(b"DELETE FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*'")
        await connection.execute(b"DELETE FROM dictamesh_entity_catalog WHERE source_entity_id <> '*'")
    group = next(each for each in people.mesh.consuming.groups().values() if each.group == GROUP)
    for events in [await following(pool, topics, {}).more()]:
        within = await group.handle(events)
        async with pool.transaction() as connection:
            await within(connection)
    assert ({each for each in await edges(people) if each[3]}, await records(people)) == before
    told = [each.event_id for each in await log(people, RELATIONSHIP_CREATED)]
    assert len(told) == len(set(told))


async def test_many_events_at_once_come_to_what_they_do_one_by_one(people: Heard) -> None:
    """Of countries, which tell of no relation and are told of by persons, many events are taken together."""
    dice = random.Random(7)
    await people.write(*(people.event(land, "CREATED", entity="people#Country") for land in LANDS[:2]))
    await people.write(*(people.event(str(number), "CREATED", land=LANDS[number % 3]) for number in range(6)))
    for _ in range(4):
        kinds = dice.choices(["CREATED", "UPDATED", "DELETED"], k=25)
        await people.write(*(people.event(dice.choice(LANDS), kind, entity="people#Country") for kind in kinds))
    await caught_up(people)
    pool, topics = people.mesh.store.pool, people.mesh.consuming.topics()
    group = next(each for each in people.mesh.consuming.groups().values() if each.group == GROUP)
    events = sorted(await following(pool, topics, {}).more(), key=lambda event: event.ingested_at)
    found = []
    for size in (1, 7, len(events)):
        async with pool.transaction() as connection:
            await connection.execute(b"DELETE FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*'")
            await connection.execute(b"DELETE FROM dictamesh_entity_catalog WHERE source_entity_id <> '*'")
        for begin in range(0, len(events), size):
            within = await group.handle(events[begin : begin + size])
            async with pool.transaction() as connection:
                await within(connection)
        found.append((sorted(tuple(row.values()) for row in await pool.rows(VALIDITY)), await records(people)))
    assert found[0][0]
    assert found[0] == found[1] == found[2]


async def test_a_group_is_set_back_in_time(people: Heard) -> None:
    await people.write(*(people.event("1") for _ in range(3)))
    await caught_up(people)
    pool, topics = people.mesh.store.pool, people.mesh.consuming.topics()
    first = min(event.timestamp for event in await following(pool, topics, {}).more())
    async with pool.transaction() as connection:
        await reset(connection, "other", await at_time(pool, topics, first))
    assert set((await stored(pool, "other", topics)).values()) == {0}


async def test_the_state_of_a_cached_row_ends_with_its_change(people: Heard) -> None:
    pool = people.mesh.store.pool
    async with pool.transaction() as connection:
        await connection.execute(
            b"""INSERT INTO dictamesh_cache_status
                (entity_catalog_id, entity_id, cache_layer, cached_at, expires_at, cache_key, hit_count)
            SELECT c.id, r.id, 'l1_memory', now(), now() + interval '1 hour', r.id, 0
              FROM dictamesh_entity_catalog c, unnest(ARRAY['1', '2']) AS r (id)
             WHERE entity_type = 'Person' AND source_entity_id = '*'"""
        )
    await people.change("1")
    await caught_up(people)
    rows = await pool.rows(b"SELECT entity_id FROM dictamesh_cache_status WHERE expires_at > now()")
    assert [row["entity_id"] for row in rows] == ["2"]

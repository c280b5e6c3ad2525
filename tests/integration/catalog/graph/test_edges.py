# SPDX-License-Identifier: Apache-2.0
"""Writing records and relations: idempotent, in any batches, with validity and provenance (GL-2, GL-4, AR-4)."""

import asyncio
import random
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest

from dictamesh.runtime.catalog.graph.edges import close_edges, upsert_edges
from dictamesh.runtime.catalog.graph.nodes import archive_entities, upsert_entities
from dictamesh.runtime.catalog.graph.values import Ending, Ref, SeenEdge, SeenRecord, Written
from dictamesh.runtime.catalog.pool import Pool
from tests.integration.catalog.graph.conftest import at

RECORDS = b"""
SELECT entity_type, source_entity_id AS id, status, last_seen_at, updated_at, product_id, source_system,
       contains_pii, provenance::text
  FROM dictamesh_entity_catalog WHERE source_entity_id <> '*' ORDER BY 1, 2
"""
EDGES = b"""
SELECT subject_entity_id AS subject, relationship_type AS relation, object_entity_id AS object, valid_from, valid_to,
       provenance::text, confidence::float8, first_seen_at, last_seen_at, created_by_event_id AS origin, xmin::text
  FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*' ORDER BY 1, 2, 3, 4
"""


def customer(number: int) -> Ref:
    return Ref("Customer", f"c{number}")


def invoice(number: int) -> Ref:
    return Ref("Invoice", f"i{number}")


def item(number: int) -> Ref:
    return Ref("InvoiceItem", f'["i1",{number}]')


def bought(number: int, by: int, when: datetime, **more: Any) -> SeenEdge:
    """An invoice of a customer: many to one."""
    return SeenEdge(invoice(number), "customer", customer(by), when, **more)


def holds(number: int, what: int, when: datetime) -> SeenEdge:
    """An item of an invoice: one to many."""
    return SeenEdge(invoice(number), "items", item(what), when)


def knows(one: int, other: int, when: datetime, **more: Any) -> SeenEdge:
    """A relation that no spec declares: many to many."""
    return SeenEdge(customer(one), "knows", customer(other), when, **more)


async def write(pool: Pool, *edges: SeenEdge) -> Written:
    async with pool.transaction() as connection:
        return await upsert_edges(connection, edges)


async def end(pool: Pool, *endings: Ending) -> int:
    async with pool.transaction() as connection:
        return await close_edges(connection, endings)


async def see(pool: Pool, *records: SeenRecord) -> int:
    async with pool.transaction() as connection:
        return await upsert_entities(connection, records)


async def intervals(pool: Pool) -> list[tuple[str, str, datetime, datetime | None]]:
    return [(row["subject"], row["object"], row["valid_from"], row["valid_to"]) for row in await pool.rows(EDGES)]


async def state(pool: Pool) -> tuple[list[dict], list[dict]]:
    return await pool.rows(RECORDS), await pool.rows(EDGES)


async def test_records_take_after_their_type_and_are_written_once_an_hour(registered: Pool) -> None:
    assert await see(registered, SeenRecord(customer(1), at(0)), SeenRecord(invoice(1), at(0))) == 2
    before = await registered.rows(RECORDS)
    assert [(row["entity_type"], row["product_id"], row["source_system"], row["contains_pii"]) for row in before] == [
        ("Customer", "customers", "cms", True),
        ("Invoice", "invoices", "erp", False),
    ]
    assert await see(registered, SeenRecord(customer(1), at(0)), SeenRecord(customer(1), at(0.9))) == 0
    assert await registered.rows(RECORDS) == before, "a replay writes nothing"
    assert await see(registered, SeenRecord(customer(1), at(1))) == 1
    assert (await registered.rows(RECORDS))[0]["last_seen_at"] == at(1)


async def test_an_archived_record_returns_only_by_later_news(registered: Pool) -> None:
    await see(registered, SeenRecord(customer(1), at(0)))

    async def archive(hours: float) -> int:
        async with registered.transaction() as connection:
            return await archive_entities(connection, [(customer(1), at(hours)), (Ref("Customer", "*"), at(hours))])

    assert await archive(-1) == 0, "it was seen after that"
    assert [await archive(2), await archive(2)] == [1, 0]
    assert await see(registered, SeenRecord(customer(1), at(0)), SeenRecord(customer(1), at(2))) == 0
    assert (await write(registered, bought(1, by=1, when=at(1)))).skipped == 1, "told of a time before it was archived"
    assert await see(registered, SeenRecord(customer(1), at(2.1))) == 1
    assert (await registered.rows(RECORDS))[0]["status"] == "active"


@pytest.mark.parametrize("id_", ["", "*", "x" * 1025, "a\0b", "\ud800"])
async def test_what_cannot_be_kept_is_passed_over(registered: Pool, id_: str) -> None:
    bad = Ref("Customer", id_)
    assert await see(registered, SeenRecord(bad, at(0)), SeenRecord(customer(1), at(0))) == 1
    done = await write(registered, SeenEdge(invoice(1), "customer", bad, at(0)), bought(1, by=1, when=at(0)))
    assert (len(done.created), done.skipped) == (1, 1)
    assert await end(registered, Ending(bad, at(1))) == 0


async def test_an_unknown_type_is_passed_over(registered: Pool) -> None:
    nobody = Ref("Nobody", "1")
    assert await see(registered, SeenRecord(nobody, at(0))) == 0
    assert await write(registered, SeenEdge(nobody, "x", customer(1), at(0))) == Written(skipped=1)


async def test_missing_ends_enter_the_catalog(registered: Pool) -> None:
    done = await write(registered, bought(1, by=1, when=at(0), origin="e-1"))
    assert done.created == (bought(1, by=1, when=at(0), origin="e-1"),)
    records, edges = await state(registered)
    assert [(row["entity_type"], row["id"]) for row in records] == [("Customer", "c1"), ("Invoice", "i1")]
    assert [(row["origin"], row["provenance"], row["valid_from"]) for row in edges] == [("e-1", "observed", at(0))]


async def test_a_new_end_replaces_the_one_end_a_relation_has(registered: Pool) -> None:
    await write(registered, bought(1, by=1, when=at(0)))
    done = await write(registered, bought(1, by=2, when=at(1)))
    assert (len(done.created), done.ended) == (1, 1)
    assert await intervals(registered) == [("i1", "c1", at(0), at(1)), ("i1", "c2", at(1), None)]
    done = await write(registered, holds(1, 1, at(0)), holds(2, 1, at(1)), holds(1, 2, at(0)))
    assert done.ended == 1, "an item is of one invoice, an invoice has many items"


async def test_one_batch_may_tell_a_whole_story(registered: Pool) -> None:
    story = [bought(1, by=1, when=at(0)), bought(1, by=2, when=at(2)), bought(1, by=1, when=at(3))]
    await write(registered, *reversed(story))
    told = [("i1", "c1", at(0), at(2)), ("i1", "c1", at(3), None), ("i1", "c2", at(2), at(3))]
    assert await intervals(registered) == told
    before = await state(registered)
    for batch in (story, story[:1], story[1:2], story[2:]):
        assert await write(registered, *batch) == Written(), "a replay opens and ends nothing"
    assert await state(registered) == before


async def test_endings(registered: Pool) -> None:
    edges = [bought(1, by=1, when=at(0)), bought(2, by=1, when=at(0)), holds(1, 1, at(0)), holds(1, 2, at(0))]
    await write(registered, *edges)
    one = Ending(invoice(1), at(1), "items", item(1))
    assert [await end(registered, one), await end(registered, one)] == [1, 0]
    assert await end(registered, Ending(invoice(1), at(1), "customer")) == 1
    assert await end(registered, Ending(customer(1), at(-1))) == 0, "they began later"
    assert await end(registered, Ending(customer(1), at(2))) == 1, "seen from the other end"
    assert [row for row in await intervals(registered) if row[3] is None] == [("i1", '["i1",2]', at(0), None)]
    assert await write(registered, *edges) == Written(), "a replay from the beginning opens nothing again"
    assert await end(registered, Ending(invoice(1), at(3))) == 1
    assert len((await write(registered, holds(1, 2, at(4)))).created) == 1
    assert await end(registered, Ending(invoice(1), at(3))) == 0, "an old ending does not end what began later"


async def test_a_relation_that_ends_as_it_begins(registered: Pool) -> None:
    await write(registered, bought(1, by=1, when=at(0)))
    assert await end(registered, Ending(invoice(1), at(0))) == 1
    ((_, _, begun, ended),) = await intervals(registered)
    assert begun == at(0) < ended


async def test_provenance_only_grows_and_the_first_origin_stays(registered: Pool) -> None:
    await write(registered, knows(1, 2, at(0), provenance="inferred", confidence=0.4, origin="run-1"))
    assert (await write(registered, knows(1, 2, at(0), provenance="inferred", confidence=0.2))).touched == 0
    assert (await write(registered, knows(1, 2, at(0.1), provenance="observed", confidence=0.9))).touched == 1
    assert (await write(registered, knows(1, 2, at(0.2), provenance="inferred", confidence=0.5))).touched == 0
    ((row),) = await registered.rows(EDGES)
    assert (row["provenance"], round(row["confidence"], 3), row["origin"]) == ("observed", 0.9, "run-1")
    assert (row["first_seen_at"], row["last_seen_at"]) == (at(0), at(0.1))


async def test_late_news_makes_a_relation_older_or_is_left_aside(registered: Pool) -> None:
    await write(registered, knows(1, 2, at(5)))
    await write(registered, knows(1, 2, at(1)))
    assert await intervals(registered) == [("c1", "c2", at(1), None)]
    await end(registered, Ending(customer(1), at(6), "knows", customer(2)))
    await write(registered, knows(1, 2, at(8)))
    await write(registered, knows(1, 2, at(7)))
    await write(registered, knows(1, 2, at(0)))
    assert await intervals(registered) == [("c1", "c2", at(1), at(6)), ("c1", "c2", at(7), None)]
    await write(registered, bought(1, by=1, when=at(5)))
    assert await write(registered, bought(1, by=2, when=at(4))) == Written(), "one end: the newer one is known"
    await end(registered, Ending(invoice(1), at(9)))
    assert await write(registered, bought(1, by=2, when=at(4))) == Written()


async def test_any_split_into_batches_and_any_replay_gives_the_same(registered: Pool) -> None:
    """Events in order, at least once: whatever the batches and replays, the intervals are those of one run."""
    for seed in range(8):
        await registered.execute(b"DELETE FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*'", ())
        await registered.execute(b"DELETE FROM dictamesh_entity_catalog WHERE source_entity_id <> '*'", ())
        dice = random.Random(seed)
        events = list(_events(dice))
        for event in events:
            await _apply(registered, [event])
        expected = await intervals(registered)
        assert any(ended for *_, ended in expected)
        await registered.execute(b"DELETE FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*'", ())
        start = 0
        while start < len(events):
            size = dice.randint(1, 12)
            await _apply(registered, events[start : start + size])
            again = dice.randint(0, start)
            await _apply(registered, events[again : start + size])
            start += size
        assert await intervals(registered) == expected


def _events(dice: random.Random) -> Iterable[SeenEdge | Ending]:
    for hour in range(60):
        number = dice.randint(1, 4)
        match dice.randint(0, 5):
            case 0 | 1:
                yield bought(number, by=dice.randint(1, 3), when=at(hour))
            case 2:
                yield holds(number, dice.randint(1, 3), at(hour))
            case 3:
                yield knows(number, dice.randint(1, 4), at(hour))
            case 4:
                yield Ending(customer(number), at(hour), "knows")
            case _:
                yield Ending(invoice(number), at(hour))


async def _apply(pool: Pool, events: list[SeenEdge | Ending]) -> None:
    """As a consumer does: runs of one kind together, in one transaction."""
    async with pool.transaction() as connection:
        edges: list[SeenEdge] = []
        for event in events:
            if isinstance(event, SeenEdge):
                edges.append(event)
                continue
            await upsert_edges(connection, edges)
            edges = []
            await close_edges(connection, [event])
        await upsert_edges(connection, edges)


async def test_writers_side_by_side(registered: Pool) -> None:
    batch = [bought(number, by=number % 7, when=at(0)) for number in range(200)]
    done = await asyncio.gather(*(write(registered, *dict.fromkeys(batch[::step])) for step in (1, -1, 1, -1)))
    assert sum(len(each.created) for each in done) == 200, "each relation is new to one writer alone"
    assert len(await intervals(registered)) == 200


async def test_no_column_for_data_is_ever_filled(registered: Pool) -> None:
    await write(registered, bought(1, by=1, when=at(0)))
    statement = b"""
    SELECT subject_display_name, object_display_name, relationship_metadata FROM dictamesh_entity_relationships
     WHERE subject_entity_id <> '*'
    """
    (row,) = await registered.rows(statement)
    assert list(row.values()) == [None, None, {}]

# SPDX-License-Identifier: Apache-2.0
"""What requests leave behind is added up, bounded, and not lost while the database is away for a moment."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.recording import cached, followed, usage
from dictamesh.runtime.catalog.recording.cached import CacheCounts
from dictamesh.runtime.catalog.recording.followed import FollowedRelations
from dictamesh.runtime.catalog.recording.levels import BOUNDS, STEP, LevelCounts
from dictamesh.runtime.catalog.recording.recorder import Recorder
from dictamesh.runtime.catalog.recording.usage import UsageCounts
from dictamesh.runtime.catalog.registration import register
from tests.integration.catalog.test_registration import FULL
from tests.support.plans import entity, field, link, plan, shop

IDS = RecordIds(Surrogates("test", {"pepper": b"pepper"}))
CUSTOMER, INVOICE, ITEM = shop()
FIELDS = frozenset({"customers#Customer", "customers#Customer.email", "customers#Customer.address.city"})


class Told:
    """What the recorder told, summed up."""

    def __init__(self) -> None:
        self.written: dict[str, int] = {}
        self.dropped: dict[str, int] = {}

    def __call__(self, name: str, written: int, dropped: int) -> None:
        self.written[name] = self.written.get(name, 0) + written
        self.dropped[name] = self.dropped.get(name, 0) + dropped


def recorder(pool: Pool, *collectors: Any) -> tuple[Recorder, Told]:
    told = Told()
    return Recorder(pool, collectors, 3600.0, told), told


async def used(pool: Pool) -> list[tuple[Any, ...]]:
    rows = await pool.rows(b"SELECT * FROM dictamesh_usage ORDER BY day, entity, field, principal NULLS FIRST, purpose")
    return [(row["entity"], row["field"], row["principal"], row["purpose"], row["operations"]) for row in rows]


async def test_usage_is_added_up_by_replicas(catalog: Pool) -> None:
    one, other = UsageCounts(90), UsageCounts(90)
    for counts in (one, one, other):
        counts.used("bi-tool", "analytics", FIELDS)
    one.used(None, None, {"customers#Customer"})
    one.used(None, None, ())
    (first, told), (second, _) = recorder(catalog, one), recorder(catalog, other)
    await asyncio.gather(first.flush(), second.flush())
    await first.flush()
    assert await used(catalog) == [
        ("customers#Customer", "", None, None, 1),
        ("customers#Customer", "", "bi-tool", "analytics", 3),
        ("customers#Customer", "address.city", "bi-tool", "analytics", 3),
        ("customers#Customer", "email", "bi-tool", "analytics", 3),
    ]
    assert told.written == {"usage": 4}


async def test_usage_is_forgotten_in_time_and_not_counted_where_nobody_wants_it(catalog: Pool) -> None:
    old = b"INSERT INTO dictamesh_usage VALUES (%s, 'a#A', '', NULL, NULL, 1, now())"
    today = datetime.now(UTC).date()
    for days in (9, 10, 11):
        await catalog.execute(old, (today - timedelta(days=days),))
    counts = UsageCounts(10)
    counts.used(None, None, {"b#B"})
    await recorder(catalog, counts)[0].flush()
    assert [row[0] for row in await used(catalog)] == ["a#A", "a#A", "b#B"]
    off = UsageCounts(0)
    off.used(None, None, {"b#B"})
    assert off.take() == ([], 0)


async def test_too_many_shapes_are_dropped_and_counted(catalog: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "SHAPES", 2)
    counts = UsageCounts(90)
    for name in ("a", "b", "c", "a", "d"):
        counts.used(name, None, {"a#A"})
    writing, told = recorder(catalog, counts)
    await writing.flush()
    assert [row[2] for row in await used(catalog)] == ["a", "b"]
    assert told.dropped == {"usage": 2}


async def test_what_cannot_be_written_is_kept_for_the_next_time(catalog: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    await register(catalog, FULL)
    counts, levels, relations, cache = UsageCounts(90), LevelCounts(), FollowedRelations(), CacheCounts()
    watch = cache.watch(plan(*shop(), catalog={"observe": True}), CUSTOMER, IDS)

    def once() -> None:
        counts.used("a", None, FIELDS)
        levels.called("a#A", "get", "ok", 0.1, 1, None)
        relations.followed(CUSTOMER, CUSTOMER.links[0], INVOICE, [(("c1",), ("i1",))], IDS)
        watch.hit(("c1",))
        watch.kept(("c1",))

    once()
    writing, told = recorder(catalog, counts, levels, relations, cache)
    sound = Pool.transaction

    def away(_: Pool) -> Any:
        raise CatalogUnavailable("away", "wait", sqlstate="57P01")

    monkeypatch.setattr(Pool, "transaction", away)
    await writing.flush()
    assert told.written == {}
    once()
    monkeypatch.setattr(Pool, "transaction", sound)
    await writing.flush()
    assert {row[4] for row in await used(catalog)} == {2}
    assert (await catalog.rows(b"SELECT calls, worked FROM dictamesh_service_levels")) == [{"calls": 2, "worked": 2}]
    assert (await catalog.rows(b"SELECT hit_count FROM dictamesh_cache_status")) == [{"hit_count": 2}] * 2
    assert told.written == {"usage": 3, "levels": 1, "relations": 1, "cache": 2}


async def test_a_batch_that_the_database_refuses_is_dropped_alone(catalog: Pool) -> None:
    counts, levels = UsageCounts(90), LevelCounts()
    counts.used("a\0b\ud800", None, {"a#A"})
    levels.called("a\0#A", "get", "ok", 0.1, 1, None)
    writing, told = recorder(catalog, levels, counts)
    await writing.flush()
    assert (told.dropped["levels"], told.written["usage"]) == (1, 1)
    assert levels.take() == ([], 0)
    assert [row[2] for row in await used(catalog)] == ["a\ufffdb?"]


async def test_service_levels_are_added_up_by_hour(catalog: Pool) -> None:
    statement = b"INSERT INTO dictamesh_service_levels VALUES (%s, 'a#A', 1, 1, 0, '{1}')"
    for days in (30, 32):
        await catalog.execute(statement, (datetime.now(UTC) - timedelta(days=days),))
    one, other = LevelCounts(), LevelCounts()
    for levels in (one, other):
        levels.called("a#A", "get", "ok", BOUNDS[0], 1, None)
        levels.called("a#A", "get", "ok", 1000.0, 1, None)
        levels.called("a#A", "get", "timeout", 2.0, 0, None)
    other.looked_up("a#A", "stale", 4)
    other.looked_up("a#A", "hit", 4)
    await asyncio.gather(recorder(catalog, one)[0].flush(), recorder(catalog, other)[0].flush())
    rows = await catalog.rows(b"SELECT * FROM dictamesh_service_levels ORDER BY since")
    assert len(rows) == 2, "hours of 32 days ago are forgotten"
    assert (rows[1]["calls"], rows[1]["worked"], rows[1]["stale"]) == (6, 4, 4)
    assert (rows[1]["durations"][0], rows[1]["durations"][-1], sum(rows[1]["durations"])) == (2, 2, 4)
    assert rows[1]["since"].timestamp() % STEP == 0


async def test_followed_relations_enter_the_graph_once(catalog: Pool) -> None:
    await register(catalog, FULL)
    relations = FollowedRelations()
    back = INVOICE.links[0]
    for _ in range(3):
        relations.followed(CUSTOMER, CUSTOMER.links[0], INVOICE, [(("c1",), ("i1",)), (("c1",), ("i2",))], IDS)
        relations.followed(INVOICE, back, CUSTOMER, [(("i1",), ("c1",))], IDS)
    writing, _ = recorder(catalog, relations)
    await writing.flush()
    statement = b"""
    SELECT subject_entity_id AS s, relationship_type AS r, object_entity_id AS o, provenance::text AS p
      FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*' ORDER BY 1, 2, 3
    """
    rows = [tuple(row.values()) for row in await catalog.rows(statement)]
    assert ("c1", "invoices", "i1", "observed") in rows
    await writing.flush()
    assert [tuple(row.values()) for row in await catalog.rows(statement)] == rows


async def test_no_personal_key_is_written(catalog: Pool) -> None:
    person = entity("Customer", field("id", pii=True), key=("id",))
    named = dataclasses.replace(person, links=(link("invoices", INVOICE.address, "id", "customerId", many=True),))
    hidden = dataclasses.replace(named, surrogate="pepper")
    await register(catalog, FULL)
    relations, cache = FollowedRelations(), CacheCounts()
    for holder in (named, hidden):
        relations.followed(holder, named.links[0], INVOICE, [(("canary@example.com",), ("i1",))], IDS)
        watch = cache.watch(plan(holder, INVOICE, ITEM, catalog={"observe": True}), holder, IDS)
        watch.kept(("canary@example.com",))
        await recorder(catalog, relations, cache)[0].flush()
    for table in ("entity_catalog", "entity_relationships", "cache_status"):
        rows = await catalog.rows(f"SELECT t::text AS row FROM dictamesh_{table} t".encode())
        assert not any("canary" in row["row"] for row in rows), table
    ids = await catalog.rows(b"SELECT entity_id FROM dictamesh_cache_status WHERE entity_id <> '*'")
    assert ids == [{"entity_id": IDS.of(hidden, ("canary@example.com",))}]


async def test_too_many_relations_and_records_are_dropped_and_counted(
    catalog: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(catalog, FULL)
    monkeypatch.setattr(followed, "PAIRS", 2)
    monkeypatch.setattr(cached, "RECORDS", 1)
    relations, cache = FollowedRelations(), CacheCounts()
    watch = cache.watch(plan(*shop(), catalog={"observe": True}), CUSTOMER, IDS)
    for number in range(3):
        relations.followed(CUSTOMER, CUSTOMER.links[0], INVOICE, [((f"c{number}",), ("i1",))], IDS)
        watch.hit((f"c{number}",))
    writing, told = recorder(catalog, relations, cache)
    await writing.flush()
    assert told.dropped == {"relations": 1, "cache": 2}
    rows = await catalog.rows(b"SELECT entity_id, hit_count FROM dictamesh_cache_status ORDER BY 1")
    assert [tuple(row.values()) for row in rows] == [("*", 3), ("c0", 1)]


async def test_cached_rows(catalog: Pool) -> None:
    await register(catalog, FULL)
    cache = CacheCounts()
    current = plan(dataclasses.replace(CUSTOMER, cache_ttl=60.0), INVOICE, ITEM)
    watch = cache.watch(current, current.entities[CUSTOMER.address], IDS)
    watch.kept(("c1",))
    watch.hit(("c1",))
    watch = cache.watch(current, current.entities[CUSTOMER.address], IDS)
    watch.hit(("c1",))
    await recorder(catalog, cache)[0].flush()
    (row,) = await catalog.rows(b"SELECT * FROM dictamesh_cache_status")
    assert (row["entity_id"], row["cache_layer"], row["hit_count"]) == ("*", "l1_memory", 2)
    assert row["expires_at"] - row["cached_at"] == timedelta(seconds=60)
    assert row["cache_key"] == f"dictamesh:test:Customer:{'0' * 64}:*"


async def test_the_recorder_writes_by_itself_and_at_the_end(catalog: Pool) -> None:
    counts = UsageCounts(90)
    writing = Recorder(catalog, (counts,), 3600.0)
    writing.begin()
    counts.used("a", None, {"a#A"})
    writing.change(0.01)
    async with asyncio.timeout(20):
        while not await used(catalog):
            await asyncio.sleep(0.01)
    writing.change(3600.0)
    counts.used("b", None, {"a#A"})
    await writing.close()
    await writing.close()
    assert [row[2] for row in await used(catalog)] == ["a", "b"]

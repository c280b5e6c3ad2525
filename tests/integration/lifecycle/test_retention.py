# SPDX-License-Identifier: Apache-2.0
"""Retention by latest activity, in batches, as often as one likes; events by topic; tables that have an age (GV-7)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from dictamesh.runtime.catalog.lease import leased
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.events.envelope import EntityReference, Event, EventTrace
from dictamesh.runtime.events.log import append_events
from dictamesh.runtime.lifecycle.aged import Aged
from dictamesh.runtime.lifecycle.retention import Retained, retain
from tests.integration.lifecycle.conftest import Shop

NOW = datetime.now(UTC)


async def run(shop: Shop, *, now: datetime = NOW, dry_run: bool = False, aged: tuple[Aged, ...] = ()) -> Retained:
    return await retain(shop.pool, shop.plan, now, aged, dry_run=dry_run)


def of(retained: Retained, entity: str) -> tuple[int, int, int, int]:
    found = next(each for each in retained.records if each.entity == entity)
    return found.expired, found.withdrawn.archived, found.withdrawn.edges, found.withdrawn.events


async def event(shop: Shop, address: str, record: str, kind: str = "UPDATED", days: float = 0) -> None:
    entity = shop.plan.entities[address]
    reference = EntityReference(entity.name, record, "1")
    made = Event(
        entity.topic.name,
        kind,
        reference,
        entity.server,
        "d",
        EventTrace("ab" * 16, "cd" * 8),
        timestamp=NOW - timedelta(days=days),
    )
    async with shop.pool.transaction() as connection:
        await append_events(connection, [made], {entity.topic.name: entity.topic.partitions})


async def test_only_what_nothing_happened_to_for_long_enough_goes(shop: Shop) -> None:
    await shop.record("Customer", "fresh", days=29)
    await shop.record("Customer", "old", "changed", days=31)
    await shop.record("Invoice", "1", days=31)
    await event(shop, "customers#Customer", "changed", days=400)
    await event(shop, "customers#Customer", "changed", days=2)
    await shop.edge(("Invoice", "1"), "customer", ("Customer", "old"))
    retained = await run(shop)
    assert of(retained, "Customer") == (1, 1, 1, 1)
    assert of(retained, "Invoice") == (0, 0, 0, 0), "ten years"
    assert await shop.active("Customer") == {"fresh", "changed"}
    assert await shop.open_edges() == 0
    assert (await shop.events("Customer"))[-1] == ("old", "DELETED", "1")


async def test_running_again_does_nothing_more(shop: Shop) -> None:
    await shop.record("Customer", "old", days=31)
    await run(shop)
    assert of(await run(shop), "Customer") == (0, 0, 0, 0)
    assert await shop.events("Customer") == [("old", "DELETED", "1")]


async def test_what_was_deleted_already_hears_it_no_second_time(shop: Shop) -> None:
    await shop.record("Customer", "old", days=31)
    await event(shop, "customers#Customer", "old", "DELETED", days=40)
    assert of(await run(shop), "Customer") == (1, 1, 0, 0)
    assert await shop.events("Customer") == [("old", "DELETED", "1")]


async def test_a_dry_run_only_counts(shop: Shop) -> None:
    await shop.record("Customer", "old", "older", days=31)
    await event(shop, "invoices#Invoice", "1", days=1)
    later = NOW + timedelta(days=8)
    retained = await run(shop, now=later, dry_run=True)
    assert of(retained, "Customer") == (2, 0, 0, 0)
    assert dict(retained.events)["finance.erp.invoice.entity_changed"] == 1
    assert await shop.active("Customer") == {"old", "older"}
    assert len(await shop.events("Invoice")) == 1
    body = retained.as_json()
    assert body["dryRun"] is True
    assert body["records"][0] == {
        "product": "customers",
        "entity": "Customer",
        "retentionDays": 30,
        "expired": 2,
        "archived": 0,
        "edgesClosed": 0,
        "eventsAppended": 0,
    }


async def test_more_than_a_batch(shop: Shop) -> None:
    await shop.record("Customer", *(f"c{number}" for number in range(1203)), days=31)
    assert of(await run(shop), "Customer") == (1203, 1203, 0, 1203)
    assert await shop.active("Customer") == set()


async def test_two_at_once_share_the_work(shop: Shop, dsn: str) -> None:
    await shop.record("Customer", *(f"c{number}" for number in range(1500)), days=31)
    other = await open_pool(dsn, PoolSettings(max_size=2, idle=1))
    try:
        one, two = await asyncio.gather(run(shop), retain(other, shop.plan, NOW, ()))
    finally:
        await other.close()
    assert of(one, "Customer")[3] + of(two, "Customer")[3] == 1500
    assert await shop.active("Customer") == set()


async def test_events_go_when_their_topic_says_so(shop: Shop) -> None:
    await event(shop, "invoices#Invoice", "1")
    await event(shop, "customers#Customer", "c1")
    await run(shop, now=NOW + timedelta(days=8))
    assert await shop.events("Invoice") == [], "7 days"
    assert await shop.events("Customer") == [("c1", "UPDATED", "1")], "30 days"


async def test_a_table_with_an_age(shop: Shop) -> None:
    await shop.pool.execute(b"CREATE TABLE dictamesh_seen (day date, n integer)", ())
    await shop.pool.execute(
        b"INSERT INTO dictamesh_seen SELECT current_date - n, n FROM generate_series(0, 5999) n", ()
    )
    aged = (Aged("dictamesh_seen", "day", 90), Aged("dictamesh_not_there", "day", 1))
    assert (await run(shop, dry_run=True, aged=aged)).rows == (("dictamesh_seen", 5910), ("dictamesh_not_there", 0))
    assert (await run(shop, aged=aged)).rows[0] == ("dictamesh_seen", 5910)
    assert (await run(shop, aged=aged)).rows[0] == ("dictamesh_seen", 0)
    (left,) = await shop.pool.rows(b"SELECT max(n) AS n FROM dictamesh_seen")
    assert left["n"] == 89


async def test_one_replica_at_a_time_holds_a_lease(catalog: Pool, dsn: str) -> None:
    other = await open_pool(dsn, PoolSettings(max_size=2, idle=1))
    try:
        async with (
            leased(catalog, "retention") as mine,
            leased(other, "retention") as theirs,
            leased(other, "erasure") as another,
        ):
            assert (mine, theirs, another) == (True, False, True)
        async with leased(other, "retention") as now:
            assert now
    finally:
        await other.close()


async def test_a_lease_ends_with_what_fails_under_it(catalog: Pool) -> None:
    async def failing() -> None:
        async with leased(catalog, "retention"):
            raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            await failing()

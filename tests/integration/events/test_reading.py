# SPDX-License-Identifier: Apache-2.0
"""Following the log: in order, through late commits and lost notifications, as a group that moves on once."""

import asyncio
import contextlib
import random
from datetime import timedelta

import pytest

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.log import append_events
from dictamesh.runtime.events.positions import Overtaken, at_time, commit, heads, reached, reset, stored
from dictamesh.runtime.events.reading import Ear, Following, follow, following, watch
from dictamesh.runtime.events.retention import TopicAge, delete_old
from tests.integration.events.test_log import append, event

TOPICS = {"customers": 12, "invoices": 3}


async def _read(pool: Pool, start: object, count: int, ear: Ear | None = None, limit: int = 500) -> list:
    found: list = []
    async with asyncio.timeout(30):
        async with contextlib.aclosing(follow(pool, TOPICS, start, ear, limit)) as lists:
            async for events in lists:
                found += events
                if len(found) >= count:
                    return found
    raise AssertionError


async def test_everything_comes_once_and_in_order_while_writers_commit_late(catalog: Pool) -> None:
    dice = random.Random(3)

    async def writer(number: int) -> None:
        for n in range(20):
            async with catalog.transaction() as connection:
                topic = dice.choice(list(TOPICS))
                made = [event(f"c-{dice.randrange(30)}", topic, metadata={"by": f"{number}-{n}"}) for _ in range(3)]
                await append_events(connection, made, TOPICS)
                await asyncio.sleep(dice.random() / 50)

    reading = asyncio.create_task(_read(catalog, {}, 8 * 20 * 3, limit=7))
    await asyncio.gather(*(writer(number) for number in range(8)))
    found = await reading
    assert len({each.event_id for each in found}) == len(found) == 480
    for place, head in (await heads(catalog, TOPICS)).items():
        offsets = [each.offset for each in found if (each.topic, each.partition) == place]
        assert offsets == list(range(head))


async def test_mentions_and_whole_events_follow_on_one_another(catalog: Pool) -> None:
    reader = Following(catalog, lambda: TOPICS)
    await append(catalog, event("c-1", "customers"))
    (mention,) = await reader.mentions()
    assert (mention.topic, mention.entity_type, mention.entity_id) == ("customers", "Customer", "c-1")
    await append(catalog, event("c-2", "customers"))
    (told,) = await reader.more()
    assert told.envelope["entity"]["id"] == told.entity_id == "c-2"


async def test_a_notification_wakes_and_none_is_needed(catalog: Pool) -> None:
    ear = Ear(catalog)
    listening = asyncio.create_task(ear.listen())
    try:
        for heard in (ear, None):
            reader = following(catalog, ["customers"], await heads(catalog, TOPICS))
            lists = watch(reader, heard, every=0.2 if heard is None else 3600)
            waiting = asyncio.create_task(anext(lists))
            await asyncio.sleep(0.3)
            written = event("c-1")
            await append(catalog, written)
            async with asyncio.timeout(20):
                assert [each.event_id for each in await waiting] == [written.event_id]
            await lists.aclose()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_group_goes_on_where_it_stood_and_only_one_owner_moves_it(catalog: Pool) -> None:
    await append(catalog, *(event("c-1", metadata={"n": str(n)}) for n in range(10)))
    first = await _read(catalog, "readers", 5, limit=5)
    async with catalog.transaction() as connection:
        await commit(connection, "readers", reached(first), {})
    assert await stored(catalog, "readers", TOPICS) == reached(first)

    async def late() -> None:
        async with catalog.transaction() as connection:
            await append_events(connection, [event("c-1")], TOPICS)
            await commit(connection, "readers", reached(first), {})

    with pytest.raises(Overtaken):
        await late()
    rest = await _read(catalog, "readers", 5)
    assert [each.envelope["metadata"]["n"] for each in first + rest] == [str(n) for n in range(10)]
    async with catalog.transaction() as connection:
        await reset(connection, "readers", dict.fromkeys(reached(first), 0))
    assert [each.event_id for each in await _read(catalog, "readers", 10)] == [each.event_id for each in first + rest]


async def test_whoever_begins_at_the_end_misses_no_new_partition(catalog: Pool) -> None:
    await append(catalog, event("c-1"))
    reader = Following(catalog, lambda: TOPICS, otherwise="end")
    assert await reader.more() == []
    written = [event(f"c-{n}") for n in range(40)]
    await append(catalog, *written)
    assert {each.event_id for each in await reader.more()} == {each.event_id for each in written}
    assert await reader.more() == []


async def test_what_retention_took_away_is_passed_over(catalog: Pool) -> None:
    await append(catalog, *(event("c-1") for _ in range(3)))
    reader = following(catalog, ["customers"], {})
    await asyncio.sleep(0.01)
    rows = await catalog.rows(b"SELECT clock_timestamp() AS now, max(event_timestamp) AS last FROM dictamesh_event_log")
    await delete_old(catalog, TopicAge("customers", rows[0]["now"]))
    assert await reader.more() == []
    later = event("c-1")
    await append(catalog, later)
    assert [each.event_id for each in await reader.more()] == [later.event_id]
    ((_, first),) = (await at_time(catalog, ["customers"], rows[0]["last"])).items()
    assert first == 3
    assert set((await at_time(catalog, ["customers"], later.timestamp + timedelta(days=1))).values()) == {4}

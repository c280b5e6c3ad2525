# SPDX-License-Identifier: Apache-2.0
"""A broker that is killed while events are under way: nothing is lost, and per key nothing is out of order."""

import asyncio
import random

import orjson
import pytest

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.log import append_events
from tests.support.bus import consumed, customer, event, relay, wanted
from tests.support.services import Broker, unique

pytestmark = pytest.mark.kafka
PARTITIONS = 3


@pytest.mark.timeout(240)
async def test_a_broker_that_is_killed_in_flight_loses_nothing(catalog: Pool, broker: Broker) -> None:
    topic = wanted(customer(unique("customers"), PARTITIONS))
    publishing, heard = await relay(catalog, broker.bootstrap, [topic])
    running = asyncio.create_task(publishing.run())
    versions: dict[str, int] = {}
    ids: dict[str, tuple[str, int]] = {}
    dice = random.Random(23)

    async def write(count: int) -> None:
        for _ in range(count // 20):
            batch = []
            for _ in range(20):
                key = f"c-{dice.randrange(50)}"
                versions[key] = versions.get(key, 0) + 1
                batch.append(event(topic.name, key, version=versions[key]))
                ids[str(batch[-1].event_id)] = (key, versions[key])
            async with catalog.transaction() as connection:
                await append_events(connection, batch, {topic.name: PARTITIONS})
            await asyncio.sleep(0.01)

    try:
        for _ in range(2):
            writing = asyncio.create_task(write(1000))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(broker.kill)
            await writing
            await asyncio.to_thread(broker.start)
        await write(200)
        async with asyncio.timeout(90):
            while len({(row.partition, row.offset) for row in heard.rows}) < len(ids):
                await asyncio.sleep(0.1)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    found = consumed(
        broker.bootstrap, topic.name, PARTITIONS, lambda found: len({_id(each) for each in found}) >= len(ids)
    )
    first: dict[str, None] = {}
    for message in found:
        first.setdefault(_id(message))
    assert set(first) == set(ids)
    order: dict[str, list[int]] = {}
    for event_id in first:
        key, version = ids[event_id]
        order.setdefault(key, []).append(version)
    assert order == {key: list(range(1, last + 1)) for key, last in versions.items()}


def _id(message) -> str:
    return orjson.loads(message.value())["event_id"]

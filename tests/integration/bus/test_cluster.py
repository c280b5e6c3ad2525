# SPDX-License-Identifier: Apache-2.0
"""Three nodes, two of which die while events are under way (EV-18): one is not missed, for two the relay waits."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import orjson
import pytest
from confluent_kafka import Message

from dictamesh.runtime.bus.admin import Admin
from dictamesh.runtime.bus.relay import Relay
from dictamesh.runtime.bus.topics import Wanted, compare, create
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.envelope import Event
from dictamesh.runtime.events.log import append_events
from dictamesh.specs.model.events import Kafka
from tests.support.bus import Heard, consumed, customer, event, relay, wanted
from tests.support.cluster import Cluster, cluster
from tests.support.postgres import fresh_database
from tests.support.running import until
from tests.support.services import unique

__all__ = ["cluster"]
pytestmark = pytest.mark.kafka
PARTITIONS = 6
EVENTS = int(os.environ.get("DICTAMESH_CLUSTER_EVENTS", "500"))
FULL = "DICTAMESH_CLUSTER_EVENTS" in os.environ
PATIENCE = 180.0
_BATCH = 50
_ASKED = "asked"  # a topic by which a test asks what brokers answer


@pytest.fixture
def dsn(embedded_dsn: str) -> Iterator[str]:
    """An empty database; the log is tried on the other server elsewhere."""
    with fresh_database(embedded_dsn) as database:
        yield database


@pytest.mark.timeout(900)
async def test_nodes_that_die_lose_nothing(catalog: Pool, cluster: Cluster) -> None:
    topic = _topic(unique("customers"), least=2)
    declared = Kafka(bootstrap=cluster.bootstrap, replication=3, min_in_sync=2)
    publishing, heard = await relay(catalog, declared, [topic])
    admin = Admin({"bootstrap.servers": cluster.bootstrap})
    await create(admin, [replace(topic, name=_ASKED)])
    found = await compare(admin, {topic.name: topic})
    assert (found.missing, found.drift) == ([], [])
    batches = _Batches(topic.name)
    began = time.monotonic()
    async with _running(publishing):
        part = EVENTS // (4 if FULL else 2)
        await _written(catalog, batches, part, lambda: cluster.kill(1))
        await _caught_up(heard, batches, "one node of three is not missed")
        if FULL:
            await _refused(catalog, cluster, topic, heard, batches, part)
            await _without_two(catalog, cluster, heard, batches, part)
        else:
            await asyncio.to_thread(cluster.start)
        await _written(catalog, batches, EVENTS - len(batches.ids))
        await _caught_up(heard, batches, "all nodes are there again")
    held = consumed(cluster.bootstrap, topic.name, PARTITIONS, lambda all_: batches.whole(_ids(all_)), 120)
    _complete(batches, _ids(held))
    print(
        f"{EVENTS} events, {time.monotonic() - began:.0f} s, {len(held) - len(batches.ids)} delivered again, "
        f"{len(set(heard.reasons))} reasons to wait"
    )


async def _refused(pool: Pool, cluster: Cluster, topic: Wanted, heard: Heard, batches: "_Batches", count: int) -> None:
    """With a node away, three replicas in sync are more than there are: brokers refuse what is sent."""
    admin = Admin({"bootstrap.servers": cluster.bootstrap})
    await admin.configure(topic.name, {"min.insync.replicas": "3"})
    await until(
        lambda: asyncio.to_thread(_refuses, cluster, topic.name), "brokers refuse for want of replicas", PATIENCE
    )
    before = len(_published(heard))
    heard.reasons.clear()
    await _written(pool, batches, count)
    await until(lambda: "broker" in heard.reasons, "the relay tells that it waits", PATIENCE)
    assert len(_published(heard)) == before, "nothing counts as published that is not on all replicas"
    await admin.configure(topic.name, {"min.insync.replicas": "2"})
    await _caught_up(heard, batches, "two replicas are enough again")


async def _without_two(pool: Pool, cluster: Cluster, heard: Heard, batches: "_Batches", count: int) -> None:
    """One node of three is no majority: nothing is acknowledged until another one is back."""
    heard.reasons.clear()
    await _written(pool, batches, count, lambda: cluster.kill(2))
    await until(lambda: "broker" in heard.reasons, "the relay tells that it waits", PATIENCE)
    await _written(pool, batches, _BATCH)
    said = await asyncio.to_thread(cluster.refusals, _ASKED, PARTITIONS)
    assert "none" not in said
    print(f"of three nodes one is left: {', '.join(sorted(said))}")
    assert len(_published(heard)) < len(batches.ids), "what one node has is not published"
    await asyncio.to_thread(cluster.start)
    await _caught_up(heard, batches, "the nodes are back")


def _refuses(cluster: Cluster, topic: str) -> bool:
    return cluster.refusals(topic, PARTITIONS) == {"NOT_ENOUGH_REPLICAS"}


class _Batches:
    """Events of random records whose versions grow, and which were written."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.ids: dict[str, tuple[str, int]] = {}
        self.versions: dict[str, int] = {}
        self._dice = random.Random(29)

    def next(self, count: int) -> list[Event]:
        made = []
        for _ in range(count):
            key = f"c-{self._dice.randrange(200)}"
            self.versions[key] = self.versions.get(key, 0) + 1
            made.append(event(self.topic, key, version=self.versions[key]))
            self.ids[str(made[-1].event_id)] = key, self.versions[key]
        return made

    def whole(self, ids: set[str] | Sequence[str]) -> bool:
        return len(set(ids) & self.ids.keys()) == len(self.ids)


async def _written(pool: Pool, batches: _Batches, count: int, halfway: Callable[[], None] | None = None) -> None:
    for number in range(0, count, _BATCH):
        made = batches.next(min(_BATCH, count - number))
        async with pool.transaction() as connection:
            await append_events(connection, made, {batches.topic: PARTITIONS})
        if halfway is not None and number >= count // 2:
            strike, halfway = halfway, None
            await asyncio.to_thread(strike)


async def _caught_up(heard: Heard, batches: _Batches, what: str) -> None:
    await until(lambda: len(_published(heard)) == len(batches.ids), what, PATIENCE)


def _published(heard: Heard) -> set[tuple[str, int, int]]:
    """Where the events stand in the log that count as published; the topic bears those of the batches alone."""
    return {(row.topic, row.partition, row.offset) for row in heard.rows}


def _ids(messages: Sequence[Message]) -> list[str]:
    return [orjson.loads(message.value())["event_id"] for message in messages]


def _complete(batches: _Batches, ids: list[str]) -> None:
    """Every event once at least; those of a record in their order, repetitions aside."""
    first = dict.fromkeys(ids)
    assert first.keys() == batches.ids.keys()
    order: dict[str, list[int]] = {}
    for each in first:
        key, version = batches.ids[each]
        order.setdefault(key, []).append(version)
    assert order == {key: list(range(1, last + 1)) for key, last in batches.versions.items()}


def _topic(name: str, least: int) -> Wanted:
    made = wanted(customer(name, PARTITIONS))
    return Wanted(name, PARTITIONS, 3, {**made.config, "min.insync.replicas": str(least)}, made.entity)


@asynccontextmanager
async def _running(publishing: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(publishing.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

# SPDX-License-Identifier: Apache-2.0
"""One bad event never stops a group; two replicas share the groups; freshness of caches (EV-10, EV-11, EV-12)."""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest

from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.consumers.consuming import Connection, Consumers, Settings, Within
from dictamesh.runtime.events.log import LoggedEvent
from dictamesh.runtime.events.positions import heads, reset, stored
from tests.integration.catalog.conftest import catalog, pool
from tests.integration.events.test_log import append, event
from tests.support.running import until
from tests.support.subscribing import Heard

__all__ = ["catalog", "pool"]


@dataclass
class Picky:
    """A consumer that cannot bear some records."""

    bad: frozenset[str] = frozenset()
    group: str = "picky"
    limit: int = 500
    from_end: bool = False
    whole: bool = True
    seen: list[str] = field(default_factory=list)
    tries: int = 0
    away: int = 0

    def topics(self) -> Collection[str]:
        return ["customers"]

    async def handle(self, events: Sequence[LoggedEvent]) -> Within:
        if self.away:
            self.away -= 1
            raise CatalogUnavailable("away", "wait")
        if any(each.entity_id in self.bad for each in events):
            self.tries += len(events) == 1
            raise ValueError("a value that nobody may see")

        async def within(_connection: Connection) -> None:
            self.seen += [each.envelope["metadata"]["n"] for each in events]

        return within


def consumers(catalog: Pool, consumer: Picky, buried: list[LoggedEvent]) -> Consumers:
    async def dead(_connection: Connection, _group: str, event: LoggedEvent, attempts: int) -> None:
        assert attempts == 3
        buried.append(event)

    return Consumers(catalog, lambda: {"picky": consumer}, lambda: Settings(2, 0.2), dead)


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _done(catalog: Pool, group: str = "picky") -> bool:
    return await stored(catalog, group, ["customers"]) == await heads(catalog, ["customers"])


async def test_a_bad_event_is_buried_and_the_others_are_handled(catalog: Pool, caplog) -> None:
    await append(catalog, *(event(f"c-{n % 7}", metadata={"n": str(n)}) for n in range(50)))
    await append(catalog, event("poison", metadata={"n": "poison"}))
    await append(catalog, *(event(f"c-{n % 7}", metadata={"n": str(n)}) for n in range(50, 100)))
    consumer, buried = Picky(frozenset({"poison"}), away=2), []
    running = asyncio.create_task(consumers(catalog, consumer, buried).run())
    await until(lambda: _done(catalog), "all is read")
    await _stopped(running)
    assert sorted(consumer.seen, key=int) == [str(n) for n in range(100)]
    assert [each.entity_id for each in buried] == ["poison"]
    assert consumer.tries == 3
    assert "nobody may see" not in caplog.text


async def test_two_replicas_never_handle_an_event_twice(catalog: Pool) -> None:
    one, other = Picky(), Picky()
    first = asyncio.create_task(consumers(catalog, one, []).run())
    await append(catalog, event("c-0", metadata={"n": "first"}))
    await until(lambda: _done(catalog), "the first one has its turn")
    second = asyncio.create_task(consumers(catalog, other, []).run())
    await append(catalog, *(event(f"c-{n % 5}", metadata={"n": str(n)}) for n in range(20)))
    await until(lambda: _done(catalog), "all is read")
    assert (len(one.seen), other.seen) == (21, [])
    await _stopped(first)
    await append(catalog, *(event(f"c-{n % 5}", metadata={"n": str(n)}) for n in range(20, 40)))
    await until(lambda: _done(catalog), "the other one took over")
    assert (len(one.seen), len(other.seen)) == (21, 20)
    await _stopped(second)


async def test_a_group_that_runs_goes_back_where_it_is_set_back(catalog: Pool) -> None:
    """Idle or at work: what `events replay --group` stores is not overwritten by the owner's next step."""
    written = [str(n) for n in range(10)]
    await append(catalog, *(event("c-1", metadata={"n": n}) for n in written))
    consumer = Slow()
    running = asyncio.create_task(consumers(catalog, consumer, []).run())
    try:
        await until(lambda: _done(catalog), "all is read")
        assert consumer.seen == written
        await _set_back(catalog)  # while it is idle
        await until(lambda: consumer.seen == written * 2, "it has read all again")
        consumer.free.clear()
        await append(catalog, event("c-1", metadata={"n": "10"}))
        await until(lambda: consumer.waits, "it is at work")
        await _set_back(catalog)
        consumer.free.set()
        await until(lambda: len(consumer.seen) >= 31, "it has read all again")
        assert consumer.seen[20:] in ([*written, "10"], ["10", *written, "10"])
        await until(lambda: _done(catalog), "it stands at the end")
    finally:
        await _stopped(running)


async def _set_back(catalog: Pool) -> None:
    async with catalog.transaction() as connection:
        await reset(connection, "picky", dict.fromkeys(await heads(catalog, ["customers"]), 0))


@dataclass
class Slow(Picky):
    """A consumer that can be held at its work."""

    free: asyncio.Event = field(default_factory=asyncio.Event)
    waits: bool = False

    def __post_init__(self) -> None:
        self.free.set()

    async def handle(self, events: Sequence[LoggedEvent]) -> Within:
        self.waits = not self.free.is_set()
        await self.free.wait()
        return await super().handle(events)


async def test_a_change_is_in_answers_at_once(people: Heard) -> None:
    assert (await people.ask('{ person(id: "1") { name } }'))["data"]["person"]["name"] == "Ann"
    people.sql("UPDATE people SET name = 'Amy' WHERE id = '1'")
    assert (await people.ask('{ person(id: "1") { name } }'))["data"]["person"]["name"] == "Ann"  # for an hour
    began = time.monotonic()
    await people.change("1")

    async def fresh() -> bool:
        return (await people.ask('{ person(id: "1") { name } }'))["data"]["person"]["name"] == "Amy"

    await until(fresh, "the cached row is gone")
    print(f"\na cached row was gone {(time.monotonic() - began) * 1000:.0f} ms after its event")


async def test_a_changed_row_stands_in_for_a_source_that_is_down_and_a_deleted_one_does_not(people: Heard) -> None:
    """A change ends the time to live of a cached row; as last known good it stays, marked (S25, AR-5)."""
    asked = '{ person(id: "1") { name } }'
    assert "errors" not in await people.ask(asked)
    ended = await _ended(people)
    await people.change("1")
    with people.locked():

        async def marked() -> bool:
            answer = await people.ask(asked)
            assert answer["data"] == {"person": {"name": "Ann"}}
            return answer.get("extensions") == {"degraded": ["people"]}

        await until(marked, "the cached row stands in, and the answer says so")
        assert await _ended(people) == ended + 1
        await people.change("1", "DELETED")

        async def unknown() -> bool:
            return "errors" in await people.ask(asked)

        await until(unknown, "what is deleted does not stand in")
        assert await _ended(people) == ended + 2


async def _ended(people: Heard) -> float:
    lines = (await people.metrics()).splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("dictamesh_cache_invalidations_total"))


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


async def test_what_is_held_for_subscribers_is_no_more_than_they_are_told(people: Heard) -> None:
    """Ten thousand payloads of any size would be held otherwise."""
    hub = people.mesh.consuming.hub
    entity = people.mesh.world.plan.entities["people#Person"]
    async with hub.stream(entity, None, None) as stream:
        written = [people.event("1", payload={"name": "x" * 100_000}) for _ in range(20)]
        await people.write(*written)
        told: list[str] = []
        while len(told) < 20:
            told += [each.id for each in await stream.more(100, 20)]
        assert told == [str(each.event_id) for each in written]
        held = [each for tail in hub._tails.values() for each in tail.events]
        assert len(held) == 20
        assert "xxx" not in str(held)

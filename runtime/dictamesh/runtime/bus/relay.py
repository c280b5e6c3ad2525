# SPDX-License-Identifier: Apache-2.0
"""Publishes the event log to Kafka: in order per partition, at least once, by one replica at a time (MC-5, EV-13).

A page is encoded while the brokers take its beginning and the database gives the one after it. A position moves once
the brokers have all before it.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.bus.client import Failure, Sender
from dictamesh.runtime.bus.messages import Outgoing, Rejected, Told, written
from dictamesh.runtime.bus.offsets import Found, Overtaken, Place, advance, find, reading, standing
from dictamesh.runtime.bus.refusals import BusUnavailable, fault_named
from dictamesh.runtime.bus.tls import Fault
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.lease import leased
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.specs.collecting import uncollected

_LOG = logging.getLogger("dictamesh.bus")
_PAGE = 5000
_PART = 250  # of a page that is handed over at once: little lives at a time, and the brokers begin early
_LEAST = 50  # of one partition in a page
_IDLE = 0.5
_WAIT = 1.0
_PATIENCE = 3.0  # seconds of waiting for the brokers that are told of
_AGAIN = (0.2, 10.0)  # seconds: the first pause, the longest
_AFTER_FAILURE = 1.0

Reject = Callable[[psycopg.AsyncConnection[TupleRow], Sequence[Rejected]], Awaitable[None]]
"""Writes events that cannot be sent to the dead letters, within the caller's transaction."""


class Hears(Protocol):
    """Who hears what the relay does."""

    def published(self, rows: Sequence[Told]) -> None:
        """The brokers have these events."""

    def rejected(self, topic: str, count: int) -> None:
        """Events of a topic did not fit."""

    def failed(self, topic: str, code: str, count: int) -> None:
        """The brokers refused messages of a topic."""

    def lag(self, events: Mapping[str, int]) -> None:
        """How many events of each topic are to be published."""

    def waiting(self, reason: str | None, fault: Fault | None = None) -> None:
        """What the relay waits for, None where nothing keeps it; `fault` says what somebody has to mend."""


@dataclass(slots=True)
class _Page:
    """Events under way: where each partition stood before, and will stand after them."""

    rows: list[Told]
    rejected: list[Rejected]
    before: dict[Place, int]
    after: dict[Place, int]

    def without(self, places: set[Place]) -> "_Page":
        """The same without some partitions."""
        return _Page(
            [row for row in self.rows if (row.topic, row.partition) not in places],
            [each for each in self.rejected if (each.row.topic, each.row.partition) not in places],
            {place: at for place, at in self.before.items() if place not in places},
            {place: at for place, at in self.after.items() if place not in places},
        )


@dataclass(slots=True)
class Relay:
    """The relay of one mesh; `ways` gives the topics that can be published now."""

    pool: Pool
    mesh: str
    settings: Mapping[str, Any] = field(repr=False)
    ways: Callable[[], dict[str, Outgoing]]
    reject: Reject
    told: Hears
    every: float = 2.0
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    _positions: dict[Place, int] = field(default_factory=dict, init=False)
    _coming: asyncio.Task["_Found | None"] | None = field(default=None, init=False)  # the page after the next
    _careful: set[Place] = field(default_factory=set, init=False)  # one event at a time, to find the poison

    async def run(self) -> None:
        """Publish until cancelled, whenever this replica holds the lease."""
        pause = _AGAIN[0]
        while True:
            try:
                async with leased(self.pool, f"relay of {self.mesh}") as mine:
                    if mine:
                        pause = _AGAIN[0]
                        await self._own()
            except CatalogUnavailable as error:
                _LOG.warning("the relay cannot use the catalog", extra={"reason": str(error)})
            except Overtaken:
                _LOG.info("positions of the relay were set; it goes on from there")
                continue
            except BusUnavailable as error:
                self.told.waiting("refused" if error.refused else "broker", error.fault)
                _LOG.warning("the producer is of no use and is made anew", extra={"code": error.code})
                await asyncio.sleep(pause)
                pause = min(pause * 2, _AGAIN[1])
            except Exception as error:  # noqa: BLE001 - whatever it was, the log is whole and the next try may succeed
                _LOG.error("the relay failed and begins anew", exc_info=error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _AGAIN[1])
            await asyncio.sleep(self.every)

    async def publish_all(self) -> int:
        """Publish what there is now, and return how many events that were; for one that holds the lease."""
        return await self._own(once=True)

    async def _own(self, *, once: bool = False) -> int:
        sender = Sender(self.settings)
        try:
            return await self.publish(sender, once=once)
        finally:
            await asyncio.to_thread(sender.close)

    async def publish(self, sender: Sender, *, once: bool) -> int:
        """Publish by a producer, with `once` what there is now; return how many events that were.

        Raises `CatalogUnavailable`, Overtaken, and `BusUnavailable` for a producer of no use.
        """
        async with _connected(self.pool) as ask:
            self._positions.clear()
            try:
                return await self._pages(ask, sender, once=once)
            finally:
                coming, self._coming = self._coming, None
                if coming is not None:
                    coming.cancel()
                    await asyncio.gather(coming, return_exceptions=True)

    async def _pages(self, ask: "_Ask", sender: Sender, *, once: bool) -> int:
        under_way: _Page | None = None
        count = 0
        while True:
            self.woken.clear()
            found = await self._next(ask)
            before, under_way = under_way, None
            if before is not None and await self._settle(sender, before):
                await self._anew()
                await asyncio.sleep(_AFTER_FAILURE)
            elif found is not None:
                under_way = await asyncio.to_thread(_handed, sender, found)
                count += len(under_way.rows)
            elif before is None:
                if once:
                    return count
                await self._anew()  # whoever sets positions is heard
                sender.hear()
                await self._rest()

    async def _anew(self) -> None:
        """Forget what was read, and where it ended."""
        coming, self._coming = self._coming, None
        if coming is not None:
            await coming
        self._positions.clear()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(_IDLE):
                await self.woken.wait()
        except TimeoutError:
            pass

    async def _next(self, ask: "_Ask") -> "_Found | None":
        """The next page, None where all is published or under way; the one after it is asked for."""
        coming, self._coming = self._coming, None
        found = await (coming if coming is not None else self._found(ask))
        if found is not None:
            self._coming = asyncio.ensure_future(self._found(ask))
        return found

    async def _found(self, ask: "_Ask") -> "_Found | None":
        """Events behind those found before; None where there are none."""
        ways = self.ways()
        heads = await standing(self.pool, self.mesh, ways)
        for place, (at, _) in heads.items():
            self._positions.setdefault(place, at)
        lag = dict.fromkeys(ways, 0)
        for (topic, _), (at, head) in heads.items():
            lag[topic] += max(head - at, 0)
        self.told.lag(lag)
        behind = {place: self._positions[place] for place, (_, head) in heads.items() if self._positions[place] < head}
        if not behind:
            return None
        share = max(_PAGE // len(behind), _LEAST)
        limits = {place: 1 if place in self._careful else share for place in behind}
        found = await ask(behind, limits, {topic: way.ready for topic, way in ways.items()})
        # nothing there: retention took away what lay between
        after = {place: heads[place][1] for place in behind} | found.ends()
        self._positions.update(after)
        return _Found(ways, found, behind, after)

    async def _settle(self, sender: Sender, done: _Page) -> bool:
        """Wait until the brokers have a page, and move on; True where some of it failed and is to be sent again."""
        began = time.monotonic()
        while not await asyncio.to_thread(sender.wait, _WAIT):
            if sender.fatal is not None:
                raise BusUnavailable(sender.fatal, await asyncio.to_thread(sender.fault))
            if time.monotonic() - began > _PATIENCE:
                fault = await asyncio.to_thread(sender.fault)
                self.told.waiting("broker" if fault is None else "refused", fault)
        failures, sender.failures = sender.failures, []
        lost = self._lost(done, failures)
        kept = done.without(lost) if lost else done
        if kept.after:
            async with self.pool.transaction() as connection:
                if kept.rejected:
                    await self.reject(connection, kept.rejected)
                await advance(connection, self.mesh, kept.before, kept.after)
        self._careful -= set(kept.after)
        fault = next(filter(None, (fault_named(each.code) for each in failures)), None)
        self.told.waiting(None if not lost else "topic" if fault is None else "refused", fault)
        self._tell(kept)
        return bool(lost)

    def _lost(self, done: _Page, failures: Sequence[Failure]) -> set[Place]:
        """The partitions that are to be sent again; an event that alone is refused for good joins the rejected."""
        lost: set[Place] = set()
        for (topic, code), count in Counter((each.topic, each.code) for each in failures).items():
            self.told.failed(topic, code, count)
        for each in failures:
            place = (each.topic, each.partition)
            if each.poison:
                rows = [row for row in done.rows if (row.topic, row.partition) == place]
                if len(rows) == 1:
                    done.rejected.append(Rejected(rows[0], "MESSAGE_REFUSED", f"the brokers refuse it ({each.code})"))
                    continue
                self._careful.add(place)
            lost.add(place)
        return lost

    def _tell(self, kept: _Page) -> None:
        refused = {(each.row.topic, each.row.partition, each.row.offset) for each in kept.rejected}
        rows = kept.rows
        if refused:
            rows = [row for row in rows if (row.topic, row.partition, row.offset) not in refused]
            for each in kept.rejected:
                self.told.rejected(each.row.topic, 1)
        self.told.published(rows)


_Ask = Callable[[dict[Place, int], dict[Place, int], dict[str, bytes | None]], Awaitable[Found]]


@dataclass(frozen=True, slots=True)
class _Found:
    """Events that are to be encoded."""

    ways: dict[str, Outgoing]
    events: Found
    before: dict[Place, int]
    after: dict[Place, int]


def _handed(sender: Sender, found: _Found) -> _Page:
    """Hand events to the producer; what they were made of is gone before garbage is looked for again."""
    told: list[Told] = []
    rejected: list[Rejected] = []
    with uncollected():
        for rows in found.events.parts(_PART):
            messages, misfits = written(found.ways, rows)
            sender.send(messages)
            rejected += misfits
            told += [row.told() for row in rows]
    return _Page(told, rejected, found.before, found.after)


@contextlib.asynccontextmanager
async def _connected(pool: Pool) -> AsyncIterator[_Ask]:
    """A connection on a thread of its own, which closes it, too, once what it does is done."""
    loop = asyncio.get_running_loop()
    own = ThreadPoolExecutor(1, "dictamesh-relay")
    opened = reading(pool)
    try:
        connection = await loop.run_in_executor(own, opened.__enter__)
        try:
            yield lambda *wanted: loop.run_in_executor(own, find, connection, *wanted)
        finally:
            await loop.run_in_executor(own, opened.__exit__, None, None, None)
    finally:
        own.shutdown(wait=False)

# SPDX-License-Identifier: Apache-2.0
"""Groups that read the log: one replica runs each, and one bad event never stops it (EV-10, EV-12)."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.lease import Leases, leases
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.consumers.hub import traceparent_of
from dictamesh.runtime.events.log import LoggedEvent, read_events
from dictamesh.runtime.events.positions import Overtaken, Place, commit, heads, reached, reset, stored
from dictamesh.runtime.events.reading import Ear, following, watch
from dictamesh.runtime.observe import trace
from dictamesh.runtime.observe.faults import exception_fields

_LOG = logging.getLogger("dictamesh.events")

Connection = psycopg.AsyncConnection[TupleRow]
Within = Callable[[Connection], Awaitable[None]]
"""What is left to do of some events within the transaction that moves the group on."""
Handled = Literal["handled", "dead"]

_PAUSE = 1.0
_FIRST_RETRY = 0.1
_BEGUN: Place = ("", 0)
"""A group that has this position has begun; it stands for no partition."""
# SQLSTATE classes of a server that is busy, gone or in the way of others: nothing is wrong with the event
_PASSING = frozenset({"08", "25", "40", "53", "55", "57", "58"})


class Consumer(Protocol):
    """A group and what it does with events."""

    @property
    def group(self) -> str:
        """The name under which it stands somewhere."""

    @property
    def limit(self) -> int:
        """Events of a partition at a time."""

    @property
    def from_end(self) -> bool:
        """Whether it begins with what comes."""

    @property
    def whole(self) -> bool:
        """Whether it needs the envelopes of events that tell of no relation."""

    def topics(self) -> Collection[str]:
        """Return what the group reads now."""

    async def handle(self, events: Sequence[LoggedEvent]) -> Within:
        """Do what need not be in a transaction, and return the rest; whatever it raises is tried again."""


class DeadLettered(Protocol):
    """Keeps an event that could not be handled, within the transaction that moves the group on."""

    async def __call__(self, connection: Connection, group: str, event: LoggedEvent, attempts: int) -> None:
        """Keep it; raises what psycopg raises."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`retries` of an event before it is a dead letter; `every`: seconds between attempts to take over groups."""

    retries: int
    every: float


def uncounted(_group: str, _outcome: Handled, _count: int) -> None:
    """Count nothing."""


@dataclass(slots=True)
class Consumers:
    """All groups of a mesh in one replica, which runs those whose lease it holds.

    `wanted` gives the groups of the plan that is served, by the names of their leases. `lagging` hears how many events
    a group has not read yet.
    """

    pool: Pool
    wanted: Callable[[], Mapping[str, Consumer]]
    settings: Callable[[], Settings]
    dead: DeadLettered
    ear: Ear | None = None
    counted: Callable[[str, Handled, int], None] = uncounted
    lagging: Callable[[str, int], None] = lambda _group, _count: None
    _tasks: dict[str, tuple[Consumer, asyncio.Task[None]]] = field(default_factory=dict)
    _stands: dict[str, dict[Place, int]] = field(default_factory=dict)

    async def run(self) -> None:
        """Take over what nobody runs, until cancelled; what runs ends with the connection that holds its lease."""
        while True:
            try:
                async with leases(self.pool) as held:
                    await self._own(held)
            except CatalogUnavailable as error:
                _LOG.warning("consumers cannot hold their leases for now", extra={"reason": str(error)})
            finally:
                await self._stop(list(self._tasks))
            await asyncio.sleep(_PAUSE)

    async def _own(self, held: Leases) -> None:
        mine: set[str] = set()
        while True:
            wanted = self.wanted()
            mine.update(await held.take([name for name in wanted if name not in mine]))
            for name in list(self._tasks):
                consumer, task = self._tasks[name]
                if wanted.get(name) is not consumer or task.done():
                    await self._stop([name])
            for name, consumer in wanted.items():
                if name in mine and name not in self._tasks:
                    self._tasks[name] = consumer, asyncio.create_task(self._consume(consumer))
            for name in list(self._tasks):
                if await self._measure(wanted[name]):
                    await self._stop([name])  # it begins anew at once, from where it was set to
            if any(name in mine and name not in self._tasks for name in wanted):
                continue
            await asyncio.sleep(self.settings().every)

    async def _stop(self, names: Sequence[str]) -> None:
        ended = [self._tasks.pop(name) for name in names]
        for _, task in ended:
            task.cancel()
        for done in await asyncio.gather(*(task for _, task in ended), return_exceptions=True):
            if isinstance(done, Exception):
                _LOG.error("a consumer failed", exc_info=done)
        for consumer, _ in ended:
            self._stands.pop(consumer.group, None)

    async def _measure(self, consumer: Consumer) -> bool:
        """Tell how far a group is behind, and return whether somebody has set it back under its owner's hands."""
        topics, believed = consumer.topics(), dict(self._stands.get(consumer.group, {}))
        stands, ends = await stored(self.pool, consumer.group, topics), await heads(self.pool, topics)
        self.lagging(consumer.group, sum(end - stands.get(place, 0) for place, end in ends.items()))
        return any(stands.get(place, at) < at for place, at in believed.items())

    async def _consume(self, consumer: Consumer) -> None:
        while True:
            try:
                await self._begin(consumer)
                reading = following(self.pool, consumer.topics, consumer.group, consumer.limit, whole=consumer.whole)
                self._stands[consumer.group] = reading.stands
                async with contextlib.aclosing(watch(reading, self.ear)) as lists:
                    async for events in lists:
                        await self.take(consumer, events)
            except CatalogUnavailable as error:
                _LOG.warning("a consumer cannot use the catalog for now", extra={"reason": str(error)})
            except Overtaken:
                _LOG.warning(
                    "a consumer was overtaken by another replica, or set back", extra={"group": consumer.group}
                )
            except Exception as error:  # noqa: BLE001 - the group has to go on where it stands
                _LOG.error("a consumer failed", exc_info=error)
            await asyncio.sleep(_PAUSE)

    async def _begin(self, consumer: Consumer) -> None:
        """Let a group that is new begin with what comes, where it wants that."""
        if not consumer.from_end or await stored(self.pool, consumer.group, [_BEGUN[0]]):
            return
        now = await heads(self.pool, consumer.topics())
        async with self.pool.transaction() as connection:
            await reset(connection, consumer.group, {**now, _BEGUN: 0})

    async def take(self, consumer: Consumer, events: Sequence[LoggedEvent]) -> None:
        """Handle some events and move the group behind them; raises `Overtaken`, `CatalogUnavailable`."""
        try:
            await self._handle(consumer, events)
        except Exception as error:
            if _passes(error):
                raise
        else:
            self.counted(consumer.group, "handled", len(events))
            return
        for event in events:
            await self._alone(consumer, event if consumer.whole else await self._whole(event))

    async def _whole(self, event: LoggedEvent) -> LoggedEvent:
        """The event with its envelope, which is told of and kept where it cannot be handled."""
        found = await read_events(self.pool, event.topic, event.partition, event.offset, 1)
        return found[0] if found and found[0].offset == event.offset else event

    async def _handle(self, consumer: Consumer, events: Sequence[LoggedEvent]) -> None:
        within = await consumer.handle(events)
        async with self.pool.transaction() as connection:
            await within(connection)
            await self._commit(connection, consumer, events)
        self._moved(consumer, events)

    async def _commit(self, connection: Connection, consumer: Consumer, events: Sequence[LoggedEvent]) -> None:
        await commit(connection, consumer.group, reached(events), self._stands.get(consumer.group, {}))

    def _moved(self, consumer: Consumer, events: Sequence[LoggedEvent]) -> None:
        self._stands.setdefault(consumer.group, {}).update(reached(events))

    async def _alone(self, consumer: Consumer, event: LoggedEvent) -> None:
        tries = 1 + self.settings().retries
        with trace.within(trace.begin(traceparent_of(event.envelope))):
            for attempt in range(tries):
                if attempt:
                    await asyncio.sleep(_FIRST_RETRY * 2 ** min(attempt - 1, 6))
                try:
                    await self._handle(consumer, [event])
                except Exception as error:
                    if _passes(error):
                        raise
                    what = {"event_id": str(event.event_id), "attempt": attempt + 1}
                    _LOG.warning("an event could not be handled", extra={**what, **exception_fields(error)})
                else:
                    self.counted(consumer.group, "handled", 1)
                    return
            async with self.pool.transaction() as connection:
                await self.dead(connection, consumer.group, event, tries)
                await self._commit(connection, consumer, [event])
            self._moved(consumer, [event])
            self.counted(consumer.group, "dead", 1)


def _passes(error: Exception) -> bool:
    """Whether an error says nothing of the event."""
    if isinstance(error, Overtaken):
        return True
    return isinstance(error, CatalogUnavailable) and (error.sqlstate is None or error.sqlstate[:2] in _PASSING)

# SPDX-License-Identifier: Apache-2.0
"""One reader of the log for a whole process: it empties caches first, and then tells subscribers.

Subscribers read from what it holds of the latest events, or, where they are further behind, from the log itself, never
beyond where it stands: what they then ask a source for is not older than the change.
"""

import asyncio
import contextlib
import logging
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.consumers.cursor import Cursors
from dictamesh.runtime.events.log import LoggedEvent, bounds, read_events
from dictamesh.runtime.events.partitioning import partition_of
from dictamesh.runtime.events.positions import Place
from dictamesh.runtime.events.reading import Ear, Following, Mention, awaited
from dictamesh.runtime.gateway.contract import Change, NotNow
from dictamesh.runtime.gateway.subscriptions.contract import BadCursor, ChangeStream
from dictamesh.runtime.observe.trace import TraceContext

_LOG = logging.getLogger("dictamesh.events")

HELD = 10_000
"""Latest events that are held for subscribers, of all topics that have any; who needs more reads the log."""
_PAUSE = 1.0


@dataclass(slots=True)
class _Tail:
    """The latest events of a partition, without a gap from `first` up to where the hub stands."""

    first: int
    events: deque[LoggedEvent] = field(default_factory=deque)

    def drop(self) -> None:
        """Hold the oldest one no longer."""
        if self.events:
            self.first = self.events.popleft().offset + 1

    def since(self, offset: int, limit: int) -> list[LoggedEvent]:
        at = bisect_left(self.events, offset, key=lambda event: event.offset)
        return [self.events[place] for place in range(at, min(at + limit, len(self.events)))]


class Hub:
    """Follows topics from now on; `forget` drops from the caches of the process what events are about.

    `topics` and `cursors` are asked anew as plans change. Run `run` for as long as the process serves.
    """

    def __init__(
        self,
        pool: Pool,
        topics: Callable[[], Collection[str]],
        forget: Callable[[Sequence[LoggedEvent | Mention]], None],
        cursors: Callable[[], Cursors],
        ear: Ear | None = None,
    ) -> None:
        self.pool = pool
        self._following = Following(pool, topics, otherwise="end")
        self._forget = forget
        self._cursors = cursors
        self._ear = ear
        self._tails: dict[Place, _Tail] = {}
        self._held: deque[_Tail] = deque()
        self._heard: Counter[str] = Counter()  # subscribers by topic
        self._waiting: set[asyncio.Event] = set()

    async def begin(self) -> None:
        """See where the log ends; nothing may be cached before. Raises `CatalogUnavailable`."""
        self._take(await self._more())

    async def run(self) -> None:
        """Follow until cancelled, however often the catalog cannot be reached."""
        while True:
            try:
                async for events in awaited(self._more, self._ear):
                    self._take(events)
            except CatalogUnavailable as error:
                _LOG.warning("the event log cannot be read for now", extra={"reason": str(error)})
            except Exception as error:  # noqa: BLE001 - caches and subscribers must not stay behind for good
                _LOG.error("following the event log failed", exc_info=error)
            await asyncio.sleep(_PAUSE)

    async def _more(self) -> list[LoggedEvent | Mention]:
        return [*(await self._following.more() if self._heard else await self._following.mentions())]

    def _take(self, events: Sequence[LoggedEvent | Mention]) -> None:
        """Without waiting in between, so that nobody sees a position whose caches are not emptied."""
        try:
            self._forget(events)
        finally:
            for event in events:
                # who came while it was read reads the log
                if isinstance(event, LoggedEvent) and self._heard.get(event.topic):
                    self._hold(event)
            for woken in self._waiting:
                woken.set()

    def _hold(self, event: LoggedEvent) -> None:
        place = (event.topic, event.partition)
        tail = self._tails.get(place)
        if tail is None:
            tail = self._tails[place] = _Tail(event.offset)
        tail.events.append(_brief(event))
        self._held.append(tail)
        if len(self._held) > HELD:
            self._held.popleft().drop()

    def _release(self, topic: str) -> None:
        """Hold nothing of a topic that nobody listens to; a gap would hide what comes meanwhile."""
        self._heard[topic] -= 1
        if not self._heard[topic]:
            del self._heard[topic]
            for place in [place for place in self._tails if place[0] == topic]:
                self._tails.pop(place).events.clear()

    def place(self, topic: str) -> Iterator[Place]:
        """Yield the partitions of a topic that were written to."""
        return (place for place in list(self._following.positions) if place[0] == topic)

    def end(self, place: Place) -> int:
        """Return up to where caches are current."""
        return self._following.positions.get(place, 0)

    async def since(self, place: Place, offset: int, limit: int) -> tuple[list[LoggedEvent], int]:
        """Return the events of a partition from `offset` on, and where the next ones begin."""
        end = self.end(place)
        if offset >= end:
            return [], offset
        tail = self._tails.get(place)
        if tail is not None and tail.first <= offset:
            events = tail.since(offset, limit)
        else:
            events = [each for each in await read_events(self.pool, *place, offset, limit) if each.offset < end]
        return events, events[-1].offset + 1 if events else end

    @contextlib.asynccontextmanager
    async def stream(self, entity: EntityPlan, record: str | None, after: str | None) -> AsyncIterator[ChangeStream]:
        """Give the changes of an entity to one subscriber (`ChangeLog`); raises BadCursor, NotNow."""
        topic, cursors = entity.topic.name, self._cursors()
        try:
            held = await bounds(self.pool, topic)
        except CatalogUnavailable:
            raise NotNow("SOURCE_UNAVAILABLE") from None
        offsets, lost = {partition: each.end for partition, each in held.items()}, False
        if after is not None:
            offsets = cursors.open(topic, after)
            if any(partition not in held and offset for partition, offset in offsets.items()):
                raise BadCursor  # of a log that was there before this one
            if any(offsets.get(partition, 0) > each.end for partition, each in held.items()):
                raise BadCursor
            lost = any(offsets.get(partition, 0) < each.beginning for partition, each in held.items())
        woken = asyncio.Event()
        self._waiting.add(woken)
        self._heard[topic] += 1
        try:
            yield _Stream(self, entity, record, offsets, cursors, woken, lost and entity.topic.cleanup == "delete")
        finally:
            self._waiting.discard(woken)
            self._release(topic)


class _Stream:
    def __init__(
        self,
        hub: Hub,
        entity: EntityPlan,
        record: str | None,
        offsets: dict[int, int],
        cursors: Cursors,
        woken: asyncio.Event,
        lost: bool,
    ) -> None:
        self.lost = lost
        self._hub = hub
        self._entity = entity
        self._record = record
        self._offsets = offsets
        self._cursors = cursors
        self._woken = woken
        self._turn = 0
        topic = entity.topic
        self._only = None if record is None else partition_of(record, topic.partitions)

    async def more(self, limit: int, seconds: float) -> Sequence[Change]:
        """Wait for changes (`ChangeStream`)."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            self._woken.clear()
            try:
                changes = await self._there(limit)
                if changes:
                    return changes
            except CatalogUnavailable as error:
                _LOG.warning("the event log cannot be read for now", extra={"reason": str(error)})
                await asyncio.sleep(_PAUSE)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._woken.wait()
            if asyncio.get_running_loop().time() >= deadline:
                return []

    async def _there(self, limit: int) -> list[Change]:
        places = sorted(each for each in self._hub.place(self._entity.topic.name) if self._only in {None, each[1]})
        self._turn += 1  # no partition waits for a busy one
        found: list[Change] = []
        for at in range(len(places)):
            place = places[(at + self._turn) % len(places)]
            offset = self._offsets.get(place[1], 0)
            while len(found) < limit and offset < self._hub.end(place):
                events, offset = await self._hub.since(place, offset, limit - len(found))
                found += self._changes(place[1], events)
                self._offsets[place[1]] = offset
        return found

    def _changes(self, partition: int, events: Sequence[LoggedEvent]) -> Iterator[Change]:
        for event in events:
            self._offsets[partition] = event.offset + 1
            if event.entity_type != self._entity.name or self._record not in {None, event.entity_id}:
                continue
            topic = self._entity.topic
            partitions = max(topic.partitions, *(each + 1 for each in self._offsets))
            cursor = self._cursors.seal(topic.name, partitions, self._offsets)
            yield change_of(event, cursor)


def _brief(event: LoggedEvent) -> LoggedEvent:
    """An event with no more than subscribers are told of it: a payload may be as large as its source likes."""
    version = event.envelope["entity"]["version"]
    envelope = {"entity": {"version": version}, "trace_context": event.envelope.get("trace_context")}
    return event._replace(envelope=envelope)


def change_of(event: LoggedEvent, cursor: str) -> Change:
    """Return an event as subscribers are told of it, before any policy."""
    envelope = event.envelope
    return Change(
        id=str(event.event_id),
        type=event.event_type,
        record=event.entity_id,
        changed_fields=tuple(event.changed_fields),
        version=str(envelope["entity"]["version"]),
        at=event.timestamp,
        cursor=cursor,
        traceparent=traceparent_of(envelope),
    )


def traceparent_of(envelope: Mapping[str, object]) -> str | None:
    """Return the place in a trace that an event was made at (OB-2)."""
    found = envelope.get("trace_context")
    if not isinstance(found, Mapping) or not found.get("trace_id") or not found.get("span_id"):
        return None
    return TraceContext(str(found["trace_id"]), str(found["span_id"])).traceparent()

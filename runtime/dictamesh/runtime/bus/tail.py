# SPDX-License-Identifier: Apache-2.0
"""Reading a topic to be shown: from Kafka or from the log, as JSON values with topic, partition and offset."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dictamesh.runtime.bus.client import Reader, Received
from dictamesh.runtime.bus.codec import Misfit
from dictamesh.runtime.bus.decoding import Envelopes
from dictamesh.runtime.bus.registry import SchemaRegistry
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.log import bounds
from dictamesh.runtime.events.positions import at_time
from dictamesh.runtime.events.reading import following, watch

Shown = dict[str, Any]
_AT_ONCE = 500
_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where reading begins: an offset of every partition, a time, or, with neither, the beginning."""

    offset: int | None = None
    time: datetime | None = None


async def from_log(pool: Pool, topic: str, begin: Beginning, *, follow: bool) -> AsyncIterator[Shown]:
    """Yield the events of a topic in the log; without `follow` those that are there. Raises `CatalogUnavailable`."""
    held = await bounds(pool, topic)
    start = {(topic, number): max(each.beginning, begin.offset or 0) for number, each in held.items()}
    if begin.time is not None:
        start = await at_time(pool, [topic], begin.time)
    reading = following(pool, [topic], start, _AT_ONCE)
    if follow:
        async for events in watch(reading):
            for each in sorted(events, key=lambda event: event.ingested_at):
                yield shown(topic, each.partition, each.offset, each.envelope)
    ends = {number: each.end for number, each in held.items()}
    while events := [each for each in await reading.more() if each.offset < ends.get(each.partition, 0)]:
        for each in sorted(events, key=lambda event: event.ingested_at):
            yield shown(topic, each.partition, each.offset, each.envelope)


@dataclass(slots=True)
class KafkaTail:
    """Reads a topic of Kafka; schemas are those that its messages name."""

    settings: Mapping[str, Any] = field(repr=False)
    topic: Wanted
    registry: SchemaRegistry | None
    _envelopes: Envelopes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._envelopes = Envelopes(self.topic, self.registry)

    async def read(self, begin: Beginning, *, follow: bool) -> AsyncIterator[Shown]:
        """Yield the messages of the topic; without `follow` those that are there.

        Raises `BusUnavailable`, `RegistryUnavailable`, `RegistryRefused`.
        """
        reader = Reader(self.settings)
        try:
            starts, ends = await asyncio.to_thread(self._stretch, reader, begin)
            async for messages in received(reader, self.topic.name, starts, ends, follow=follow):
                for each in messages:
                    yield await self._shown(each)
        finally:
            await asyncio.to_thread(reader.close)

    def _stretch(self, reader: Reader, begin: Beginning) -> tuple[dict[int, int], dict[int, int]]:
        """Return where to read each partition from, and where each that holds something to read ends."""
        name = self.topic.name
        numbers = reader.partitions(name)
        times = reader.at_time(name, numbers, round(begin.time.timestamp() * 1000)) if begin.time is not None else None
        starts, ends = {}, {}
        for number in numbers:
            low, high = reader.bounds(name, number)
            at = max(low, begin.offset or 0) if times is None else times[number]
            starts[number] = high if at < 0 else at
            if starts[number] < high:
                ends[number] = high
        return starts, ends

    async def _shown(self, each: Received) -> Shown:
        if each.value is None:
            key = (each.key or b"").decode("utf-8", "replace")
            return {
                "topic": each.topic,
                "partition": each.partition,
                "offset": each.offset,
                "key": key,
                "tombstone": True,
            }
        try:
            envelope = await self._envelopes.read(each.value)
        except Misfit:
            place = {"topic": each.topic, "partition": each.partition, "offset": each.offset}
            return {**place, "error": "the message is no event of a schema that the registry knows"}
        return shown(each.topic, each.partition, each.offset, envelope)


async def received(
    reader: Reader, topic: str, starts: Mapping[int, int], ends: Mapping[int, int], *, follow: bool = False
) -> AsyncIterator[list[Received]]:
    """Yield messages of partitions from `starts` on, without `follow` those before `ends`; raises BusUnavailable."""
    left = dict(ends)
    await asyncio.to_thread(reader.begin, topic, starts)
    while follow or left:
        messages = await asyncio.to_thread(reader.read, _AT_ONCE, _PATIENCE)
        yield messages if follow else [each for each in messages if each.offset < left.get(each.partition, 0)]
        for each in messages:
            if each.offset + 1 >= left.get(each.partition, 0):
                left.pop(each.partition, None)
        if not follow:
            gone = await asyncio.to_thread(reader.passed, topic, left)
            left = {number: end for number, end in left.items() if number not in gone}


def shown(topic: str, partition: int, offset: int, envelope: Mapping[str, Any]) -> Shown:
    """Return an envelope with its place, whatever it says itself of that."""
    place = {"topic": topic, "partition": partition, "offset": offset}
    return {**place, **envelope, **place}


async def limited(events: AsyncIterator[Shown], limit: int | None, tell: Callable[[Shown], None]) -> int:
    """Tell of events, `limit` at most, and return how many they were."""
    count = 0
    if limit == 0:
        return 0
    async for each in events:
        tell(each)
        count += 1
        if count == limit:
            break
    return count

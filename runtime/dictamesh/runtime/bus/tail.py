# SPDX-License-Identifier: Apache-2.0
"""Reading a topic to be shown: from Kafka or from the log, as JSON values with topic, partition and offset."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from dictamesh.runtime.bus.client import Reader, Received
from dictamesh.runtime.bus.codec import MAGIC, Misfit, decode, parsed, schema_id
from dictamesh.runtime.bus.registry import SchemaRegistry
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.log import bounds
from dictamesh.runtime.events.positions import at_time
from dictamesh.runtime.events.reading import following, watch
from dictamesh.specs.types import Kind

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
    _schemas: dict[int, Any] = field(default_factory=dict, init=False, repr=False)

    async def read(self, begin: Beginning, *, follow: bool) -> AsyncIterator[Shown]:
        """Yield the messages of the topic; without `follow` those that are there.

        Raises `BusUnavailable`, `RegistryUnavailable`, `RegistryRefused`.
        """
        reader = Reader(self.settings)
        try:
            ends = await asyncio.to_thread(self._begin, reader, begin)
            while follow or ends:
                for each in await asyncio.to_thread(reader.read, _AT_ONCE, _PATIENCE):
                    if follow or each.offset < ends.get(each.partition, 0):
                        yield await self._shown(each)
                    if each.offset + 1 >= ends.get(each.partition, 0):
                        ends.pop(each.partition, None)
                if not follow:
                    gone = await asyncio.to_thread(reader.passed, self.topic.name, ends)
                    ends = {number: end for number, end in ends.items() if number not in gone}
        finally:
            await asyncio.to_thread(reader.close)

    def _begin(self, reader: Reader, begin: Beginning) -> dict[int, int]:
        """Begin to read, and return where each partition that holds something to read ends."""
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
        reader.begin(name, starts)
        return ends

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
            envelope = self._restored(_event(await self._decoded(each.value)))
        except (Misfit, orjson.JSONDecodeError):
            place = {"topic": each.topic, "partition": each.partition, "offset": each.offset}
            return {**place, "error": "the message is no event of a schema that the registry knows"}
        return shown(each.topic, each.partition, each.offset, envelope)

    async def _decoded(self, value: bytes) -> Any:
        if self.registry is None or value[:1] != bytes([MAGIC]):
            return orjson.loads(value)
        number = schema_id(value)
        if number not in self._schemas:
            schema = await self.registry.schema(number)
            if schema is None:
                raise Misfit("the registry knows no such schema")
            self._schemas[number] = parsed(schema)
        return decode(value, self._schemas[number])

    def _restored(self, envelope: dict[str, Any]) -> dict[str, Any]:
        """JSON that travels as text is JSON again."""
        payload, entity = envelope.get("payload"), self.topic.entity
        if payload is not None and entity is not None:
            for each in entity.fields:
                if each.type.kind is Kind.JSON and isinstance(payload.get(each.name), str):
                    payload[each.name] = orjson.loads(payload[each.name])
        return envelope


def _event(found: Any) -> dict[str, Any]:
    """Return what a message holds where it is an envelope as far as anybody looks; raises Misfit."""
    if not isinstance(found, dict) or not isinstance(found.get("event_type"), str):
        raise Misfit("the message is no event")
    entity, changed = found.get("entity"), found.get("changed_fields")
    if not isinstance(entity, dict) or not entity.keys() >= {"type", "id", "version"}:
        raise Misfit("the message is of no record")
    if not isinstance(changed, list) or not all(isinstance(each, str) for each in changed):
        raise Misfit("the message names no fields")
    if not isinstance(found.get("payload"), dict | None):
        raise Misfit("the payload is no record")
    return found


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

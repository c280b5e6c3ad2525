# SPDX-License-Identifier: Apache-2.0
"""A topic of somebody else as the source of changes: offsets are stored with the data, in one transaction (AD-6)."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from dictamesh.runtime.adapters.ask import ReadFailed
from dictamesh.runtime.capture.contract import Bad, Batch, CaptureLost, Recorder, Seen, StateId, Way
from dictamesh.runtime.capture.kafka_client import BEGINNING, NotHeld, Record, TopicReader, Unreachable
from dictamesh.runtime.capture.messages import Message, MessageReader, SchemasOf
from dictamesh.runtime.capture.running import Making
from dictamesh.runtime.compile.plan import EntityPlan

_LOG = logging.getLogger("dictamesh.capture")
_AT_ONCE = 500  # messages of one batch
_BREATH = 250_000  # bytes of messages read in one go: others are served meanwhile
_WAIT = 1.0  # seconds for messages
_LOOK = 30.0  # seconds between looks for new partitions

Brokers = Callable[[EntityPlan], Mapping[str, Any]]
"""Says how the brokers of an entity's topic are reached, in librdkafka's words; holds secrets."""


@dataclass(slots=True)
class KafkaWay:
    """Follows one topic. The position holds the next offset of each partition."""

    state: StateId
    topic: str
    settings: Mapping[str, Any] = field(repr=False)
    reader: MessageReader
    recorder: Recorder

    async def run(self) -> None:
        """Follow the topic until cancelled.

        Raises `ReadFailed` where brokers or registry do not answer; `CaptureLost` where the topic deleted messages
        before they were read; what the recorder raises.
        """
        try:
            topic = TopicReader(self.settings, self.topic)
            try:
                await self._follow(topic)
            finally:
                await topic.close()
        except Unreachable as unreachable:
            told = {"entity": self.state.entity, "topic": self.topic, "code": unreachable.code}
            _LOG.warning("the brokers of a topic cannot be used", extra=told)
            raise ReadFailed("SOURCE_UNAVAILABLE") from None
        except NotHeld as gone:
            raise CaptureLost(
                f"the topic does not hold messages of partition {gone.partition} any more that were not read",
                "'state reset' begins anew with what it holds",
            ) from None

    async def _follow(self, topic: TopicReader) -> None:
        offsets = offsets_of(await self.recorder.position(self.state))
        known: set[int] = set()
        looked = -_LOOK
        while True:
            if monotonic() - looked >= _LOOK:
                looked = monotonic()
                known = await self._assign(topic, known, offsets)
            records = await topic.read(_AT_ONCE, _WAIT)
            if records:
                await self._record(records, offsets)

    async def _assign(self, topic: TopicReader, known: set[int], offsets: Mapping[int, int]) -> set[int]:
        """Read every partition, new ones from their beginning."""
        found = set(await topic.partitions())
        if not found:
            raise ReadFailed("SOURCE_UNAVAILABLE")
        if found != known:
            await topic.begin({partition: offsets.get(partition, BEGINNING) for partition in sorted(found)})
        return found

    async def _record(self, records: Sequence[Record], offsets: dict[int, int]) -> None:
        """Write messages in their order: bad ones apart, so that what came after one is told from what came before."""
        read: list[tuple[Record, Seen | Bad]] = []
        taken = 0
        for record in records:
            taken += len(record.value or b"")
            if taken > _BREATH:
                taken = 0
                await asyncio.sleep(0)
            read.append((record, await self.reader.read(message(self.topic, record))))
        for part in _runs(read):
            offsets |= {record.partition: record.offset + 1 for record, _ in part}
            seen = [each for _, each in part if isinstance(each, Seen)]
            bad = [each for _, each in part if isinstance(each, Bad)]
            await self.recorder.record(Batch(self.state, seen, bad, position=position_of(offsets)))


def message(topic: str, record: Record) -> Message:
    """Return a record as the message that it is."""
    traceparent = record.headers.get("traceparent")
    return Message(
        record.key,
        record.value,
        f"{topic}/{record.partition}/{record.offset}",
        record.timestamp,
        None if traceparent is None else traceparent.decode("ascii", "replace"),
    )


def offsets_of(position: Mapping[str, Any] | None) -> dict[int, int]:
    """Return the next offset of each partition that a stored position holds."""
    held = (position or {}).get("offsets") or {}
    return {int(partition): int(offset) for partition, offset in held.items()}


def position_of(offsets: Mapping[int, int]) -> Mapping[str, Any]:
    """Return the position that stores some offsets."""
    return {"offsets": {str(partition): offset for partition, offset in sorted(offsets.items())}}


def _runs(read: Sequence[tuple[Record, Seen | Bad]]) -> Iterator[list[tuple[Record, Seen | Bad]]]:
    for _, part in itertools.groupby(read, lambda each: isinstance(each[1], Bad)):
        yield list(part)


def kafka(brokers: Brokers, schemas: SchemasOf | None) -> Callable[[Making], Way]:
    """Return what makes the way of an entity with `changes.kafka`."""

    def make(making: Making) -> Way:
        declared = making.entity.changes.kafka if making.entity.changes else None
        if declared is None:
            raise LookupError(making.entity.address)
        reader = MessageReader(making.entity, declared, None if schemas is None else schemas(making.entity))
        return KafkaWay(making.state, declared.topic, brokers(making.entity), reader, making.recorder)

    return make

# SPDX-License-Identifier: Apache-2.0
"""Filling an empty event log from the mesh's own topics in Kafka, after its database was lost (DR-5).

Events keep their ids, versions and times, and are not published again. What the log tells of records is all that the
catalog and capture need to go on.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.bus.client import Reader, Received
from dictamesh.runtime.bus.codec import Codec, Misfit, codec, codec_of
from dictamesh.runtime.bus.decoding import Envelopes, known_payload
from dictamesh.runtime.bus.offsets import published, set_back, standing
from dictamesh.runtime.bus.registry import SchemaRegistry
from dictamesh.runtime.bus.tail import received
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.runtime.catalog.lease import leased
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.system_topics import SCHEMA
from dictamesh.runtime.events.log import append_again
from dictamesh.runtime.events.positions import heads, heads_of, reset, stored

_MOST_PLACES = 100
_NOT_KEPT = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,  # a key that is too long for an index
    ValueError,
    TypeError,
    OverflowError,
    OSError,
)
"""What is raised for a value that the log cannot hold: a text with a NUL, a time that no calendar has, a bad id."""

_Kept = tuple[str, dict[str, Any], bytes]


class Occupied(Exception):  # noqa: N818 - says what is the case
    """The log is not one to be filled: the text is ours and says why."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of the messages of a topic: `events` are in the log now, `known` were there already.

    `others` are events of another mesh that shares the topic, by their header `ce_source`; they are left there.
    `unreadable` are places, `partition@offset`, of messages that are no events of the topic; a hundred at most.
    """

    topic: str
    events: int = 0
    known: int = 0
    tombstones: int = 0
    others: int = 0
    refused: int = 0
    unreadable: tuple[str, ...] = ()


async def restore(
    pool: Pool,
    mesh: str,
    settings: Mapping[str, Any],
    topics: Mapping[str, Wanted],
    registry: SchemaRegistry | None,
) -> list[Restored]:
    """Append what the topics hold to the log, each topic in order per record; begun once, it goes on where it was.

    Raises Occupied where a mesh runs or the log holds events of its own, `BusUnavailable`, `RegistryUnavailable`,
    `RegistryRefused`, `CatalogUnavailable`; what was appended before stays, and the next call goes on from there.
    """
    async with leased(pool, f"relay of {mesh}") as mine:
        if not mine:
            raise Occupied("a mesh is running on this catalog")
        await _check(pool, mesh, topics)
        every = [_Topic(pool, mesh, topic, Envelopes(topic, registry)) for topic in topics.values()]
        return [await each.restore(settings) for each in every]


async def forgotten(pool: Pool, mesh: str, settings: Mapping[str, Any], topics: Mapping[str, Wanted]) -> list[str]:
    """Return topics of entities that bear messages though this catalog never published any, as after its loss.

    Raises `BusUnavailable`, `CatalogUnavailable`.
    """
    named = [name for name, topic in topics.items() if topic.entity is not None]
    if await published(pool, mesh):
        return []
    reader = await asyncio.to_thread(Reader, settings)
    try:
        return [name for name in named if (await asyncio.to_thread(_left, reader, name, {}))[1]]
    finally:
        await asyncio.to_thread(reader.close)


def _group(mesh: str) -> str:
    """Under which name it is kept how far the topics were read."""
    return f"restore of {mesh}"


async def _check(pool: Pool, mesh: str, topics: Mapping[str, Wanted]) -> None:
    begun = {topic for topic, _ in await stored(pool, _group(mesh), topics)}
    held = {topic for (topic, _), head in (await heads(pool, topics)).items() if head > 0}
    if held - begun:
        raise Occupied(f"the log holds events of {_listed(held - begun)}")
    unsent = {topic for (topic, _), (at, head) in (await standing(pool, mesh, begun)).items() if at < head}
    if unsent:
        raise Occupied(f"the log holds events of {_listed(unsent)} that were not published")


def _listed(names: set[str]) -> str:
    first = sorted(names)[:3]
    return ", ".join(first) + (f" and {len(names) - 3} more topics" if len(names) > 3 else "")


@dataclass(slots=True)
class _Topic:
    pool: Pool
    mesh: str
    topic: Wanted
    envelopes: Envelopes
    _codec: Codec = field(init=False, repr=False)
    _counts: Counter[str] = field(default_factory=Counter, init=False)
    _unreadable: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._codec = codec(self.topic.entity) if self.topic.entity is not None else codec_of(SCHEMA)

    async def restore(self, settings: Mapping[str, Any]) -> Restored:
        name = self.topic.name
        reader = await asyncio.to_thread(Reader, settings)
        try:
            at = {number: at for (_, number), at in (await stored(self.pool, _group(self.mesh), [name])).items()}
            starts, ends = await asyncio.to_thread(_left, reader, name, at)
            if ends:
                async for messages in received(reader, name, starts, ends):
                    await self._take(messages)
        finally:
            await asyncio.to_thread(reader.close)
        return Restored(name, **self._counts, unreadable=tuple(self._unreadable))

    async def _take(self, messages: Sequence[Received]) -> None:
        """Append a batch, and keep in the same transaction how far it was read and that nothing of it is to be sent."""
        if not messages:
            return
        found = [each for each in [await self._event(message) for message in messages] if each is not None]
        name = self.topic.name
        read = {(name, message.partition): message.offset + 1 for message in messages}
        async with self.pool.transaction() as connection:
            kept, new = await self._append(connection, found)
            await reset(connection, _group(self.mesh), read)
            await set_back(connection, self.mesh, await heads_of(connection, [name]))
        self._counts.update(events=new, known=kept - new)

    async def _append(self, connection: psycopg.AsyncConnection[TupleRow], found: Sequence[_Kept]) -> tuple[int, int]:
        """Append events, each alone where not all can be kept; return how many are kept, and how many are new."""
        topic, events = self.topic, [each[1:] for each in found]
        try:
            async with connection.transaction():
                return len(found), await append_again(connection, topic.name, topic.partitions, events)
        except _NOT_KEPT:
            if len(found) == 1:
                self._refuse(found[0][0])
                return 0, 0
        alone = [await self._append(connection, [each]) for each in found]
        return sum(kept for kept, _ in alone), sum(new for _, new in alone)

    def _refuse(self, place: str) -> None:
        self._counts["refused"] += 1
        if len(self._unreadable) < _MOST_PLACES:
            self._unreadable.append(place)

    async def _event(self, message: Received) -> _Kept | None:
        """The place of a message, its envelope and its encoding; None where there is none, which is counted."""
        if message.value is None:
            self._counts["tombstones"] += 1
            return None
        if not message.headers.get("ce_source", b"").startswith(f"/{self.mesh}/".encode()):
            self._counts["others"] += 1
            return None
        place = f"{message.partition}@{message.offset}"
        try:
            return place, *self._checked(await self.envelopes.read(message.value), message.key)
        except Misfit:
            self._refuse(place)
            return None

    def _checked(self, envelope: dict[str, Any], key: bytes | None) -> tuple[dict[str, Any], bytes]:
        """Return an envelope as the log holds it; raises Misfit for one that this mesh did not write."""
        entity, about = self.topic.entity, envelope["entity"]
        envelope = {**envelope, "payload": known_payload(envelope.get("payload"), self.topic)}
        encoded = self._codec.datum(envelope)
        ours = entity is None or about["type"] == entity.name
        if encoded is None or not ours or key != str(about["id"]).encode():
            raise Misfit("the message is no event of this topic")
        if re.fullmatch(r"[1-9][0-9]{0,17}", about["version"]) is None:
            raise Misfit("the message is no event of this topic")
        return envelope, encoded


def _left(reader: Reader, name: str, at: Mapping[int, int]) -> tuple[dict[int, int], dict[int, int]]:
    """From where each partition is to be read, and where each ends that holds something more."""
    starts, ends = {}, {}
    for number in reader.partitions(name):
        low, high = reader.bounds(name, number)
        starts[number] = max(low, at.get(number, 0))
        if starts[number] < high:
            ends[number] = high
    return starts, ends

# SPDX-License-Identifier: Apache-2.0
"""Following the event log: in order per partition, from where a group stands (EV-10, EV-14, EV-17).

A notification only wakes; what is there is decided by asking, once a second at least: a lost one costs that second.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

import orjson
import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.log import CHANNEL, LARGEST_READ, LoggedEvent
from dictamesh.runtime.events.positions import Place, Positions, heads_of, stored

_LOG = logging.getLogger("dictamesh.events")

Otherwise = Literal["beginning", "end"]

EVERY = 1.0
_BEHIND_AT_ONCE = 20  # partitions read in one go
_PAUSE = 2.0  # seconds until a lost connection is made anew

_READ = b"""
SELECT l.*
  FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[]) AS p (topic, partition, first)
 CROSS JOIN LATERAL (
        SELECT topic, partition, "offset", event_id, event_type, entity_type, entity_id, changed_fields,
               CASE WHEN %(whole)s OR event_payload->'relationships' <> '[]' THEN event_payload::text END,
               event_timestamp, ingested_at, catalog_id
          FROM dictamesh_event_log
         WHERE topic = p.topic COLLATE "C" AND partition = p.partition AND "offset" >= p.first
         ORDER BY "offset" LIMIT %(limit)s) l
 ORDER BY l.topic COLLATE "C", l.partition, l."offset"
"""
_MENTIONED = b"""
SELECT l.*
  FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[]) AS p (topic, partition, first)
 CROSS JOIN LATERAL (
        SELECT topic, partition, "offset", event_type, entity_type, entity_id
          FROM dictamesh_event_log
         WHERE topic = p.topic COLLATE "C" AND partition = p.partition AND "offset" >= p.first
         ORDER BY "offset" LIMIT %(limit)s) l
 ORDER BY l.topic COLLATE "C", l.partition, l."offset"
"""


class Mention(NamedTuple):
    """Which record an event is about, and whether it is still there."""

    topic: str
    partition: int
    offset: int
    event_type: str
    entity_type: str
    entity_id: str


_Event = TypeVar("_Event")


class Ear:
    """Hears of writes to the log, for all that follow it in this process; a deaf one only makes them slower.

    Run `listen` for as long as anybody follows.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: set[asyncio.Event] = set()

    @contextlib.contextmanager
    def waiter(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something may have been written."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)

    def wake(self) -> None:
        """Let everybody look."""
        for event in self._waiting:
            event.set()

    async def listen(self) -> None:
        """Listen until cancelled, through whatever connections are lost."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                _LOG.warning("notifications of the event log are lost for now", extra={"reason": str(error.sqlstate)})
            await asyncio.sleep(_PAUSE)

    async def _listen(self) -> None:
        # beside the pool: a pooler between would lose the subscription
        connection = await psycopg.AsyncConnection.connect(
            str(self._pool.connections.conninfo),
            autocommit=True,
            connect_timeout=5,
            fallback_application_name="dictamesh-listen",
        )
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}".encode())
            self.wake()
            async for _ in connection.notifies():
                self.wake()


@dataclass(slots=True)
class Following:
    """Where somebody stands in some topics; `more` reads on from there.

    `topics` may change with a plan. With `group` the start is where the group stands. A partition without a position is
    read from its beginning, or, with `otherwise="end"`, from where it ended when its topic was first looked at.
    Unless `whole`, events that tell of no relation come with an empty envelope, which costs a third. `stands` is
    where the group stood when its topics were first looked at; who commits keeps it.
    """

    pool: Pool
    topics: Callable[[], Collection[str]]
    positions: dict[Place, int] = field(default_factory=dict)
    group: str | None = None
    otherwise: Otherwise = "beginning"
    limit: int = 500
    whole: bool = True
    stands: dict[Place, int] = field(default_factory=dict, init=False)
    _known: set[str] = field(default_factory=set, init=False)

    async def more(self) -> list[LoggedEvent]:
        """Return what follows, in order per partition, and stand behind it; nothing where nothing has come yet.

        Raises `CatalogUnavailable`, and stands where it stood.
        """
        loads = orjson.loads
        rows = await self._more(_READ)
        return [LoggedEvent._make((*row[:8], loads(row[8]) if row[8] is not None else {}, *row[9:])) for row in rows]

    async def mentions(self) -> list[Mention]:
        """Do what `more` does, for those who need to know no more of an event than which record it is about."""
        return [Mention(*row) for row in await self._more(_MENTIONED)]

    async def _more(self, statement: bytes) -> list[TupleRow]:
        topics = sorted(set(self.topics()))
        new = [topic for topic in topics if topic not in self._known]
        if new and self.group is not None:
            self.stands.update(await stored(self.pool, self.group, new))
            self.positions.update((place, at) for place, at in self.stands.items() if place[0] in new)
        async with self.pool.session() as connection:
            heads = await heads_of(connection, topics)
            if self.otherwise == "end":
                for place, head in heads.items():
                    if place[0] in new:
                        self.positions.setdefault(place, head)
            self._known.update(new)
            return await self._behind(connection, statement, heads)

    async def _behind(
        self, connection: psycopg.AsyncConnection[TupleRow], statement: bytes, heads: Positions
    ) -> list[TupleRow]:
        behind = [place for place, head in heads.items() if self.positions.setdefault(place, 0) < head]
        if not behind:
            return []
        # whoever was read last comes last, so that no partition waits for a busy one
        turns = {place: turn for turn, place in enumerate(self.positions)}
        behind.sort(key=turns.__getitem__)
        places = behind[:_BEHIND_AT_ONCE]
        found = await connection.execute(
            statement,
            {
                "topics": [topic for topic, _ in places],
                "partitions": [partition for _, partition in places],
                "offsets": [self.positions[place] for place in places],
                "limit": min(self.limit, LARGEST_READ),
                "whole": self.whole,
            },
        )
        rows = await found.fetchall()
        reached = {(topic, partition): offset + 1 for topic, partition, offset, *_ in rows}
        for place in places:
            before = self.positions.pop(place)
            # nothing there: retention took away what lay between
            self.positions[place] = reached.get(place, max(before, heads[place]))
        return rows


def following(
    pool: Pool,
    topics: Collection[str] | Callable[[], Collection[str]],
    start: str | Positions,
    limit: int = 500,
    *,
    whole: bool = True,
) -> Following:
    """Return who follows `topics` from `start`: the name of a group, or the next offset of each partition."""
    asked = topics if callable(topics) else lambda: topics
    if isinstance(start, str):
        return Following(pool, asked, group=start, limit=limit, whole=whole)
    return Following(pool, asked, dict(start), limit=limit, whole=whole)


async def follow(
    pool: Pool,
    topics: Collection[str] | Callable[[], Collection[str]],
    start: str | Positions,
    ear: Ear | None = None,
    limit: int = 500,
    *,
    whole: bool = True,
) -> AsyncGenerator[list[LoggedEvent], None]:
    """Yield what the log holds from `start` on, and whatever comes, in lists that are never empty.

    `start` is a group, which moves on by `commit` in the transaction that holds what it did, or positions. A list holds
    at most `limit` events of a partition. Raises `CatalogUnavailable`; whoever reads on begins anew.
    """
    async for events in watch(following(pool, topics, start, limit, whole=whole), ear):
        yield events


async def watch(
    following: Following, ear: Ear | None = None, every: float = EVERY
) -> AsyncGenerator[list[LoggedEvent], None]:
    """Yield what follows, as `follow` does."""
    async for events in awaited(following.more, ear, every):
        yield events


async def awaited(
    more: Callable[[], Awaitable[list[_Event]]], ear: Ear | None = None, every: float = EVERY
) -> AsyncGenerator[list[_Event], None]:
    """Yield what `more` gives, again and again; where that is nothing, wait for news."""
    waiting = ear.waiter() if ear is not None else contextlib.nullcontext(asyncio.Event())
    with waiting as woken:
        while True:
            woken.clear()
            events = await more()
            if events:
                yield events
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await woken.wait()

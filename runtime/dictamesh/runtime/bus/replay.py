# SPDX-License-Identifier: Apache-2.0
"""Which part of the log is read or published again (EV-17)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from dictamesh.runtime.bus.messages import Row
from dictamesh.runtime.bus.offsets import Place, page, reading
from dictamesh.runtime.bus.tail import Beginning
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.log import bounds
from dictamesh.runtime.events.positions import at_time

_PAGE = 5000
_FIRST_OF = b"""
SELECT topic, partition, min("offset") AS first FROM dictamesh_event_log
 WHERE entity_type = %(type)s AND entity_id = %(id)s AND topic = ANY(%(topics)s)
   AND ("offset" >= coalesce(%(offset)s, 0)) AND (%(at)s::timestamptz IS NULL OR event_timestamp >= %(at)s)
 GROUP BY topic, partition
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Events of some topics: from a beginning, below `end` where there is one; of one record where `id` is given."""

    topics: tuple[str, ...]
    begin: Beginning
    end: Beginning | None = None
    entity: str | None = None
    id: str | None = None

    def holds(self, row: Row) -> bool:
        """Whether an event from the beginning on is among them."""
        if self.id is not None and row.key != self.id:
            return False
        if self.end is None:
            return True
        if self.end.offset is not None:
            return row.offset < self.end.offset
        return self.end.time is None or row.envelope["timestamp"] < self.end.time.timestamp() * 1000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a partition: offsets from `begin` on, below `end`."""

    begin: int
    end: int


async def stretches(pool: Pool, chosen: Chosen) -> dict[Place, Stretch]:
    """Return where the chosen events lie, by partition; none where a partition holds none of them.

    Raises `CatalogUnavailable`.
    """
    held = {(topic, number): each for topic in chosen.topics for number, each in (await bounds(pool, topic)).items()}
    starts = await _starts(pool, chosen, held)
    found = {}
    for place, each in held.items():
        if place in starts and max(starts[place], each.beginning) < each.end:
            found[place] = Stretch(max(starts[place], each.beginning), each.end)
    return found


def rows(pool: Pool, chosen: Chosen, where: dict[Place, Stretch]) -> Iterator[list[Row]]:
    """Yield the chosen events in pages, in order per partition; for a thread. Raises `CatalogUnavailable`."""
    with reading(pool) as connection:
        for place, stretch in where.items():
            at = stretch.begin
            while at < stretch.end:
                read = page(connection, {place: at}, {place: _PAGE})
                if not read:
                    break
                at = read[-1].offset + 1
                kept = [row for row in read if row.offset < stretch.end and chosen.holds(row)]
                if kept:
                    yield kept


async def _starts(pool: Pool, chosen: Chosen, held: Collection[Place]) -> dict[Place, int]:
    begin = chosen.begin
    if chosen.id is not None:
        wanted = {"type": chosen.entity, "id": chosen.id, "topics": list(chosen.topics)}
        read = await pool.rows(_FIRST_OF, {**wanted, "offset": begin.offset, "at": begin.time})
        return {(row["topic"], row["partition"]): row["first"] for row in read}
    if begin.time is not None:
        return await at_time(pool, chosen.topics, begin.time)
    return dict.fromkeys(held, begin.offset or 0)


def moment(text: str) -> datetime | None:
    """Return the instant that a text of ISO 8601 with a zone names, None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None

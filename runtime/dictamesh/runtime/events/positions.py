# SPDX-License-Identifier: Apache-2.0
"""Where groups of consumers stand in the event log, where it ends, and where it stood at a time (EV-14, EV-17)."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.log import LoggedEvent

Place = tuple[str, int]
"""Topic and partition."""
Positions = Mapping[Place, int]
"""The next offset to read of each partition."""

_HEADS = b"""
SELECT topic, partition, next_offset FROM dictamesh_event_partitions WHERE topic = ANY(%(topics)s)
"""
_STORED = b"""
SELECT topic, partition, next_offset FROM dictamesh_consumer_offsets
 WHERE group_name = %(group)s AND topic = ANY(%(topics)s)
"""
# The rows are locked in one order, here and where they are written.
_HELD = b"""
SELECT o.topic, o.partition, o.next_offset FROM dictamesh_consumer_offsets o
  JOIN unnest(%(topics)s::text[], %(partitions)s::integer[]) AS g (topic, partition)
    ON g.topic = o.topic AND g.partition = o.partition
 WHERE o.group_name = %(group)s ORDER BY o.topic COLLATE "C", o.partition FOR UPDATE OF o
"""
_COMMIT = b"""
INSERT INTO dictamesh_consumer_offsets AS o (group_name, topic, partition, next_offset)
SELECT %(group)s, g.topic, g.partition, g.next
  FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(next)s::bigint[]) AS g (topic, partition, next)
 ORDER BY g.topic COLLATE "C", g.partition
    ON CONFLICT ON CONSTRAINT pk_dictamesh_consumer_offsets DO UPDATE
   SET next_offset = excluded.next_offset, updated_at = now()
 WHERE o.next_offset < excluded.next_offset
"""
_RESET = b"""
INSERT INTO dictamesh_consumer_offsets AS o (group_name, topic, partition, next_offset)
SELECT %(group)s, g.topic, g.partition, g.next
  FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(next)s::bigint[]) AS g (topic, partition, next)
 ORDER BY g.topic COLLATE "C", g.partition
    ON CONFLICT ON CONSTRAINT pk_dictamesh_consumer_offsets DO UPDATE
   SET next_offset = excluded.next_offset, updated_at = now()
"""
_AT_TIME = b"""
SELECT p.topic, p.partition,
       coalesce((SELECT min(l."offset") FROM dictamesh_event_log l
                  WHERE l.topic = p.topic AND l.partition = p.partition AND l.event_timestamp >= %(at)s),
                p.next_offset) AS next
  FROM dictamesh_event_partitions p WHERE p.topic = ANY(%(topics)s)
"""


class Overtaken(Exception):  # noqa: N818 - says what happened
    """Somebody else has moved the group: what was done in this transaction is to be rolled back."""


async def heads(pool: Pool, topics: Collection[str]) -> dict[Place, int]:
    """Return the next offset that each partition will give; raises `CatalogUnavailable`."""
    async with pool.session() as connection:
        return await heads_of(connection, topics)


async def stored(pool: Pool, group: str, topics: Collection[str]) -> dict[Place, int]:
    """Return where a group stands, in the partitions of some topics; raises `CatalogUnavailable`."""
    rows = await pool.rows(_STORED, {"group": group, "topics": list(topics)})
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def commit(
    connection: psycopg.AsyncConnection[TupleRow], group: str, moved: Positions, stands: Positions
) -> None:
    """Move a group on within the transaction that holds what it did; raises `Overtaken`, and what psycopg raises.

    `stands` is where it is believed to stand. Two replicas that both believe to own the group cannot both commit: the
    later one is overtaken, and so is who did not see that the group was set back or forth.
    """
    if not moved:
        return
    held = await (await connection.execute(_HELD, _columns(group, moved))).fetchall()
    if any(stands.get((topic, partition)) != at for topic, partition, at in held):
        raise Overtaken
    cursor = await connection.execute(_COMMIT, _columns(group, moved))
    if cursor.rowcount != len(moved):
        raise Overtaken


async def reset(connection: psycopg.AsyncConnection[TupleRow], group: str, to: Positions) -> None:
    """Set where a group stands, back or forth; one that runs goes on from there. Raises what psycopg raises."""
    await connection.execute(_RESET, _columns(group, to))


async def at_time(pool: Pool, topics: Collection[str], at: datetime) -> dict[Place, int]:
    """Return the first offset of each partition whose event happened at `at` or later; raises `CatalogUnavailable`."""
    rows = await pool.rows(_AT_TIME, {"topics": list(topics), "at": at})
    return {(row["topic"], row["partition"]): row["next"] for row in rows}


def reached(events: Collection[LoggedEvent]) -> dict[Place, int]:
    """Return where somebody stands who has read `events`."""
    found: dict[Place, int] = {}
    for event in events:
        place = (event.topic, event.partition)
        found[place] = max(found.get(place, 0), event.offset + 1)
    return found


def _columns(group: str, positions: Positions) -> dict[str, Any]:
    places = sorted(positions)
    return {
        "group": group,
        "topics": [topic for topic, _ in places],
        "partitions": [partition for _, partition in places],
        "next": [positions[place] for place in places],
    }


async def heads_of(connection: psycopg.AsyncConnection[TupleRow], topics: Collection[str]) -> dict[Place, int]:
    """Return what `heads` does, by a connection of the caller; raises what psycopg raises."""
    if not topics:
        return {}
    rows = await (await connection.execute(_HEADS, {"topics": list(topics)})).fetchall()
    return {(topic, partition): head for topic, partition, head in rows}

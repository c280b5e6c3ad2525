# SPDX-License-Identifier: Apache-2.0
"""How far the log has been published, and pages of what has not been."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, cast

import orjson
import psycopg
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow

from dictamesh.runtime.bus.messages import Row
from dictamesh.runtime.catalog.pool import Pool, database_errors

Place = tuple[str, int]
"""Topic and partition."""

_BEGIN = b"""
INSERT INTO dictamesh_relay_offsets (mesh, topic, partition, next_offset)
SELECT %(mesh)s, p.topic, p.partition, 0 FROM dictamesh_event_partitions p
 WHERE p.topic = ANY(%(topics)s)
   AND NOT EXISTS (SELECT FROM dictamesh_relay_offsets r
                    WHERE r.mesh = %(mesh)s AND r.topic = p.topic AND r.partition = p.partition)
 ORDER BY p.topic COLLATE "C", p.partition
    ON CONFLICT ON CONSTRAINT pk_dictamesh_relay_offsets DO NOTHING
"""
_STANDING = b"""
SELECT p.topic, p.partition, coalesce(r.next_offset, 0) AS next, p.next_offset AS head
  FROM dictamesh_event_partitions p
  LEFT JOIN dictamesh_relay_offsets r ON r.mesh = %(mesh)s AND r.topic = p.topic AND r.partition = p.partition
 WHERE p.topic = ANY(%(topics)s)
"""
_READ = b"""
SELECT w.place - 1, l."offset", l.entity_id, l.event_payload
  FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[], %(limits)s::integer[])
  WITH ORDINALITY AS w (topic, partition, first, most, place)
 CROSS JOIN LATERAL (SELECT l."offset", l.entity_id, l.event_payload FROM dictamesh_event_log l
                      WHERE l.topic = w.topic COLLATE "C" AND l.partition = w.partition AND l."offset" >= w.first
                      ORDER BY l."offset" LIMIT w.most) l
"""
# A position that is not where it was believed to be was moved by another relay, or set by somebody: it stays.
_ADVANCE = b"""
UPDATE dictamesh_relay_offsets o SET next_offset = g.next, published_at = now()
  FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(before)s::bigint[], %(next)s::bigint[])
    AS g (topic, partition, before, next)
 WHERE o.mesh = %(mesh)s AND o.topic = g.topic COLLATE "C" AND o.partition = g.partition AND o.next_offset = g.before
"""
_PATIENCE = b"SET statement_timeout = 30000"
_SET = b"""
INSERT INTO dictamesh_relay_offsets (mesh, topic, partition, next_offset)
SELECT %(mesh)s, g.topic, g.partition, g.next
  FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(next)s::bigint[]) AS g (topic, partition, next)
 ORDER BY g.topic COLLATE "C", g.partition
    ON CONFLICT ON CONSTRAINT pk_dictamesh_relay_offsets DO UPDATE
   SET next_offset = excluded.next_offset, published_at = now()
"""


class Overtaken(Exception):  # noqa: N818 - says what happened
    """Somebody else moved a position: what is in memory no longer holds."""


async def standing(pool: Pool, mesh: str, topics: Collection[str]) -> dict[Place, tuple[int, int]]:
    """Return of each partition the next offset to publish, and the one that its next event will get.

    Raises `CatalogUnavailable`.
    """
    wanted = {"mesh": mesh, "topics": list(topics)}
    await pool.execute(_BEGIN, wanted)
    rows = await pool.rows(_STANDING, wanted)
    return {(row["topic"], row["partition"]): (row["next"], row["head"]) for row in rows}


@contextlib.contextmanager
def reading(pool: Pool) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection beside the pool's for a thread that reads and encodes; raises `CatalogUnavailable`.

    Through the event loop each piece of an answer would wait for the thread that encodes the last one.
    """
    with database_errors():
        connection = psycopg.connect(
            str(pool.connections.conninfo),
            autocommit=True,
            connect_timeout=5,
            fallback_application_name="dictamesh-relay",
        )
    try:
        with database_errors():
            connection.execute(_PATIENCE)
        yield connection
    finally:
        connection.close()


def page(
    connection: psycopg.Connection[TupleRow], positions: Mapping[Place, int], limits: Mapping[Place, int]
) -> list[Row]:
    """Return events from positions on, in order per partition, `limits` at most of each.

    Raises `CatalogUnavailable`.
    """
    places = sorted(positions)
    wanted = {
        "topics": [topic for topic, _ in places],
        "partitions": [partition for _, partition in places],
        "offsets": [positions[place] for place in places],
        "limits": [limits[place] for place in places],
    }
    with database_errors(), connection.cursor() as cursor:
        cursor.execute(_READ, wanted)
        result = cursor.pgresult
    return _rows(result, places) if result is not None else []


def _rows(result: PGresult, places: Sequence[Place]) -> list[Row]:
    """The events of an answer; rows of psycopg's making take longer, and sorting in the database does, too."""
    value, numbers = cast("Callable[[int, int], bytes]", result.get_value), range(result.ntuples)
    order = [(int(value(number, 0)), int(value(number, 1)), number) for number in numbers]
    order.sort()  # they are in order already, but nobody promises that
    loads = orjson.loads
    return [
        Row(*places[place], offset, value(number, 2).decode(), loads(value(number, 3)))
        for place, offset, number in order
    ]


async def advance(
    connection: psycopg.AsyncConnection[TupleRow], mesh: str, before: Mapping[Place, int], after: Mapping[Place, int]
) -> None:
    """Move positions on within the caller's transaction; raises Overtaken, and what psycopg raises."""
    places = sorted(after)
    wanted = _columns(mesh, places, after) | {"before": [before[place] for place in places]}
    if (await connection.execute(_ADVANCE, wanted)).rowcount != len(places):
        raise Overtaken


async def set_back(connection: psycopg.AsyncConnection[TupleRow], mesh: str, to: Mapping[Place, int]) -> None:
    """Set from where events are published again; a relay that runs follows within a second."""
    await connection.execute(_SET, _columns(mesh, sorted(to), to))


def _columns(mesh: str, places: list[Place], following: Mapping[Place, int]) -> dict[str, Any]:
    return {
        "mesh": mesh,
        "topics": [topic for topic, _ in places],
        "partitions": [partition for _, partition in places],
        "next": [following[place] for place in places],
    }

# SPDX-License-Identifier: Apache-2.0
"""How far the log has been published, and pages of what has not been."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import psycopg
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
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
SELECT w.place, l."offset", l.entity_id, l.event_payload
  FROM jsonb_to_recordset($1::jsonb) AS w (place integer, topic text, partition integer, first bigint, most integer)
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


@dataclass(frozen=True, slots=True)
class Found:
    """Events as the database gave them: of each its place, its offset, and its row in the answer."""

    places: Sequence[Place]
    order: Sequence[tuple[int, int, int]]
    answer: PGresult = field(repr=False)

    def ends(self) -> dict[Place, int]:
        """Return the offset behind the last event of each partition that has any."""
        return {self.places[place]: offset + 1 for place, offset, _ in self.order}

    def rows(self) -> list[Row]:
        """Return the events, in order per partition."""
        return self._rows(self.order)

    def parts(self, size: int) -> Iterator[list[Row]]:
        """Yield the same in parts."""
        for begin in range(0, len(self.order), size):
            yield self._rows(self.order[begin : begin + size])

    def _rows(self, order: Sequence[tuple[int, int, int]]) -> list[Row]:
        value, loads, places = cast("_Value", self.answer.get_value), orjson.loads, self.places
        return [
            Row(*places[place], offset, value(number, 2).decode(), loads(value(number, 3)))
            for place, offset, number in order
        ]


_Value = Callable[[int, int], bytes]


def find(
    connection: psycopg.Connection[TupleRow], positions: Mapping[Place, int], limits: Mapping[Place, int]
) -> Found:
    """Read events from positions on, `limits` at most of each partition; raises `CatalogUnavailable`.

    libpq is asked in one call, during which other threads go on: psycopg's own would wait for them at each piece of the
    answer, and its rows cost more than what is in them.
    """
    places = sorted(positions)
    wanted = [
        {"place": at, "topic": place[0], "partition": place[1], "first": positions[place], "most": limits[place]}
        for at, place in enumerate(places)
    ]
    with database_errors():
        answer = _asked(connection.pgconn, [orjson.dumps(wanted)])
    value = cast("_Value", answer.get_value)
    order = [(int(value(number, 0)), int(value(number, 1)), number) for number in range(answer.ntuples)]
    order.sort()  # they are in order already, but nobody promises that; sorting there takes ten times as long
    return Found(places, order, answer)


def page(
    connection: psycopg.Connection[TupleRow], positions: Mapping[Place, int], limits: Mapping[Place, int]
) -> list[Row]:
    """Return what `find` finds; raises `CatalogUnavailable`."""
    return find(connection, positions, limits).rows()


def _asked(connection: PGconn, wanted: Sequence[bytes]) -> PGresult:
    if connection.status != ConnStatus.OK:
        raise psycopg.OperationalError
    answer = connection.exec_params(_READ, wanted)
    if answer.status != ExecStatus.TUPLES_OK:
        raise psycopg.errors.error_from_result(answer)
    return answer


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

# SPDX-License-Identifier: Apache-2.0
"""How far the log has been published, and pages of what has not been."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import psycopg
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from psycopg.rows import TupleRow

from dictamesh.runtime.bus.messages import Ready, Row
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
SELECT p.topic, p.partition, r.next_offset, p.next_offset AS head
  FROM dictamesh_event_partitions p
  LEFT JOIN dictamesh_relay_offsets r ON r.mesh = %(mesh)s AND r.topic = p.topic AND r.partition = p.partition
 WHERE p.topic = ANY(%(topics)s)
"""
# The envelope is read only where the event does not stand there encoded by the schema of its topic as it is now.
_READ = b"""
SELECT w.place, l."offset", l.entity_id, CASE WHEN l.encoded IS NULL THEN l.event_payload::text END, l.event_type,
       l.event_id::text, l.event_timestamp, l.trace_id, l.span_id, l.encoded
  FROM jsonb_to_recordset($1::jsonb) AS w (place integer, topic text, partition integer, first bigint, most integer,
                                           schema text)
 CROSS JOIN LATERAL (SELECT l."offset", l.entity_id, l.event_payload, l.event_type, l.event_id, l.event_timestamp,
                            l.trace_id, l.span_id,
                            CASE WHEN substring(l.encoded, 1, 8) = decode(w.schema, 'hex')
                                  AND l.trace_id IS NOT NULL AND l.span_id IS NOT NULL
                                 THEN substring(l.encoded, 9) END AS encoded
                       FROM dictamesh_event_log l
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
_NO_SCHEMAS: Mapping[str, bytes | None] = {}
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
    async with pool.session() as connection:
        rows = await (await connection.execute(_STANDING, wanted)).fetchall()
        if any(following is None for _, _, following, _ in rows):
            await connection.execute(_BEGIN, wanted)
    return {(topic, partition): (following or 0, head) for topic, partition, following, head in rows}


async def published(pool: Pool, mesh: str) -> bool:
    """Whether anything of a mesh was ever published from this catalog; raises `CatalogUnavailable`."""
    wanted = b"SELECT 1 FROM dictamesh_relay_offsets WHERE mesh = %(mesh)s AND next_offset > 0 LIMIT 1"
    return bool(await pool.rows(wanted, {"mesh": mesh}))


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

    def rows(self) -> list[Row | Ready]:
        """Return the events, in order per partition."""
        return self._rows(self.order)

    def parts(self, size: int) -> Iterator[list[Row | Ready]]:
        """Yield the same in parts."""
        for begin in range(0, len(self.order), size):
            yield self._rows(self.order[begin : begin + size])

    def _rows(self, order: Sequence[tuple[int, int, int]]) -> list[Row | Ready]:
        value, places, whole = cast("_Value", self.answer.get_value), self.places, int.from_bytes
        found: list[Row | Ready] = []
        for place, offset, n in order:
            topic, partition = places[place]
            envelope = cast("_MaybeValue", value)(n, 3)
            if envelope is not None:
                found.append(Row(topic, partition, offset, value(n, 2).decode(), orjson.loads(envelope)))
                continue
            at = (whole(value(n, 6), "big", signed=True) + _EPOCH) // 1000
            kind, id_, trace, span = value(n, 4).decode(), value(n, 5), value(n, 7), value(n, 8)
            found.append(Ready(topic, partition, offset, value(n, 2), kind, id_, at, trace, span, value(n, 9)))
        return found


_Value = Callable[[int, int], bytes]
_MaybeValue = Callable[[int, int], bytes | None]
_EPOCH = 946_684_800_000_000  # microseconds from 1970 to 2000, where PostgreSQL's time begins


def find(
    connection: psycopg.Connection[TupleRow],
    positions: Mapping[Place, int],
    limits: Mapping[Place, int],
    schemas: Mapping[str, bytes | None] = _NO_SCHEMAS,
) -> Found:
    """Read events from positions on, `limits` at most of each partition; raises `CatalogUnavailable`.

    Those of a topic that stand there encoded by its schema, of `schemas`, come as that.

    libpq is asked in one call, during which other threads go on: psycopg's own would wait for them at each piece of the
    answer, and its rows cost more than what is in them.
    """
    places = sorted(positions)
    wanted = [
        {
            "place": at,
            "topic": place[0],
            "partition": place[1],
            "first": positions[place],
            "most": limits[place],
            "schema": schema.hex() if (schema := schemas.get(place[0])) is not None else None,
        }
        for at, place in enumerate(places)
    ]
    with database_errors():
        answer = _asked(connection.pgconn, [orjson.dumps(wanted)])
    value = cast("_Value", answer.get_value)
    whole = int.from_bytes
    order = [(whole(value(n, 0), "big"), whole(value(n, 1), "big"), n) for n in range(answer.ntuples)]
    order.sort()  # they are in order already, but nobody promises that; sorting there takes ten times as long
    return Found(places, order, answer)


def page(
    connection: psycopg.Connection[TupleRow], positions: Mapping[Place, int], limits: Mapping[Place, int]
) -> list[Row]:
    """Return what `find` finds, with their envelopes; raises `CatalogUnavailable`."""
    return [row for row in find(connection, positions, limits).rows() if isinstance(row, Row)]


def _asked(connection: PGconn, wanted: Sequence[bytes]) -> PGresult:
    if connection.status != ConnStatus.OK:
        raise psycopg.OperationalError
    answer = connection.exec_params(_READ, wanted, result_format=Format.BINARY)
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

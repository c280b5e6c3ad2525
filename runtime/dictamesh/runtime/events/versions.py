# SPDX-License-Identifier: Apache-2.0
"""The version of each record: who writes events of an entity takes turns, so that versions grow by one."""

from collections.abc import Sequence
from typing import Literal

import psycopg
from psycopg.rows import TupleRow

Withdrawal = Literal["retention", "erasure"]
_TURN = b"SELECT pg_advisory_xact_lock(hashtextextended(%s, 7163846506))"
_VERSIONS = b"""
SELECT i.id, greatest(coalesce(s.version, 0), coalesce((e.event_payload->'entity'->>'version')::bigint, 0)),
       coalesce(e.event_type = 'DELETED', s.deleted AND s.version > 0, false)
  FROM unnest(%(ids)s::text[]) AS i (id)
  LEFT JOIN dictamesh_entity_state s ON s.entity = %(entity)s AND s.entity_id = i.id AND s.mesh = %(mesh)s
  LEFT JOIN LATERAL (SELECT l.event_type, l.event_payload FROM dictamesh_event_log l
                      WHERE l.entity_type = %(type)s AND l.entity_id = i.id ORDER BY l.id DESC LIMIT 1) e ON true
"""
# What an erasure leaves are the facts that the record was and that it stays away. Retention keeps the hashes: the
# record comes back once its source changes it.
_WITHDRAW = b"""
INSERT INTO dictamesh_entity_state AS s (entity, entity_id, mesh, version, deleted, withdrawn)
SELECT %(entity)s, i.id, %(mesh)s, i.version, true, %(reason)s
  FROM unnest(%(ids)s::text[], %(versions)s::bigint[]) AS i (id, version)
 ORDER BY i.id COLLATE "C"
    ON CONFLICT (entity, entity_id, mesh) DO UPDATE
   SET version = greatest(s.version, excluded.version), deleted = true,
       withdrawn = CASE WHEN s.withdrawn = 'erasure' THEN s.withdrawn ELSE excluded.withdrawn END,
       field_hashes = CASE WHEN excluded.withdrawn = 'erasure' THEN ''::bytea ELSE s.field_hashes END,
       content_hash = CASE WHEN excluded.withdrawn = 'erasure' THEN ''::bytea ELSE s.content_hash END,
       bad_hash = CASE WHEN excluded.withdrawn = 'erasure' THEN ''::bytea ELSE s.bad_hash END,
       updated_at = clock_timestamp()
"""


async def take_turn(connection: psycopg.AsyncConnection[TupleRow], mesh: str, entity: str) -> None:
    """Wait until no other transaction writes events of an entity, and keep others out until the caller's ends."""
    await connection.execute(_TURN, (f"versions of {mesh}/{entity}",))


async def versions(
    connection: psycopg.AsyncConnection[TupleRow], mesh: str, entity: str, entity_type: str, ids: Sequence[str]
) -> dict[str, tuple[int, bool]]:
    """Return the latest version of each record, 0 where none is known, and whether it is deleted."""
    wanted = {"mesh": mesh, "entity": entity, "type": entity_type, "ids": list(ids)}
    rows = await (await connection.execute(_VERSIONS, wanted)).fetchall()
    return {record: (version, deleted) for record, version, deleted in rows}


async def mark_withdrawn(
    connection: psycopg.AsyncConnection[TupleRow], mesh: str, entity: str, latest: dict[str, int], reason: Withdrawal
) -> None:
    """Note that records were taken out at a version; capture does not bring them back while their source is late."""
    wanted = {"mesh": mesh, "entity": entity, "ids": list(latest), "versions": list(latest.values()), "reason": reason}
    await connection.execute(_WITHDRAW, wanted)

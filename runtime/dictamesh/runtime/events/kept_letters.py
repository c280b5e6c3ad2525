# SPDX-License-Identifier: Apache-2.0
"""Dead letters that are kept: read, settled, and emptied of a data subject."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.dead_letters import PARTITIONS, Status, hold_topic, record_of
from dictamesh.runtime.events.log import append_events
from dictamesh.runtime.events.seal import Seal, Unreadable

PAGE = 500
_COLUMNS = b"""id, mesh, topic, entity, kind, stage, rule, error, origin, attempts, first_failed_at, last_failed_at,
       consumer_group AS "group", event_id, record_key AS key, status, settled_at, body AS sealed, seal_id"""
_FIND = (
    b"SELECT "
    + _COLUMNS
    + b"""
  FROM dictamesh_dead_letters
 WHERE mesh = %(mesh)s AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s::uuid[]))
   AND (%(entity)s::text IS NULL OR entity = %(entity)s) AND (%(status)s::text IS NULL OR status = %(status)s)
   AND (%(at)s::timestamptz IS NULL OR (first_failed_at, id) > (%(at)s::timestamptz, %(after)s::uuid))
 ORDER BY first_failed_at, id LIMIT %(limit)s
"""
)
_PENDING = b"""
SELECT entity, count(*) AS n FROM dictamesh_dead_letters WHERE mesh = %(mesh)s AND status = 'pending' GROUP BY entity
"""
# Locked in the order in which they are written.
_SETTLE = b"""
WITH held AS MATERIALIZED (
    SELECT id FROM dictamesh_dead_letters
     WHERE mesh = %(mesh)s AND id = ANY(%(ids)s::uuid[]) AND status = 'pending'
     ORDER BY entity COLLATE "C", fingerprint FOR UPDATE
)
UPDATE dictamesh_dead_letters l
   SET status = %(status)s, settled_at = clock_timestamp(), body = NULL, seal_id = NULL
  FROM held WHERE l.id = held.id
RETURNING l.id, l.attempts
"""
_AGAIN = b"""
UPDATE dictamesh_dead_letters
   SET attempts = attempts + 1, last_failed_at = clock_timestamp(), rule = %(rule)s, error = %(error)s,
       record_key = coalesce(record_key, %(key)s)
 WHERE mesh = %(mesh)s AND id = %(id)s AND status = 'pending'
"""
_HELD = b"""
SELECT id, body, seal_id, record_key FROM dictamesh_dead_letters
 WHERE mesh = %(mesh)s AND entity = %(entity)s AND body IS NOT NULL ORDER BY fingerprint FOR UPDATE
"""
_EMPTY = b"""
UPDATE dictamesh_dead_letters SET body = NULL, seal_id = NULL WHERE mesh = %(mesh)s AND id = ANY(%(ids)s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter; `sealed` is its body under `seal_id`, None once it is settled or was erased."""

    id: uuid.UUID
    mesh: str
    topic: str
    entity: str
    kind: str | None
    stage: str
    rule: str
    error: str
    origin: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    group: str | None
    event_id: uuid.UUID | None
    key: str | None
    status: Status
    settled_at: datetime | None
    sealed: bytes | None = field(repr=False, default=None)
    seal_id: str | None = None

    def body(self, seal: Seal) -> bytes | None:
        """Return what came, None where it is gone; raises Unreadable."""
        if self.sealed is None or self.seal_id is None:
            return None
        return seal.opened(self.sealed, self.entity, self.seal_id)


@dataclass(frozen=True, slots=True)
class Which:
    """Which dead letters are meant: all that hold for each part that is given."""

    mesh: str
    ids: tuple[uuid.UUID, ...] | None = None
    entity: str | None = None
    status: Status | None = None


async def letters(pool: Pool, which: Which, after: Letter | None = None, limit: int = PAGE) -> list[Letter]:
    """Return dead letters in order of their first failure, those after one of them; raises `CatalogUnavailable`."""
    wanted: Mapping[str, Any] = {
        "mesh": which.mesh,
        "ids": None if which.ids is None else list(which.ids),
        "entity": which.entity,
        "status": which.status,
        "at": after.first_failed_at if after else None,
        "after": after.id if after else None,
        "limit": limit,
    }
    return [Letter(**row) for row in await pool.rows(_FIND, dict(wanted))]


async def pending(pool: Pool, mesh: str) -> dict[str, int]:
    """Return how many letters of each entity wait; raises `CatalogUnavailable`."""
    return {row["entity"]: row["n"] for row in await pool.rows(_PENDING, {"mesh": mesh})}


async def settle(
    connection: psycopg.AsyncConnection[TupleRow], mesh: str, ids: Sequence[uuid.UUID], status: Status, *, to: str
) -> int:
    """Settle pending letters for good within the caller's transaction, their bodies destroyed, and tell it in `to`.

    Returns how many there were. Raises what psycopg raises.
    """
    wanted = {"mesh": mesh, "ids": list(ids), "status": status}
    await hold_topic(connection, to)
    rows = await (await connection.execute(_SETTLE, wanted)).fetchall()
    events = [record_of(to, id_, "UPDATED", {"status": status, "attempts": str(n)}) for id_, n in rows]
    await append_events(connection, events, {to: PARTITIONS})
    return len(rows)


async def failed_again(pool: Pool, letter: Letter, rule: str, error: str, key: str | None) -> None:
    """Count an attempt that failed, by what rule it did now; raises `CatalogUnavailable`."""
    told = {"mesh": letter.mesh, "id": letter.id, "rule": rule, "error": error, "key": key}
    await pool.execute(_AGAIN, told)


async def forget(
    connection: psycopg.AsyncConnection[TupleRow],
    mesh: str,
    entity: str,
    keys: Sequence[str],
    seal: Seal | None,
    holds: Callable[[bytes], bool],
) -> int:
    """Destroy the bodies of an entity's letters that are about a data subject, within the caller's transaction.

    They are those with one of `keys`, those that `holds` says of, and those that cannot be opened: what cannot be told
    to be somebody else's goes. Returns how many there were. Raises what psycopg raises.
    """
    rows = await (await connection.execute(_HELD, {"mesh": mesh, "entity": entity})).fetchall()
    known = set(keys)
    gone = [id_ for id_, body, seal_id, key in rows if key in known or _about(entity, body, seal_id, seal, holds)]
    if gone:
        await connection.execute(_EMPTY, {"mesh": mesh, "ids": gone})
    return len(gone)


def _about(entity: str, sealed: bytes, seal_id: str, seal: Seal | None, holds: Callable[[bytes], bool]) -> bool:
    if seal is None:
        return True
    try:
        return holds(seal.opened(sealed, entity, seal_id))
    except Unreadable:
        return True

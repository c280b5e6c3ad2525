# SPDX-License-Identifier: Apache-2.0
"""Where the sources stand and who captures them: `dictamesh_capture_state`."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.capture.contract import Batch, Kind, Ousted, StateId
from dictamesh.runtime.catalog.pool import Pool

_ID = b"mesh = %(mesh)s AND entity = %(entity)s AND kind = %(kind)s AND server = %(server)s AND cursor = %(cursor)s"
# Records are compared by keyed hashes, so that another key would make all of them look changed.
_TAKE = b"""
INSERT INTO dictamesh_capture_state AS s (mesh, entity, kind, server, cursor, epoch, owner, key_id, status)
VALUES (%(mesh)s, %(entity)s, %(kind)s, %(server)s, %(cursor)s, 1, %(owner)s, %(key_id)s, 'running')
    ON CONFLICT ON CONSTRAINT pk_dictamesh_capture_state DO UPDATE
   SET epoch = s.epoch + 1, owner = excluded.owner, paused_at = NULL, updated_at = clock_timestamp(),
       key_id = CASE WHEN s.key_id = '' THEN excluded.key_id ELSE s.key_id END,
       status = CASE WHEN s.status = 'lost' THEN s.status ELSE 'running' END,
       error = CASE WHEN s.status = 'lost' THEN s.error END
RETURNING epoch, key_id, status
"""
_MOVE = (
    b"""
UPDATE dictamesh_capture_state
   SET position = coalesce(%(position)s::jsonb, position), updated_at = clock_timestamp(),
       pass_started_at = CASE WHEN %(pass)s::text IS DISTINCT FROM pass_id AND %(pass)s::text IS NOT NULL
                              THEN clock_timestamp() ELSE pass_started_at END,
       pass_unsound = (pass_unsound AND (%(pass)s::text IS NULL OR %(pass)s::text IS NOT DISTINCT FROM pass_id))
                      OR %(unsound)s,
       pass_id = coalesce(%(pass)s::text, pass_id),
       key_id = CASE WHEN key_id = '' THEN %(key_id)s ELSE key_id END,
       status = CASE WHEN %(epoch)s::bigint IS NULL THEN 'running' ELSE status END,
       paused_at = CASE WHEN %(epoch)s::bigint IS NULL THEN NULL ELSE paused_at END,
       last_pass_at = CASE WHEN %(complete)s THEN clock_timestamp() ELSE last_pass_at END
 WHERE """
    + _ID
    + b""" AND (%(epoch)s::bigint IS NULL OR epoch = %(epoch)s)
RETURNING key_id
"""
)
_MAKE = b"""
INSERT INTO dictamesh_capture_state (mesh, entity, kind, server, cursor, key_id)
VALUES (%(mesh)s, %(entity)s, %(kind)s, %(server)s, %(cursor)s, %(key_id)s) ON CONFLICT DO NOTHING
"""
_POSITION = b"SELECT position FROM dictamesh_capture_state WHERE " + _ID
_PASS = b"SELECT pass_started_at, pass_unsound FROM dictamesh_capture_state WHERE pass_id = %(pass)s AND " + _ID
_FIRST = b"SELECT last_pass_at IS NULL FROM dictamesh_capture_state WHERE " + _ID
_TELL = (
    b"UPDATE dictamesh_capture_state SET status = %(status)s, error = %(error)s, updated_at = clock_timestamp() WHERE "
    + _ID
    + b" AND epoch = %(epoch)s"
)
_PAUSE = b"""
UPDATE dictamesh_capture_state SET status = 'paused', paused_at = clock_timestamp(), updated_at = clock_timestamp()
 WHERE mesh = %(mesh)s AND status <> 'paused'
   AND (entity, kind, server, cursor) NOT IN (
       SELECT r.entity, r.kind, r.server, r.cursor
         FROM jsonb_to_recordset(%(known)s::jsonb) AS r (entity text, kind text, server text, cursor text))
"""
_SHOW = b"""
SELECT s.entity, s.kind, s.server, s.cursor, s.status, s.position, s.epoch, s.owner, s.last_pass_at, s.paused_at,
       s.error, s.updated_at
  FROM dictamesh_capture_state s
 WHERE s.mesh = %(mesh)s AND (%(entity)s::text IS NULL OR s.entity = %(entity)s)
 ORDER BY s.entity, s.kind, s.server, s.cursor
"""
_RECORDS = b"""
SELECT entity, count(*) FILTER (WHERE NOT deleted) AS live, count(*) FILTER (WHERE deleted AND version > 0) AS deleted,
       count(*) FILTER (WHERE bad_hash <> '') AS bad
  FROM dictamesh_entity_state
 WHERE mesh = %(mesh)s AND (%(entity)s::text IS NULL OR entity = %(entity)s) GROUP BY entity
"""
# The epoch moves, too: who captures now must not write the position of before. Locked as those who move several do.
_RESET = b"""
WITH held AS MATERIALIZED (
    SELECT mesh, entity, kind, server, cursor FROM dictamesh_capture_state
     WHERE mesh = %(mesh)s AND (%(entity)s::text IS NULL OR entity = %(entity)s)
     ORDER BY entity COLLATE "C", kind, server, cursor FOR UPDATE
)
UPDATE dictamesh_capture_state s
   SET position = NULL, pass_id = NULL, pass_started_at = NULL, pass_unsound = false, key_id = '', status = 'new',
       error = NULL, epoch = s.epoch + 1, updated_at = clock_timestamp()
  FROM held h
 WHERE (s.mesh, s.entity, s.kind, s.server, s.cursor) = (h.mesh, h.entity, h.kind, h.server, h.cursor)
RETURNING s.entity, s.kind
"""


_EPOCHS = b"""
SELECT s.entity, s.kind, s.server, s.cursor, s.epoch
  FROM jsonb_to_recordset(%(known)s::jsonb) AS r (mesh text, entity text, kind text, server text, cursor text)
  JOIN dictamesh_capture_state s USING (mesh, entity, kind, server, cursor)
"""


class OtherKey(Exception):  # noqa: N818 - the name says what is the case
    """Records were hashed with another key than the one at hand: all of them would look changed."""


@dataclass(frozen=True, slots=True)
class Owned:
    """The right to capture: batches under an earlier epoch are refused. `lost`: a person has to decide first."""

    state: StateId
    epoch: int
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Stand:
    """Where one source stands, and how many records of its entity are known."""

    entity: str
    kind: Kind
    server: str
    cursor: str
    status: str
    position: Mapping[str, Any] | None
    epoch: int
    owner: str
    last_pass_at: datetime | None
    paused_at: datetime | None
    error: str | None
    updated_at: datetime
    live: int = 0
    deleted: int = 0
    bad: int = 0


async def take(pool: Pool, state: StateId, owner: str, key_id: str) -> Owned:
    """Become the owner of a state; who owned it before can write no more. Raises OtherKey, `CatalogUnavailable`."""
    async with pool.transaction() as connection:
        cursor = await connection.execute(_TAKE, {**asdict(state), "owner": owner, "key_id": key_id})
        row = await cursor.fetchone()
        if row is None or row[1] != key_id:
            raise OtherKey
    return Owned(state, int(row[0]), row[2] == "lost")


async def move(
    connection: psycopg.AsyncConnection[TupleRow],
    batch: Batch,
    epoch: int | None,
    key_id: str,
    *,
    unsound: bool = False,
    complete: bool = False,
) -> None:
    """Move a state on within the caller's transaction and hold it until its end; raises Ousted, OtherKey."""
    wanted = {
        **asdict(batch.state),
        "position": None if batch.position is None else orjson.dumps(batch.position).decode(),
        "pass": batch.complete or batch.pass_id,
        "unsound": unsound,
        "complete": complete,
        "epoch": epoch,
        "key_id": key_id,
    }
    row = await (await connection.execute(_MOVE, wanted)).fetchone()
    if row is None and epoch is not None:
        raise Ousted
    if row is None:
        await connection.execute(_MAKE, wanted)
        row = await (await connection.execute(_MOVE, wanted)).fetchone()
    if row is None or row[0] != key_id:
        raise OtherKey


async def position(pool: Pool, state: StateId) -> Mapping[str, Any] | None:
    """Return where a source stood, None before the first batch; raises `CatalogUnavailable`."""
    rows = await pool.rows(_POSITION, asdict(state))
    return rows[0]["position"] if rows else None


async def pass_of(
    connection: psycopg.AsyncConnection[TupleRow], state: StateId, pass_id: str
) -> tuple[datetime, bool] | None:
    """Return when a full pass began and whether it met records without a key; None for another than the current."""
    row = await (await connection.execute(_PASS, {**asdict(state), "pass": pass_id})).fetchone()
    return (row[0], row[1]) if row is not None else None


async def is_first_pass(connection: psycopg.AsyncConnection[TupleRow], state: StateId) -> bool:
    """Return whether no full pass was ever completed."""
    row = await (await connection.execute(_FIRST, asdict(state))).fetchone()
    return row is not None and bool(row[0])


async def tell(pool: Pool, owned: Owned, status: str, error: str | None = None) -> None:
    """Note how it goes, as long as nobody else took over; raises `CatalogUnavailable`."""
    wanted = {**asdict(owned.state), "epoch": owned.epoch, "status": status, "error": error}
    await pool.execute(_TELL, wanted)


async def moved_on(pool: Pool, known: Mapping[StateId, int]) -> frozenset[StateId]:
    """Return the states whose epoch is later than the one known; raises `CatalogUnavailable`."""
    wanted = {"known": orjson.dumps([asdict(each) for each in known]).decode()}
    found = {
        (row["entity"], row["kind"], row["server"], row["cursor"]): row["epoch"]
        for row in await pool.rows(_EPOCHS, wanted)
    }
    return frozenset(
        each
        for each, epoch in known.items()
        if found.get((each.entity, each.kind, each.server, each.cursor), epoch) > epoch
    )


async def pause_others(pool: Pool, mesh: str, known: Collection[StateId]) -> int:
    """Pause what a plan does not capture any more, and return how many those are; raises `CatalogUnavailable`."""
    wanted = {"mesh": mesh, "known": orjson.dumps([asdict(each) for each in known]).decode()}
    return await pool.execute(_PAUSE, wanted)


async def stands(pool: Pool, mesh: str, entity: str | None = None) -> list[Stand]:
    """Return where the sources of a mesh stand, by entity; raises `CatalogUnavailable`."""
    wanted = {"mesh": mesh, "entity": entity}
    counts = {row.pop("entity"): row for row in await pool.rows(_RECORDS, wanted)}
    return [Stand(**row, **counts.get(row["entity"], {})) for row in await pool.rows(_SHOW, wanted)]


async def reset(pool: Pool, mesh: str, entity: str | None = None) -> int:
    """Forget where sources stand, so that the next run begins with a full pass; returns how many states that met.

    Versions and hashes of records stay: what did not change emits nothing. Raises `CatalogUnavailable`.
    """
    return await pool.execute(_RESET, {"mesh": mesh, "entity": entity})

# SPDX-License-Identifier: Apache-2.0
"""What is known of the records of one entity: `dictamesh_entity_state`, read and written a batch at a time."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.capture.folding import Known
from dictamesh.runtime.catalog.arrays import binaries, flags, optional_texts, texts, uuids, wholes

_FIND = b"""
SELECT entity_id, version, deleted, field_hashes, content_hash, bad_hash, withdrawn
  FROM dictamesh_entity_state WHERE mesh = %s AND entity = %s AND entity_id = ANY(%s::text[])
"""
# A state that was lost, as a restored backup loses some, must not let versions go back.
_LOGGED = b"""
SELECT i.id, (e.event_payload->'entity'->>'version')::bigint
  FROM unnest(%s::text[]) AS i (id)
 CROSS JOIN LATERAL (SELECT l.event_payload FROM dictamesh_event_log l
                      WHERE l.entity_type = %s AND l.entity_id = i.id ORDER BY l.id DESC LIMIT 1) e
"""
_DELIVERED = b"SELECT event_id FROM dictamesh_event_log WHERE event_id = ANY(%s::uuid[])"
_WRITE = b"""
INSERT INTO dictamesh_entity_state AS s
    (mesh, entity, entity_id, version, deleted, field_hashes, content_hash, bad_hash, withdrawn)
SELECT %s, %s, r.*
  FROM unnest(%s::text[], %s::bigint[], %s::boolean[], %s::bytea[], %s::bytea[], %s::bytea[], %s::text[]) AS r
    ON CONFLICT (entity, entity_id, mesh) DO UPDATE
   SET version = excluded.version, deleted = excluded.deleted, field_hashes = excluded.field_hashes,
       content_hash = excluded.content_hash, bad_hash = excluded.bad_hash, withdrawn = excluded.withdrawn,
       seen_at = clock_timestamp(), updated_at = clock_timestamp()
"""
_TOUCH = b"""
UPDATE dictamesh_entity_state SET seen_at = clock_timestamp() WHERE mesh = %s AND entity = %s AND entity_id = ANY(%s)
"""
_UNSEEN = b"""
SELECT entity_id FROM dictamesh_entity_state
 WHERE mesh = %s AND entity = %s AND NOT deleted AND version > 0 AND seen_at < %s ORDER BY entity_id
"""
_LIVE = b"""
SELECT count(*) FROM dictamesh_entity_state WHERE mesh = %s AND entity = %s AND NOT deleted AND version > 0
"""
_STILL_UNSEEN = b"""
SELECT entity_id FROM dictamesh_entity_state
 WHERE mesh = %s AND entity = %s AND entity_id = ANY(%s) AND NOT deleted AND version > 0 AND seen_at < %s
"""
# Records that another mesh in the same database knows are that one's.
_RECALL = b"""
INSERT INTO dictamesh_entity_state (mesh, entity, entity_id, version, deleted, seen_at)
SELECT %(mesh)s, %(entity)s, e.entity_id, e.version, false, '-infinity'
  FROM (SELECT DISTINCT ON (l.entity_id) l.entity_id, l.event_type,
               (l.event_payload->'entity'->>'version')::bigint AS version
          FROM dictamesh_event_log l WHERE l.entity_type = %(type)s AND l.topic = %(topic)s
         ORDER BY l.entity_id, l.id DESC) e
 WHERE e.event_type NOT IN ('DELETED', 'ARCHIVED') AND e.version > 0
   AND NOT EXISTS (SELECT FROM dictamesh_entity_state s WHERE s.entity = %(entity)s AND s.entity_id = e.entity_id)
    ON CONFLICT DO NOTHING
"""
_RELEASE = b"""
UPDATE dictamesh_entity_state SET withdrawn = NULL, field_hashes = '', content_hash = '', bad_hash = ''
 WHERE mesh = %s AND entity = %s AND deleted AND seen_at < %s AND (withdrawn IS NOT NULL OR bad_hash <> '')
"""


@dataclass(frozen=True, slots=True)
class Records:
    """The known records of one entity, within transactions of the caller; raises what psycopg raises."""

    mesh: str
    entity: str
    type: str
    topic: str

    async def known(self, connection: psycopg.AsyncConnection[TupleRow], ids: Collection[str]) -> dict[str, Known]:
        """Return what is known of some records."""
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(_FIND, (self.mesh, self.entity, texts(ids)))
            found = {row[0]: Known(*row[1:]) for row in await cursor.fetchall()}
            new = [each for each in ids if each not in found]
            if new:
                await cursor.execute(_LOGGED, (texts(new), self.type))
                found |= {record: Known(version) for record, version in await cursor.fetchall()}
            return found

    async def write(self, connection: psycopg.AsyncConnection[TupleRow], known: Mapping[str, Known]) -> None:
        """Write what is known now."""
        if not known:
            return
        all_ = known.values()
        columns = (
            texts(known.keys()),
            wholes([each.version for each in all_]),
            flags([each.deleted for each in all_]),
            binaries([each.fields for each in all_]),
            binaries([each.content for each in all_]),
            binaries([each.bad for each in all_]),
            optional_texts([each.withdrawn for each in all_]),
        )
        await connection.execute(_WRITE, (self.mesh, self.entity, *columns))

    async def touch(self, connection: psycopg.AsyncConnection[TupleRow], ids: Iterable[str]) -> None:
        """Note that records were seen."""
        await connection.execute(_TOUCH, (self.mesh, self.entity, sorted(ids)))

    async def unseen(self, connection: psycopg.AsyncConnection[TupleRow], since: datetime) -> list[str]:
        """Return the records that were not seen since a time."""
        rows = await connection.execute(_UNSEEN, (self.mesh, self.entity, since))
        return [row[0] for row in await rows.fetchall()]

    async def recall(self, connection: psycopg.AsyncConnection[TupleRow]) -> None:
        """Learn from the log of records that were told of as there and are not known, as after a loss of the state."""
        wanted = {"mesh": self.mesh, "entity": self.entity, "type": self.type, "topic": self.topic}
        await connection.execute(_RECALL, wanted)

    async def live(self, connection: psycopg.AsyncConnection[TupleRow]) -> int:
        """Return how many records are there."""
        row = await (await connection.execute(_LIVE, (self.mesh, self.entity))).fetchone()
        return int(row[0]) if row is not None else 0

    async def still_unseen(
        self, connection: psycopg.AsyncConnection[TupleRow], ids: Collection[str], since: datetime
    ) -> list[str]:
        """Return those of some records that nobody saw meanwhile."""
        rows = await connection.execute(_STILL_UNSEEN, (self.mesh, self.entity, list(ids), since))
        return [row[0] for row in await rows.fetchall()]

    async def release(self, connection: psycopg.AsyncConnection[TupleRow], since: datetime) -> None:
        """Let records that were withdrawn, and that their sources do not hold any more, come back one day."""
        await connection.execute(_RELEASE, (self.mesh, self.entity, since))


async def delivered(connection: psycopg.AsyncConnection[TupleRow], events: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of some events that are in the log."""
    if not events:
        return set()
    rows = await connection.execute(_DELIVERED, (uuids(events),))
    return {row[0] for row in await rows.fetchall()}

# SPDX-License-Identifier: Apache-2.0
"""Deliveries that were recorded: a second one adds nothing, a late one does not undo a newer one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import orjson

from dictamesh.runtime.catalog.pool import Pool

_KNOWN = b"""
SELECT encode(id, 'hex') AS id FROM dictamesh_webhook_deliveries
 WHERE mesh = %(mesh)s AND entity = %(entity)s AND id = ANY(%(ids)s)
"""
_NEWEST = b"""
SELECT encode(record, 'hex') AS record, max(cursor) AS cursor FROM dictamesh_webhook_deliveries
 WHERE mesh = %(mesh)s AND entity = %(entity)s AND record = ANY(%(records)s) AND cursor IS NOT NULL GROUP BY record
"""
_LATEST = b"""
SELECT i.id, e.event_timestamp AS at
  FROM unnest(%(ids)s::text[]) AS i (id)
 CROSS JOIN LATERAL (SELECT l.event_timestamp FROM dictamesh_event_log l
                      WHERE l.entity_type = %(type)s AND l.entity_id = i.id ORDER BY l.id DESC LIMIT 1) e
"""
_REMEMBER = b"""
INSERT INTO dictamesh_webhook_deliveries (mesh, entity, id, record, cursor)
SELECT %(mesh)s, %(entity)s, decode(r.id, 'hex'), decode(r.record, 'hex'), r.cursor
  FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (id text, record text, cursor numeric)
 ORDER BY r.id COLLATE "C"
    ON CONFLICT ON CONSTRAINT pk_dictamesh_webhook_deliveries DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is remembered of a delivery: `ids`, each of which makes it known, and how far its record had grown.

    `record` is a hash of its key, `id` how topics name it, `at` the cursor where that is a time.
    """

    ids: tuple[bytes, ...]
    record: bytes | None = None
    cursor: Decimal | None = None
    id: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """The deliveries of one entity (`product#Entity`, of the GraphQL type `type`) in one mesh."""

    pool: Pool
    mesh: str
    entity: str
    type: str

    async def ids(self, wanted: Collection[bytes]) -> set[bytes]:
        """Return those ids that were recorded; raises `CatalogUnavailable`."""
        if not wanted:
            return set()
        rows = await self.pool.rows(_KNOWN, {**self._of, "ids": list(wanted)})
        return {bytes.fromhex(row["id"]) for row in rows}

    async def newest(self, records: Collection[bytes]) -> dict[bytes, Decimal]:
        """Return the furthest cursor of each record that has one; raises `CatalogUnavailable`."""
        if not records:
            return {}
        rows = await self.pool.rows(_NEWEST, {**self._of, "records": list(records)})
        return {bytes.fromhex(row["record"]): row["cursor"] for row in rows}

    async def told(self, wanted: Collection[str]) -> dict[str, datetime]:
        """Return when the latest event of each record says that it changed, by id; raises `CatalogUnavailable`.

        Whatever noticed that change, a delivery that is older tells nothing new.
        """
        if not wanted:
            return {}
        rows = await self.pool.rows(_LATEST, {"type": self.type, "ids": list(wanted)})
        return {row["id"]: row["at"] for row in rows}

    async def remember(self, marks: Sequence[Mark]) -> None:
        """Remember what was recorded; raises `CatalogUnavailable`."""
        rows = [
            {
                "id": id_.hex(),
                "record": mark.record.hex() if mark.record and mark.cursor is not None else None,
                "cursor": None if mark.cursor is None else str(mark.cursor),
            }
            for mark in marks
            for id_ in mark.ids
        ]
        if rows:
            await self.pool.execute(_REMEMBER, {**self._of, "rows": orjson.dumps(rows).decode()})

    @property
    def _of(self) -> Mapping[str, object]:
        return {"mesh": self.mesh, "entity": self.entity}

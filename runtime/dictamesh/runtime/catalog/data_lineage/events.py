# SPDX-License-Identifier: Apache-2.0
"""The last events that the mesh sent, kept to be read again (`GET /api/v1/lineage/events`)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dictamesh.runtime.catalog.data_lineage.keys import key_of
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.lineage.openlineage.events import Event
from dictamesh.runtime.observe.lineage.emitter import SinkFailed

_INSERT = b"""
INSERT INTO dictamesh_lineage_events (direction, event_key, event_type, event_time, run_id, entity_types, event)
SELECT 'out', event_key, event_type, event_time, run_id, entity_types, event
  FROM jsonb_to_recordset(%s::jsonb) AS r (event_key text, event_type text, event_time timestamptz, run_id uuid,
       entity_types text[], event jsonb)
    ON CONFLICT ON CONSTRAINT uq_dictamesh_lineage_events_key DO NOTHING
"""
_TRIM = b"""
DELETE FROM dictamesh_lineage_events WHERE direction = 'out' AND id <=
    (SELECT id FROM dictamesh_lineage_events WHERE direction = 'out' ORDER BY id DESC OFFSET %s LIMIT 1)
"""
_PAGE = b"""
SELECT event FROM dictamesh_lineage_events
 WHERE direction = 'out' AND NOT entity_types && %(hidden)s::text[]
   AND (%(type)s::text IS NULL OR event_type = %(type)s)
 ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s
"""
_COUNT = b"""
SELECT count(*) AS total FROM dictamesh_lineage_events
 WHERE direction = 'out' AND NOT entity_types && %(hidden)s::text[]
   AND (%(type)s::text IS NULL OR event_type = %(type)s)
"""


@dataclass(frozen=True, slots=True)
class SentEvents:
    """Events, the newest first; ``total`` counts all that the reader may see."""

    items: tuple[dict[str, Any], ...]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class CatalogSink:
    """A sink of the emitter that keeps the last ``kept`` events."""

    pool: Pool
    kept: int
    name: str = "catalog"

    async def send(self, events: Sequence[Event]) -> None:
        try:
            await keep_events(self.pool, events, self.kept)
        except CatalogUnavailable as error:
            raise SinkFailed(error.message, passing=True) from None

    async def close(self) -> None:
        pass


async def keep_events(pool: Pool, events: Sequence[Event], kept: int) -> None:
    """Keep events, and of all only the last ``kept``. Raises ``CatalogUnavailable``."""
    rows = [
        {
            "event_key": key_of(each.body),
            "event_type": each.body.get("eventType"),
            "event_time": each.body["eventTime"],
            "run_id": each.body.get("run", {}).get("runId"),
            "entity_types": sorted(address.partition("#")[2] for address in each.entities),
            "event": each.body,
        }
        for each in events
    ]
    await pool.execute(_INSERT, (orjson.dumps(rows).decode(),))
    await pool.execute(_TRIM, (kept,))


async def kept_events(
    pool: Pool, limit: int, offset: int, *, event_type: str | None = None, hidden: Collection[str] = ()
) -> SentEvents:
    """Return a page of what is kept; events that tell of an entity type in ``hidden`` are as if they were not there."""
    parameters = {"limit": limit, "offset": offset, "type": event_type, "hidden": sorted(hidden)}
    found = await pool.rows(_PAGE, parameters)
    total = (await pool.rows(_COUNT, parameters))[0]["total"]
    return SentEvents(tuple(row["event"] for row in found), total, limit, offset)

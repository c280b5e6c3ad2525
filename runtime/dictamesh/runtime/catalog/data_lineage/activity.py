# SPDX-License-Identifier: Apache-2.0
"""Flow activity: which edges carry data, since when and how fast (MC-6, GL-7); written in batches, off the hot path."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from dictamesh.runtime.catalog.pool import Pool

QUIET_SECONDS = 3600  # without a flow for so long an edge is not active any more
# The average is one over all calls: the new ones weigh as much as there were of them.
_FLOWED = b"""
UPDATE dictamesh_data_lineage e
   SET data_flow_active = true, last_flow_at = greatest(e.last_flow_at, r.last_at),
       flow_count = e.flow_count + r.calls,
       average_latency_ms = (coalesce(e.average_latency_ms, 0) * e.flow_count + r.milliseconds)
                            / (e.flow_count + r.calls)
  FROM jsonb_to_recordset(%(flows)s::jsonb) AS r (entity text, calls bigint, milliseconds double precision,
       last_at timestamptz)
  JOIN dictamesh_lineage_nodes d ON d.entity = r.entity AND d.kind = 'field'
 WHERE e.downstream_node = d.id AND e.mesh = %(mesh)s AND e.valid_to IS NULL AND e.provenance <> 'observed'
   AND e.transformation_type = 'DIRECT'
   AND EXISTS (SELECT FROM dictamesh_lineage_nodes u WHERE u.id = e.upstream_node AND u.kind = 'column')
"""
_QUIET = b"""
UPDATE dictamesh_data_lineage SET data_flow_active = false
 WHERE mesh = %(mesh)s AND data_flow_active AND last_flow_at < now() - make_interval(secs => %(quiet)s)
"""


@dataclass(frozen=True, slots=True)
class Flowed:
    """Calls that brought rows of an entity, summed: their number, their time in all, and when the last ended."""

    entity: str
    calls: int
    seconds: float
    last: datetime


async def record_flows(pool: Pool, mesh: str, flows: Sequence[Flowed]) -> None:
    """Bring the edges from sources into entities up to date. Raises ``CatalogUnavailable``."""
    rows = [
        {"entity": each.entity, "calls": each.calls, "milliseconds": each.seconds * 1000, "last_at": each.last}
        for each in flows
    ]
    if rows:
        await pool.execute(_FLOWED, {"mesh": mesh, "flows": orjson.dumps(rows).decode()})
    await pool.execute(_QUIET, {"mesh": mesh, "quiet": QUIET_SECONDS})

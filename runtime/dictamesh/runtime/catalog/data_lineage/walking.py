# SPDX-License-Identifier: Apache-2.0
"""Lineage read from the catalog: from an address up or down, as of an instant, within what the caller may know of."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from dictamesh.runtime.catalog.errors import EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.pool import Pool

Direction = Literal["upstream", "downstream", "both"]
DIRECTIONS: tuple[Direction, ...] = ("upstream", "downstream", "both")
DEFAULT_DEPTH = 3
DEEPEST = 10
LARGEST = 2000  # nodes of one answer
ACTIVE = timedelta(hours=1)  # how long after the last flow an edge counts as active

_STARTS = b"""
WITH named AS (
    SELECT * FROM dictamesh_lineage_nodes WHERE md5(address) = md5(%(address)s) AND address = %(address)s
     UNION
    SELECT * FROM dictamesh_lineage_nodes
     WHERE kind = 'field' AND field = '' AND mesh IS NOT NULL AND split_part(entity, '#', 1) = %(address)s
)
SELECT n.id FROM named n LEFT JOIN dictamesh_lineage_nodes d ON d.id = n.dataset_id
 WHERE dictamesh_lineage_shown(n.needs_types, n.reader_types, d.needs_types, d.reader_types, %(hidden)s::text[])
 ORDER BY n.address COLLATE "C", n.id LIMIT 100
"""
_WALK = b"""
SELECT edge::text AS edge, node, near, steps, cut
  FROM dictamesh_lineage_walk(
       %(begin)s::bigint[], %(upstream)s, %(depth)s, %(most)s, coalesce(%(as_of)s::timestamptz, 'infinity'),
       %(hidden)s::text[])
"""
_NODES = b"""
SELECT n.id AS number, n.address, n.kind, n.namespace, n.name, nullif(n.field, '') AS field, n.entity,
       n.mesh IS NULL AS external
  FROM dictamesh_lineage_nodes n WHERE n.id = ANY (%(nodes)s)
"""
_EDGES = b"""
SELECT u.address AS "from", d.address AS "to", e.transformation_type AS type, e.transformation_subtype AS subtype,
       e.transformation_kind AS kind, e.transformation_logic AS description, e.masking, e.clear_for AS "clearFor",
       e.provenance, CASE WHEN j.id IS NULL THEN NULL ELSE j.namespace || '/' || j.name END AS job,
       e.data_flow_active AND e.last_flow_at > now() - %(active)s AS "dataFlowActive",
       e.last_flow_at AS "lastFlowAt", e.average_latency_ms AS "averageLatencyMs",
       e.valid_from AS "validFrom", e.valid_to AS "validTo"
  FROM dictamesh_data_lineage e
  JOIN dictamesh_lineage_nodes u ON u.id = e.upstream_node
  JOIN dictamesh_lineage_nodes d ON d.id = e.downstream_node
  LEFT JOIN dictamesh_lineage_jobs j ON j.id = e.job_id
 WHERE e.id = ANY (%(edges)s::uuid[])
 ORDER BY u.address COLLATE "C", d.address COLLATE "C", e.transformation_subtype, e.provenance, e.edge_key
"""


@dataclass(frozen=True, slots=True)
class LineageAnswer:
    """`nodes` by depth, then address; `edges` between them; `truncated` says that there was more. Values are JSON's."""

    address: str
    direction: Direction
    depth: int
    as_of: datetime
    nodes: tuple[dict[str, Any], ...]
    edges: tuple[dict[str, Any], ...]
    truncated: bool

    def as_json(self) -> dict[str, Any]:
        """Return the answer as it is sent; `docs/how-to/lineage.md` lists the keys."""
        return {
            "address": self.address,
            "direction": self.direction,
            "depth": self.depth,
            "asOf": self.as_of,
            "nodes": self.nodes,
            "edges": self.edges,
            "truncated": self.truncated,
        }


async def lineage(
    pool: Pool,
    address: str,
    direction: Direction = "both",
    depth: int = DEFAULT_DEPTH,
    as_of: datetime | None = None,
    *,
    hidden: Collection[str] = (),
) -> LineageAnswer:
    """Return the lineage of an address, `depth` edges far; entity types in `hidden` are as if they were not there.

    An address is one that answers show (`customers#Customer.email`, `graphql:Customer.email`, a column's), an entity or
    a product. Raises ``EntityNotFound``, ``InvalidRequest`` for a depth outside 1-10 and ``CatalogUnavailable``.
    """
    if not 1 <= depth <= DEEPEST:
        raise InvalidRequest(f"depth must be between 1 and {DEEPEST}")
    if direction not in DIRECTIONS:
        raise InvalidRequest(f"direction is one of {', '.join(DIRECTIONS)}")
    common: dict[str, Any] = {"hidden": sorted(hidden), "as_of": as_of, "depth": depth, "most": LARGEST}
    begin = [row["id"] for row in await pool.rows(_STARTS, {"address": address, **common})]
    if not begin:
        raise EntityNotFound(address)
    depths, edges, truncated = dict.fromkeys(begin, 0), set[str](), False
    for way in ("upstream", "downstream"):
        if direction in {way, "both"}:
            found = await pool.rows(_WALK, {"begin": begin, "upstream": way == "upstream", **common})
            truncated |= any(row["cut"] for row in found)
            for row in (row for row in found if row["edge"] is not None):
                edges.add(row["edge"])
                depths[row["node"]] = min(depths.get(row["node"], row["steps"]), row["steps"])
                # the rows of a dataset are decided: it belongs to the picture, where the walk did not pass it
                depths.setdefault(row["near"], row["steps"] - 1)
    return LineageAnswer(
        address,
        direction,
        depth,
        as_of or datetime.now(UTC),
        await _nodes(pool, depths),
        tuple(await pool.rows(_EDGES, {"edges": sorted(edges), "active": ACTIVE})),
        truncated,
    )


def provider(pool: Pool) -> Callable[[str, Direction, int, datetime | None], Awaitable[LineageAnswer]]:
    """Return who knows lineage by address, direction, depth and instant; whoever asks, nothing is hidden."""
    return partial(lineage, pool)


async def _nodes(pool: Pool, depths: dict[int, int]) -> tuple[dict[str, Any], ...]:
    found = await pool.rows(_NODES, {"nodes": sorted(depths)})
    told = [{**row, "depth": depths[row["number"]]} for row in found]
    told.sort(key=lambda row: (row["depth"], row["address"], row.pop("number")))
    return tuple(told)

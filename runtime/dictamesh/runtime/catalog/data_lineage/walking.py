# SPDX-License-Identifier: Apache-2.0
"""Lineage read from the catalog: from an address up or down, as of an instant, within what the caller may know of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from dictamesh.runtime.catalog.errors import EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.pool import Pool

Direction = Literal["upstream", "downstream", "both"]
DIRECTIONS: tuple[Direction, ...] = ("upstream", "downstream", "both")
DEFAULT_DEPTH = 3
DEEPEST = 10
LARGEST = 2000  # nodes of one answer, or of several that are asked for together
LEAST = 50  # nodes that each of several may have
ACTIVE = timedelta(hours=1)  # how long after the last flow an edge counts as active

_STARTS = b"""
WITH asked AS (SELECT DISTINCT a AS asked FROM unnest(%(addresses)s::text[]) a),
named AS (
    SELECT a.asked, n.* FROM asked a JOIN dictamesh_lineage_nodes n ON md5(n.address) = md5(a.asked)
       AND n.address = a.asked
     UNION
    SELECT a.asked, n.* FROM asked a JOIN dictamesh_lineage_nodes n ON split_part(n.entity, '#', 1) = a.asked
     WHERE n.kind = 'field' AND n.field = '' AND n.mesh IS NOT NULL
),
numbered AS (
    SELECT n.asked, n.id, row_number() OVER (PARTITION BY n.asked ORDER BY n.address COLLATE "C", n.id) AS place
      FROM named n LEFT JOIN dictamesh_lineage_nodes d ON d.id = n.dataset_id
     WHERE dictamesh_lineage_shown(n.needs_types, n.reader_types, d.needs_types, d.reader_types, %(hidden)s::text[])
)
SELECT asked, id FROM numbered WHERE place <= 100 ORDER BY asked, place
"""
_WALK = b"""
SELECT s.asked, w.edge::text AS edge, w.node, w.near, w.steps, w.cut
  FROM jsonb_to_recordset(%(starts)s::jsonb) AS s (asked text, nodes bigint[])
 CROSS JOIN LATERAL dictamesh_lineage_walk(
       s.nodes, %(upstream)s, %(depth)s, %(most)s, coalesce(%(as_of)s::timestamptz, 'infinity'),
       %(hidden)s::text[]) w
"""
_NODES = b"""
SELECT n.id AS number, n.address, n.kind, n.namespace, n.name, nullif(n.field, '') AS field, n.entity,
       n.mesh IS NULL AS external
  FROM dictamesh_lineage_nodes n WHERE n.id = ANY (%(numbers)s)
"""
_EDGES = b"""
SELECT e.id::text AS id, u.address AS "from", d.address AS "to",
       e.transformation_type AS type, e.transformation_subtype AS subtype,
       e.transformation_kind AS kind, e.transformation_logic AS description, e.masking, e.clear_for AS "clearFor",
       e.provenance, CASE WHEN j.id IS NULL THEN NULL ELSE j.namespace || '/' || j.name END AS job,
       e.data_flow_active AND e.last_flow_at > now() - %(active)s AS "dataFlowActive",
       e.last_flow_at AS "lastFlowAt", e.average_latency_ms AS "averageLatencyMs",
       e.valid_from AS "validFrom", e.valid_to AS "validTo"
  FROM dictamesh_data_lineage e
  JOIN dictamesh_lineage_nodes u ON u.id = e.upstream_node
  JOIN dictamesh_lineage_nodes d ON d.id = e.downstream_node
  LEFT JOIN dictamesh_lineage_jobs j ON j.id = e.job_id
 WHERE e.id = ANY (%(numbers)s::uuid[])
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
    found = await lineages(pool, [address], direction, depth, as_of, hidden=hidden)
    if address not in found:
        raise EntityNotFound(address)
    return found[address]


async def lineages(
    pool: Pool,
    addresses: Collection[str],
    direction: Direction = "both",
    depth: int = DEFAULT_DEPTH,
    as_of: datetime | None = None,
    *,
    hidden: Collection[str] = (),
) -> dict[str, LineageAnswer]:
    """Return the lineage of several addresses as `lineage` does; those that are not known are left out.

    However many they are, it takes five statements.
    """
    if not 1 <= depth <= DEEPEST:
        raise InvalidRequest(f"depth must be between 1 and {DEEPEST}")
    if direction not in DIRECTIONS:
        raise InvalidRequest(f"direction is one of {', '.join(DIRECTIONS)}")
    common: dict[str, Any] = {"hidden": sorted(hidden), "as_of": as_of, "depth": depth}
    walks: dict[str, _Walk] = {}
    for row in await pool.rows(_STARTS, {"addresses": sorted(addresses), **common}):
        walks.setdefault(row["asked"], _Walk()).depths[row["id"]] = 0
    common["most"] = max(LARGEST // max(len(walks), 1), LEAST)
    starts = orjson.dumps([{"asked": name, "nodes": list(each.depths)} for name, each in walks.items()]).decode()
    for way in ("upstream", "downstream"):
        if walks and direction in {way, "both"}:
            for row in await pool.rows(_WALK, {"starts": starts, "upstream": way == "upstream", **common}):
                walks[row["asked"]].meet(row)
    nodes = await _by(pool, _NODES, "number", {node for each in walks.values() for node in each.depths})
    edges = await _by(pool, _EDGES, "id", {edge for each in walks.values() for edge in each.edges})
    at = as_of or datetime.now(UTC)
    return {
        name: LineageAnswer(name, direction, depth, at, each.nodes(nodes), each.between(edges), each.truncated)
        for name, each in walks.items()
    }


@dataclass(slots=True)
class _Walk:
    """What is met around one address."""

    depths: dict[int, int] = field(default_factory=dict)
    edges: set[str] = field(default_factory=set)
    truncated: bool = False

    def meet(self, row: Mapping[str, Any]) -> None:
        self.truncated |= row["cut"]
        if row["edge"] is None:
            return
        self.edges.add(row["edge"])
        self.depths[row["node"]] = min(self.depths.get(row["node"], row["steps"]), row["steps"])
        # the rows of a dataset are decided: it belongs to the picture, where the walk did not pass it
        self.depths.setdefault(row["near"], row["steps"] - 1)

    def nodes(self, known: Mapping[Any, Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
        told = sorted((depth, known[node]["address"], node) for node, depth in self.depths.items())
        return tuple({**known[node], "depth": depth} for depth, _, node in told)

    def between(self, known: Mapping[Any, Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
        return tuple(dict(row) for number, row in known.items() if number in self.edges)


async def _by(pool: Pool, statement: bytes, name: str, numbers: set[Any]) -> dict[Any, dict[str, Any]]:
    """Return rows in their order by the column `name`, which they do not hold any more."""
    if not numbers:
        return {}
    rows = await pool.rows(statement, {"numbers": sorted(numbers), "active": ACTIVE})
    return {row.pop(name): row for row in rows}

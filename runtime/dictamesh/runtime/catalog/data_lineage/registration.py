# SPDX-License-Identifier: Apache-2.0
"""The lineage of a plan written into the catalog; what it no longer says becomes history (GL-6)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.data_lineage.keys import key_of, node_key
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import FlowPlan, Plan
from dictamesh.runtime.lineage.model import Edge, Graph, Kind, Node
from dictamesh.specs.resolved import DatasetField

Foreign = frozenset[tuple[str, str]]
"""Datasets outside the mesh, by namespace and name."""
R = TypeVar("R")

# Replicas register one after another, as with the rest of the catalog.
_LOCK = b"SELECT pg_advisory_xact_lock(7163846509)"
_KNOWN = b"SELECT graph_hash FROM dictamesh_lineage_registrations WHERE mesh = %(mesh)s"
_KNOWN_NODES = b"SELECT node_key, facts_key FROM dictamesh_lineage_nodes WHERE mesh = %(mesh)s"
_KNOWN_EDGES = b"""
SELECT edge_key FROM dictamesh_data_lineage WHERE mesh = %(mesh)s AND valid_to IS NULL AND provenance <> 'observed'
"""
_NODES = b"""
INSERT INTO dictamesh_lineage_nodes AS n
    (node_key, address, kind, namespace, name, field, dataset_id, mesh, entity, needs_types, reader_types, facts_key)
SELECT r.node_key, r.address, r.kind, r.namespace, r.name, r.field, d.id, %(mesh)s, r.entity, r.needs_types,
       r.reader_types, r.facts_key
  FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (node_key text, address text, kind text, namespace text, name text,
       field text, dataset_key text, entity text, needs_types text[], reader_types text[], facts_key text)
  LEFT JOIN dictamesh_lineage_nodes d ON d.node_key = r.dataset_key
    ON CONFLICT ON CONSTRAINT uq_dictamesh_lineage_nodes_key DO UPDATE
   SET address = excluded.address, kind = excluded.kind, dataset_id = excluded.dataset_id, mesh = excluded.mesh,
       entity = excluded.entity, needs_types = excluded.needs_types, reader_types = excluded.reader_types,
       facts_key = excluded.facts_key, last_seen_at = now()
"""
_CLOSED = b"""
UPDATE dictamesh_data_lineage e
   SET valid_to = greatest(now(), e.valid_from + interval '1 microsecond'), data_flow_active = false
 WHERE e.mesh = %(mesh)s AND e.valid_to IS NULL AND e.provenance <> 'observed' AND e.edge_key = ANY (%(rows)s)
"""
_EDGES = b"""
INSERT INTO dictamesh_data_lineage
    (edge_key, mesh, upstream_node, upstream_catalog_id, upstream_system, downstream_node, downstream_catalog_id,
     downstream_system, transformation_type, transformation_subtype, transformation_logic, masking, clear_for,
     provenance)
SELECT r.edge_key, %(mesh)s, u.id, uc.id, r.upstream_system, d.id, dc.id, r.downstream_system, r.type, r.subtype,
       r.logic, r.masking, r.clear_for, r.provenance
  FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (edge_key text, upstream text, upstream_entity text,
       upstream_source text, upstream_system text, downstream text, downstream_entity text, downstream_source text,
       downstream_system text, type text, subtype text, logic text, masking boolean, clear_for text, provenance text)
  JOIN dictamesh_lineage_nodes u ON u.node_key = r.upstream
  JOIN dictamesh_lineage_nodes d ON d.node_key = r.downstream
  LEFT JOIN dictamesh_entity_catalog uc ON uc.entity_type = r.upstream_entity AND uc.source_entity_id = '*'
        AND uc.source_system = r.upstream_source
  LEFT JOIN dictamesh_entity_catalog dc ON dc.entity_type = r.downstream_entity AND dc.source_entity_id = '*'
        AND dc.source_system = r.downstream_source
    ON CONFLICT (mesh, edge_key) WHERE valid_to IS NULL DO NOTHING
"""
_REMEMBER = b"""
INSERT INTO dictamesh_lineage_registrations (mesh, graph_hash) VALUES (%(mesh)s, %(hash)s)
    ON CONFLICT ON CONSTRAINT pk_dictamesh_lineage_registrations DO UPDATE
   SET graph_hash = excluded.graph_hash, registered_at = now()
"""
CHUNK = 5000  # rows of one statement, so that none takes long


@dataclass(frozen=True, slots=True)
class LineageRows:
    """The rows of a plan's lineage; make them with ``lineage_rows``, which takes seconds for 1,000 products."""

    mesh: str
    nodes: tuple[dict[str, Any], ...]
    edges: tuple[dict[str, Any], ...]
    hash: str


def lineage_rows(plan: Plan, graph: Graph) -> LineageRows:
    """Return what the catalog is to hold of a plan's lineage."""
    nodes = tuple(_node(each, readers) for each, readers in _with_readers(graph))
    foreign = frozenset(_foreign(plan.flows))
    edges = tuple(_edge(plan, edge, foreign) for edge in graph.edges)
    said = [each["facts_key"] for each in nodes], [each["edge_key"] for each in edges]
    return LineageRows(plan.name, nodes, edges, key_of(*said))


async def register_lineage(pool: Pool, rows: LineageRows) -> bool:
    """Bring the catalog to what ``rows`` say, all or nothing; return whether anything was written.

    The same lineage twice writes nothing. Edges that are gone or say something else get ``valid_to``, so that lineage
    is known as of any past instant. Raises ``CatalogUnavailable``.
    """
    parameters = {"mesh": rows.mesh, "hash": rows.hash}
    async with pool.transaction() as connection:
        await connection.execute(_LOCK)
        known = await (await connection.execute(_KNOWN, parameters)).fetchone()
        if known is not None and known[0] == rows.hash:
            return False
        nodes = dict(await (await connection.execute(_KNOWN_NODES, parameters)).fetchall())
        edges = {row[0] for row in await (await connection.execute(_KNOWN_EDGES, parameters)).fetchall()}
        changed = [each for each in rows.nodes if nodes.get(each["node_key"]) != each["facts_key"]]
        gone = sorted(edges - {each["edge_key"] for each in rows.edges})
        new = [each for each in rows.edges if each["edge_key"] not in edges]
        await _each(connection, _NODES, rows.mesh, [each for each in changed if not each["field"]])
        await _each(connection, _NODES, rows.mesh, [each for each in changed if each["field"]])
        for chunk in _chunks(gone):
            await connection.execute(_CLOSED, {"mesh": rows.mesh, "rows": chunk})
        await _each(connection, _EDGES, rows.mesh, new)
        await connection.execute(_REMEMBER, parameters)
    return True


async def _each(
    connection: AsyncConnection[TupleRow], statement: bytes, mesh: str, rows: Sequence[dict[str, Any]]
) -> None:
    for chunk in _chunks(rows):
        await connection.execute(statement, {"mesh": mesh, "rows": orjson.dumps(chunk).decode()})


def _chunks(rows: Sequence[R]) -> Iterator[list[R]]:
    for start in range(0, len(rows), CHUNK):
        yield list(rows[start : start + CHUNK])


def _with_readers(graph: Graph) -> Iterator[tuple[Node, tuple[str, ...]]]:
    """Every node and every dataset of one, with the entity types that read it."""
    readers: dict[Node, set[str]] = {}
    for edge in graph.edges:
        if edge.source.kind is Kind.COLUMN and edge.target.entity is not None:
            for at in {edge.source, edge.source.dataset}:
                readers.setdefault(at, set()).add(_type(edge.target.entity))
    _through_columns(graph, readers)
    for each in dict.fromkeys(each for node in graph.nodes for each in (node.dataset, node)):
        yield each, tuple(sorted(readers.get(each, ())))


def _through_columns(graph: Graph, readers: dict[Node, set[str]]) -> None:
    """Add whoever reads a column to the readers of what is declared to fill it."""
    between = [edge for edge in graph.edges if edge.source.kind is edge.target.kind is Kind.COLUMN]
    grown = True
    while grown:
        grown = False
        for edge in between:
            theirs = readers.get(edge.target) or readers.get(edge.target.dataset, set())
            for at in {edge.source, edge.source.dataset}:
                own = readers.setdefault(at, set())
                grown |= not theirs <= own
                own |= theirs


def _node(node: Node, readers: tuple[str, ...]) -> dict[str, Any]:
    needs = [_type(each) for each in (node.entity, node.behind) if each is not None]
    facts = {
        "node_key": node_key(node.namespace, node.name, node.field),
        "address": node.id,
        "kind": node.kind.value,
        "namespace": node.namespace,
        "name": node.name,
        "field": node.field,
        "dataset_key": node_key(node.namespace, node.name) if node.field else None,
        "entity": node.entity,
        "needs_types": sorted(set(needs)),
        "reader_types": list(readers),
    }
    return {**facts, "facts_key": key_of(*facts.values())}


def _foreign(flows: Iterable[FlowPlan]) -> Iterator[tuple[str, str]]:
    for each in flows:
        if isinstance(each.source, DatasetField) and each.source.namespace is not None:
            yield each.source.namespace, each.source.name


def _edge(plan: Plan, edge: Edge, foreign: Foreign) -> dict[str, Any]:
    ends = {
        name: _end(plan, edge, node, foreign) for name, node in (("upstream", edge.source), ("downstream", edge.target))
    }
    said = {
        "type": edge.type.value,
        "subtype": edge.subtype.value,
        "logic": edge.description or None,
        "masking": edge.masking,
        "clear_for": edge.audience,
        "provenance": edge.provenance.value,
    }
    key = key_of(ends["upstream"]["key"], ends["downstream"]["key"], *said.values())
    return {
        "edge_key": key,
        **{name: end["key"] for name, end in ends.items()},
        **{f"{name}_{part}": end[part] for name, end in ends.items() for part in ("entity", "source", "system")},
        **said,
    }


def _end(plan: Plan, edge: Edge, node: Node, foreign: Foreign) -> Mapping[str, Any]:
    """One end of an edge: its key, the row of the catalog that it belongs to, and the system that it lies in."""
    key = node_key(node.namespace, node.name, node.field)
    if node.kind is Kind.COLUMN:
        known = (node.namespace, node.name) not in foreign
        reader = plan.entities.get(edge.target.entity or "") if known else None
        return {"key": key, "entity": None, "source": None, "system": reader.server if reader else node.namespace}
    entity = plan.entities.get(node.entity or "")
    if entity is None:
        return {"key": key, "entity": None, "source": None, "system": plan.name}
    return {"key": key, "entity": entity.name, "source": entity.server, "system": plan.name}


def _type(address: str) -> str:
    return address.partition("#")[2]

# SPDX-License-Identifier: Apache-2.0
"""The lineage of a plan written into the catalog; what it no longer says becomes history (GL-6)."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from dictamesh.runtime.catalog.lineage.keys import key_of, node_key
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.lineage.model import Edge, Graph, Kind, Node

# Replicas register one after another, as with the rest of the catalog.
_LOCK = b"SELECT pg_advisory_xact_lock(7163846509)"
_KNOWN = b"SELECT graph_hash FROM dictamesh_lineage_registrations WHERE mesh = %(mesh)s"
_NODES = b"""
INSERT INTO dictamesh_lineage_nodes AS n
    (node_key, address, kind, namespace, name, field, dataset_id, mesh, entity, needs_types, reader_types)
SELECT r.node_key, r.address, r.kind, r.namespace, r.name, r.field, d.id, %(mesh)s, r.entity, r.needs_types,
       r.reader_types
  FROM jsonb_to_recordset(%(nodes)s::jsonb) AS r (node_key text, address text, kind text, namespace text, name text,
       field text, dataset_key text, entity text, needs_types text[], reader_types text[])
  LEFT JOIN dictamesh_lineage_nodes d ON d.node_key = r.dataset_key
 ORDER BY r.node_key
    ON CONFLICT ON CONSTRAINT uq_dictamesh_lineage_nodes_key DO UPDATE
   SET address = excluded.address, kind = excluded.kind, dataset_id = excluded.dataset_id, mesh = excluded.mesh,
       entity = excluded.entity, needs_types = excluded.needs_types, reader_types = excluded.reader_types,
       last_seen_at = now()
"""
_CLOSED = b"""
UPDATE dictamesh_data_lineage e
   SET valid_to = greatest(now(), e.valid_from + interval '1 microsecond'), data_flow_active = false
 WHERE e.mesh = %(mesh)s AND e.valid_to IS NULL AND e.provenance <> 'observed'
   AND NOT EXISTS (SELECT FROM jsonb_to_recordset(%(edges)s::jsonb) AS r (edge_key text) WHERE r.edge_key = e.edge_key)
"""
_EDGES = b"""
INSERT INTO dictamesh_data_lineage
    (edge_key, mesh, upstream_node, upstream_catalog_id, upstream_system, downstream_node, downstream_catalog_id,
     downstream_system, transformation_type, transformation_subtype, transformation_logic, masking, clear_for,
     provenance)
SELECT r.edge_key, %(mesh)s, u.id, uc.id, r.upstream_system, d.id, dc.id, r.downstream_system, r.type, r.subtype,
       r.logic, r.masking, r.clear_for, r.provenance
  FROM jsonb_to_recordset(%(edges)s::jsonb) AS r (edge_key text, upstream text, upstream_entity text,
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


async def register_lineage(pool: Pool, plan: Plan, graph: Graph) -> bool:
    """Bring the catalog to what a plan's lineage says; return whether anything was written.

    The same graph twice writes nothing. Edges that are gone or say something else get `valid_to`, so that lineage is
    known as of any past instant. Raises ``CatalogUnavailable``.
    """
    nodes = [_node(each, readers) for each, readers in _with_readers(graph)]
    edges = [_edge(plan, edge) for edge in graph.edges]
    parameters: dict[str, Any] = {
        "mesh": plan.name,
        "hash": key_of(nodes, edges),
        "edges": orjson.dumps(edges).decode(),
    }
    async with pool.transaction() as connection:
        await connection.execute(_LOCK)
        known = await (await connection.execute(_KNOWN, parameters)).fetchone()
        if known is not None and known[0] == parameters["hash"]:
            return False
        for some in ([each for each in nodes if not each["field"]], [each for each in nodes if each["field"]]):
            await connection.execute(_NODES, {**parameters, "nodes": orjson.dumps(some).decode()})
        for statement in (_CLOSED, _EDGES, _REMEMBER):
            await connection.execute(statement, parameters)
    return True


def _with_readers(graph: Graph) -> Iterator[tuple[Node, tuple[str, ...]]]:
    """Every node and every dataset of one, with the entity types that read it."""
    readers: dict[Node, set[str]] = {}
    for edge in graph.edges:
        if edge.source.kind is Kind.COLUMN and edge.target.entity is not None:
            for at in {edge.source, edge.source.dataset}:
                readers.setdefault(at, set()).add(_type(edge.target.entity))
    every = dict.fromkeys(each for node in graph.nodes for each in (_dataset(node), node))
    for each in every:
        yield each, tuple(sorted(readers.get(each, ())))


def _dataset(node: Node) -> Node:
    return node.dataset


def _node(node: Node, readers: tuple[str, ...]) -> dict[str, Any]:
    needs = [_type(each) for each in (node.entity, node.behind) if each is not None]
    return {
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


def _edge(plan: Plan, edge: Edge) -> dict[str, Any]:
    ends = {name: _end(plan, edge, node) for name, node in (("upstream", edge.source), ("downstream", edge.target))}
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


def _end(plan: Plan, edge: Edge, node: Node) -> Mapping[str, Any]:
    """One end of an edge: its key, the row of the catalog that it belongs to, and the system that it lies in."""
    key = node_key(node.namespace, node.name, node.field)
    if node.kind is Kind.COLUMN:
        reader = plan.entities.get(edge.target.entity or "")
        return {"key": key, "entity": None, "source": None, "system": reader.server if reader else node.namespace}
    entity = plan.entities.get(node.entity or "")
    if entity is None:
        return {"key": key, "entity": None, "source": None, "system": plan.name}
    return {"key": key, "entity": entity.name, "source": entity.server, "system": plan.name}


def _type(address: str) -> str:
    return address.partition("#")[2]

# SPDX-License-Identifier: Apache-2.0
"""Events of other producers, taken in: jobs, runs, datasets, and edges with provenance `observed`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.data_lineage.keys import key_of, node_key
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.lineage.model import Kind, Node
from dictamesh.runtime.lineage.openlineage.observation import Named, Observation, SeenDataset, SeenEdge, SeenJob

KEPT = 100_000  # keys of events by which one that is sent again is known
RUN_DAYS = 90  # how long a run is kept after its last event
_LOCK = b"SELECT pg_advisory_xact_lock(7163846510)"
_NEW = b"""
INSERT INTO dictamesh_lineage_events (direction, event_key, event_type, event_time, run_id)
VALUES ('in', %(key)s, %(state)s, %(at)s, %(run)s) ON CONFLICT ON CONSTRAINT uq_dictamesh_lineage_events_key DO NOTHING
"""
_TRIM = b"""
DELETE FROM dictamesh_lineage_events WHERE direction = 'in' AND id <=
    (SELECT id FROM dictamesh_lineage_events WHERE direction = 'in' ORDER BY id DESC OFFSET %(kept)s LIMIT 1)
"""
_OLD_RUNS = b"""
DELETE FROM dictamesh_lineage_runs WHERE run_id IN
    (SELECT run_id FROM dictamesh_lineage_runs WHERE last_event_at < now() - make_interval(days => %(days)s) LIMIT 1000)
"""
_JOB = b"""
INSERT INTO dictamesh_lineage_jobs AS j
    (job_key, namespace, name, processing_type, integration, job_type, last_event_at)
VALUES (%(key)s, %(namespace)s, %(name)s, %(processing)s, %(integration)s, %(kind)s, %(at)s)
    ON CONFLICT ON CONSTRAINT uq_dictamesh_lineage_jobs_key DO UPDATE
   SET processing_type = coalesce(excluded.processing_type, j.processing_type),
       integration = coalesce(excluded.integration, j.integration), job_type = coalesce(excluded.job_type, j.job_type),
       last_event_at = greatest(j.last_event_at, excluded.last_event_at)
RETURNING id
"""
# An end is told once; a START that comes after it, or late, tells when the run began and no more.
_RUN = b"""
INSERT INTO dictamesh_lineage_runs AS r
    (run_id, job_id, state, started_at, ended_at, nominal_start, nominal_end, parent_run_id, last_event_at)
VALUES (%(run)s, %(job)s, %(state)s, CASE WHEN %(state)s = 'START' THEN %(at)s::timestamptz END,
        CASE WHEN %(state)s IN ('COMPLETE', 'ABORT', 'FAIL') THEN %(at)s::timestamptz END, %(nominal_start)s,
        %(nominal_end)s, %(parent)s, %(at)s)
    ON CONFLICT ON CONSTRAINT pk_dictamesh_lineage_runs DO UPDATE
   SET state = CASE WHEN excluded.last_event_at < r.last_event_at
                         OR (r.ended_at IS NOT NULL AND excluded.ended_at IS NULL) THEN r.state ELSE excluded.state END,
       started_at = least(r.started_at, excluded.started_at),
       ended_at = greatest(r.ended_at, excluded.ended_at),
       nominal_start = coalesce(excluded.nominal_start, r.nominal_start),
       nominal_end = coalesce(excluded.nominal_end, r.nominal_end),
       parent_run_id = coalesce(excluded.parent_run_id, r.parent_run_id),
       last_event_at = greatest(r.last_event_at, excluded.last_event_at)
"""
_OWN = b"""
SELECT n.node_key FROM dictamesh_lineage_nodes n
 WHERE n.mesh IS NOT NULL AND n.field = '' AND n.node_key = ANY (%(keys)s)
"""
_NODES = b"""
INSERT INTO dictamesh_lineage_nodes AS n (node_key, address, kind, namespace, name, field, dataset_id)
SELECT r.node_key, r.address, 'column', r.namespace, r.name, r.field, d.id
  FROM jsonb_to_recordset(%(nodes)s::jsonb) AS r (node_key text, address text, namespace text, name text, field text,
       dataset_key text)
  LEFT JOIN dictamesh_lineage_nodes d ON d.node_key = r.dataset_key
    ON CONFLICT ON CONSTRAINT uq_dictamesh_lineage_nodes_key DO UPDATE SET last_seen_at = now()
"""
_DATASETS = b"""
INSERT INTO dictamesh_lineage_datasets AS s (node_id, fields, symlinks, last_event_at)
SELECT n.id, r.fields, r.symlinks, %(at)s
  FROM jsonb_to_recordset(%(datasets)s::jsonb) AS r (node_key text, fields jsonb, symlinks jsonb)
  JOIN dictamesh_lineage_nodes n ON n.node_key = r.node_key
    ON CONFLICT ON CONSTRAINT pk_dictamesh_lineage_datasets DO UPDATE
   SET fields = CASE WHEN excluded.fields = '[]' OR excluded.last_event_at < s.last_event_at THEN s.fields
                     ELSE excluded.fields END,
       symlinks = CASE WHEN excluded.symlinks = '[]' THEN s.symlinks ELSE excluded.symlinks END,
       last_event_at = greatest(s.last_event_at, excluded.last_event_at)
"""
_LATER = b"""
SELECT n.node_key FROM dictamesh_lineage_job_datasets l JOIN dictamesh_lineage_nodes n ON n.id = l.node_id
 WHERE l.job_id = %(job)s AND l.direction = 'output' AND l.last_event_at > %(at)s
"""
_LATER_DATASETS = b"""
SELECT DISTINCT s.node_key FROM dictamesh_data_lineage e
  JOIN dictamesh_lineage_nodes n ON n.id = e.downstream_node
  JOIN dictamesh_lineage_nodes s ON s.id = coalesce(n.dataset_id, n.id)
 WHERE s.node_key = ANY (%(datasets)s) AND e.provenance = 'observed' AND e.job_id IS NULL AND e.last_flow_at > %(at)s
"""
_ENDS = b"""
INSERT INTO dictamesh_lineage_job_datasets AS l (job_id, node_id, direction, last_event_at)
SELECT DISTINCT %(job)s::bigint, n.id, r.direction, %(at)s::timestamptz
  FROM jsonb_to_recordset(%(ends)s::jsonb) AS r (node_key text, direction text)
  JOIN dictamesh_lineage_nodes n ON n.node_key = r.node_key
    ON CONFLICT ON CONSTRAINT pk_dictamesh_lineage_job_datasets DO UPDATE
   SET last_event_at = greatest(l.last_event_at, excluded.last_event_at)
"""
_REPLACED = b"""
UPDATE dictamesh_data_lineage e
   SET valid_to = greatest(%(at)s::timestamptz, e.valid_from + interval '1 microsecond'), data_flow_active = false
  FROM dictamesh_lineage_nodes n JOIN dictamesh_lineage_nodes s ON s.id = coalesce(n.dataset_id, n.id)
 WHERE e.downstream_node = n.id AND s.node_key = ANY (%(explained)s)
   AND e.provenance = 'observed' AND e.valid_to IS NULL AND e.job_id IS NOT DISTINCT FROM %(job)s::bigint
   AND e.edge_key <> ALL (%(keys)s)
"""
_EDGES = b"""
INSERT INTO dictamesh_data_lineage AS e
    (edge_key, mesh, upstream_node, upstream_system, downstream_node, downstream_system, transformation_type,
     transformation_subtype, masking, provenance, job_id, data_flow_active, last_flow_at, flow_count, valid_from)
SELECT r.edge_key, %(mesh)s, u.id, u.namespace, d.id, d.namespace, r.type, r.subtype, r.masking, 'observed', %(job)s,
       %(flows)s, %(at)s, 1, least(%(at)s::timestamptz, now())
  FROM jsonb_to_recordset(%(edges)s::jsonb) AS r (edge_key text, upstream text, downstream text, type text,
       subtype text, masking boolean)
  JOIN dictamesh_lineage_nodes u ON u.node_key = r.upstream
  JOIN dictamesh_lineage_nodes d ON d.node_key = r.downstream
    ON CONFLICT (mesh, edge_key) WHERE valid_to IS NULL DO UPDATE
   SET last_flow_at = greatest(e.last_flow_at, excluded.last_flow_at), flow_count = e.flow_count + 1,
       valid_from = least(e.valid_from, excluded.valid_from),
       data_flow_active = e.data_flow_active OR excluded.data_flow_active
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """How many events were taken in, and how many were known already."""

    new: int
    known: int


async def take_in(pool: Pool, mesh: str, seen: Sequence[Observation]) -> Taken:
    """Write what events tell, all or none; an event that was taken in before changes nothing.

    Datasets that go by a name of this mesh's own, or have it among their other names, are those. Raises
    ``CatalogUnavailable``.
    """
    new = 0
    async with pool.transaction() as connection:
        await connection.execute(_LOCK)
        for each in seen:
            new += await _Writing(connection, mesh, each).write()
        await connection.execute(_TRIM, {"kept": KEPT})
        await connection.execute(_OLD_RUNS, {"days": RUN_DAYS})
    return Taken(new, len(seen) - new)


@dataclass(slots=True)
class _Writing:
    """One event being written."""

    connection: AsyncConnection[TupleRow]
    mesh: str
    seen: Observation

    async def write(self) -> bool:
        seen = self.seen
        run = seen.run.id if seen.run else None
        told = {"key": seen.key, "state": seen.state, "at": seen.at, "run": run}
        if (await self.connection.execute(_NEW, told)).rowcount == 0:
            return False
        job = await self._job(seen.job) if seen.job is not None else None
        if job is not None and seen.run is not None:
            await self._run(job)
        called = await self._called()
        await self._datasets(called)
        await self._edges(job, called)
        return True

    async def _job(self, job: SeenJob) -> int:
        facts = {
            "key": node_key(job.named.namespace, job.named.name),
            "namespace": job.named.namespace,
            "name": job.named.name,
            "processing": job.processing,
            "integration": job.integration,
            "kind": job.kind,
            "at": self.seen.at,
        }
        row = await (await self.connection.execute(_JOB, facts)).fetchone()
        return int(row[0]) if row is not None else 0

    async def _run(self, job: int) -> None:
        run = self.seen.run
        if run is None:
            return
        facts = {
            "run": run.id,
            "job": job,
            "state": self.seen.state or "OTHER",
            "at": self.seen.at,
            "nominal_start": run.nominal_start,
            "nominal_end": run.nominal_end,
            "parent": run.parent,
        }
        await self.connection.execute(_RUN, facts)

    async def _called(self) -> Mapping[Named, Named]:
        """The names that datasets have here: of several one that the mesh knows, else the first."""
        known: dict[Named, tuple[Named, ...]] = {}
        for each in (*self.seen.inputs, *self.seen.outputs):
            if each.symlinks:
                known[each.named] = (each.named, *each.symlinks)
        if not known:
            return {}
        keys = {node_key(name.namespace, name.name): name for names in known.values() for name in names}
        rows = await (await self.connection.execute(_OWN, {"keys": list(keys)})).fetchall()
        own = {keys[row[0]] for row in rows}
        return {first: next((name for name in names if name in own), first) for first, names in known.items()}

    async def _datasets(self, called: Mapping[Named, Named]) -> None:
        seen = self.seen
        datasets = {called.get(each.named, each.named): each for each in (*seen.inputs, *seen.outputs)}
        ends = {
            (called.get(named, named), field)
            for edge in seen.edges
            for named, field in ((edge.source, edge.source_field), (edge.target, edge.target_field))
        }
        whole = {named for named, _ in ends} | set(datasets)
        await self._nodes((named, "") for named in whole)
        await self._nodes(end for end in ends if end[1])
        rows = [_told(named, each) for named, each in datasets.items()]
        await self.connection.execute(_DATASETS, {"datasets": _json(rows), "at": seen.at})

    async def _nodes(self, ends: Iterable[tuple[Named, str]]) -> None:
        rows = [
            {
                "node_key": node_key(named.namespace, named.name, field),
                "address": Node(named.namespace, named.name, field, Kind.COLUMN).id,
                "namespace": named.namespace,
                "name": named.name,
                "field": field,
                "dataset_key": node_key(named.namespace, named.name) if field else None,
            }
            for named, field in sorted(ends)
        ]
        if rows:
            await self.connection.execute(_NODES, {"nodes": _json(rows)})

    async def _edges(self, job: int | None, called: Mapping[Named, Named]) -> None:
        seen = self.seen
        later = await self._later(job, called)
        if job is not None:
            ends = [
                {"node_key": _key(called, each.named), "direction": direction}
                for direction, datasets in (("input", seen.inputs), ("output", seen.outputs))
                for each in datasets
            ]
            await self.connection.execute(_ENDS, {"ends": _json(ends), "job": job, "at": seen.at})
        edges = [_edge(edge, called, seen.job) for edge in seen.edges]
        edges = [edge for edge in edges if edge["dataset"] not in later]  # told by a later event already
        # what a run is about to make, or failed to, says nothing of what it made before
        whole = seen.state in {None, "COMPLETE"}
        explained = {_key(called, each.named) for each in seen.outputs if each.explains} - later
        facts: dict[str, Any] = {
            "job": job,
            "at": seen.at,
            "mesh": self.mesh,
            "flows": seen.kind == "run" and seen.state in {"COMPLETE", "RUNNING"},
            "keys": [edge["edge_key"] for edge in edges],
            "explained": sorted(explained),
            "edges": _json(edges),
        }
        if whole and explained:
            await self.connection.execute(_REPLACED, facts)
        if edges:
            await self.connection.execute(_EDGES, facts)

    async def _later(self, job: int | None, called: Mapping[Named, Named]) -> set[str]:
        """The datasets of which a later event told already; this one comes too late for their edges."""
        datasets = [_key(called, each.named) for each in self.seen.outputs]
        statement = _LATER if job is not None else _LATER_DATASETS
        facts = {"job": job, "at": self.seen.at, "datasets": datasets}
        return {row[0] for row in await (await self.connection.execute(statement, facts)).fetchall()}


def _told(named: Named, dataset: SeenDataset) -> dict[str, Any]:
    return {
        "node_key": node_key(named.namespace, named.name),
        "fields": [{"name": name, "type": kind} for name, kind in dataset.fields],
        "symlinks": [{"namespace": each.namespace, "name": each.name} for each in dataset.symlinks],
    }


def _edge(edge: SeenEdge, called: Mapping[Named, Named], job: SeenJob | None) -> dict[str, Any]:
    source, target = called.get(edge.source, edge.source), called.get(edge.target, edge.target)
    upstream = node_key(source.namespace, source.name, edge.source_field)
    downstream = node_key(target.namespace, target.name, edge.target_field)
    of = [job.named.namespace, job.named.name] if job is not None else []
    return {
        "edge_key": key_of("observed", upstream, downstream, edge.type.value, edge.subtype, edge.masking, *of),
        "dataset": node_key(target.namespace, target.name),
        "upstream": upstream,
        "downstream": downstream,
        "type": edge.type.value,
        "subtype": edge.subtype,
        "masking": edge.masking,
    }


def _key(called: Mapping[Named, Named], named: Named) -> str:
    at = called.get(named, named)
    return node_key(at.namespace, at.name)


def _json(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows).decode()

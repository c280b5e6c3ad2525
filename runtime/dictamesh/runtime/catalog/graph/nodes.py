# SPDX-License-Identifier: Apache-2.0
"""Records as rows of the catalog, numbered for the graph; no column holds any of their data (AR-4)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.arrays import moments, texts
from dictamesh.runtime.catalog.graph.values import Ref, SeenRecord, keepable

COARSE = timedelta(hours=1)
"""How much later a record or relation must be seen again for that to be written down."""

# An active row comes before those that it replaced.
_FIND = b"""
SELECT r.place, c.node, c.id::text, c.status, c.last_seen_at
  FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS r (entity_type, id, place)
 CROSS JOIN LATERAL (
        SELECT node, id, status, last_seen_at FROM dictamesh_entity_catalog
         WHERE entity_type = r.entity_type AND source_entity_id = r.id
         ORDER BY (status = 'active') DESC, last_seen_at DESC LIMIT 1) c
"""
_WRITE = b"""
INSERT INTO dictamesh_entity_catalog AS c
    (mesh, product_id, product_version, entity_type, domain, source_system, source_entity_id, key_fields, contains_pii,
     data_classification, retention_days, guarded, external, provenance, last_seen_at)
SELECT t.mesh, t.product_id, t.product_version, r.entity_type, t.domain, t.source_system, r.id, '{}', t.contains_pii,
       t.data_classification, t.retention_days, t.guarded, t.external, r.provenance, r.at
  FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::dictamesh_provenance[])
       AS r (entity_type, id, at, provenance)
 CROSS JOIN LATERAL (
        SELECT * FROM dictamesh_entity_catalog
         WHERE entity_type = r.entity_type AND source_entity_id = '*'
         ORDER BY (status = 'active') DESC, last_seen_at DESC LIMIT 1) t
    ON CONFLICT ON CONSTRAINT uq_dictamesh_entity_catalog_source DO UPDATE
   SET last_seen_at = excluded.last_seen_at, status = 'active', mesh = excluded.mesh, product_id = excluded.product_id,
       product_version = excluded.product_version, domain = excluded.domain, contains_pii = excluded.contains_pii,
       data_classification = excluded.data_classification, retention_days = excluded.retention_days,
       guarded = excluded.guarded, provenance = greatest(c.provenance, excluded.provenance)
 WHERE excluded.last_seen_at > c.last_seen_at
"""
_ARCHIVE = b"""
UPDATE dictamesh_entity_catalog c SET status = 'archived', last_seen_at = r.at
  FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS r (entity_type, id, at)
 WHERE c.entity_type = r.entity_type AND c.source_entity_id = r.id AND c.source_entity_id <> '*'
   AND c.status <> 'archived' AND c.last_seen_at <= r.at
"""


class Node(NamedTuple):
    """A record's row."""

    node: int
    id: str
    status: str
    last_seen_at: datetime

    def gone(self, at: datetime) -> bool:
        """Whether the record was archived at ``at`` or later, so that what is told of ``at`` comes too late."""
        return self.status == "archived" and self.last_seen_at >= at


async def upsert_entities(
    connection: AsyncConnection[TupleRow], records: Iterable[SeenRecord], nodes: Mapping[Ref, Node] | None = None
) -> int:
    """Keep records as seen; returns how many rows were written. Run it within a transaction.

    `nodes` are their rows where the caller has found them.
    A replayed batch writes nothing; what is seen again is written at most once an hour. Records that cannot be kept,
    or of a type that the catalog does not know, are passed over. Raises ``psycopg.Error``.
    """
    latest: dict[Ref, SeenRecord] = {}
    for record in records:
        known = latest.get(record.ref)
        if keepable(record.ref) and (known is None or known.at < record.at):
            latest[record.ref] = record
    if nodes is None:
        nodes = await find_nodes(connection, latest)
    due = [record for ref, record in latest.items() if is_due(nodes.get(ref), record.at)]
    return await write_nodes(connection, due)


async def archive_entities(connection: AsyncConnection[TupleRow], gone: Iterable[tuple[Ref, datetime]]) -> int:
    """Mark records as archived from an instant on; returns how many were active. Their relations are not touched.

    A record that was seen after that instant stays. Raises ``psycopg.Error``.
    """
    rows = sorted(gone)
    if not rows:
        return 0
    types, ids = texts([ref.entity_type for ref, _ in rows]), texts([ref.id for ref, _ in rows])
    return (await connection.execute(_ARCHIVE, (types, ids, moments([at for _, at in rows])))).rowcount


async def find_nodes(connection: AsyncConnection[TupleRow], refs: Collection[Ref]) -> dict[Ref, Node]:
    """The rows of those records that the catalog has."""
    if not refs:
        return {}
    ordered = list(refs)
    types, ids = texts([ref.entity_type for ref in ordered]), texts([ref.id for ref in ordered])
    cursor = await connection.execute(_FIND, (types, ids))
    return {ordered[place - 1]: Node(*rest) for place, *rest in await cursor.fetchall()}


async def write_nodes(connection: AsyncConnection[TupleRow], records: Sequence[SeenRecord]) -> int:
    """Write the rows of records, each named once; in one order, so that writers side by side cannot deadlock."""
    if not records:
        return 0
    rows = sorted(records, key=lambda record: record.ref)
    columns = (
        texts([record.ref.entity_type for record in rows]),
        texts([record.ref.id for record in rows]),
        moments([record.at for record in rows]),
        texts([record.provenance for record in rows]),
    )
    return (await connection.execute(_WRITE, columns)).rowcount


def is_due(node: Node | None, at: datetime) -> bool:
    """Whether a record seen at ``at`` has to be written: unknown, archived before, or last seen long ago."""
    if node is None:
        return True
    return node.last_seen_at < at and (node.status != "active" or node.last_seen_at + COARSE <= at)

# SPDX-License-Identifier: Apache-2.0
"""Relations listed: those between types as specs declare them, or those of one record, with all that is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.errors import EntityNotFound
from dictamesh.runtime.catalog.graph.values import TYPE, Ref
from dictamesh.runtime.catalog.graph.walk import Direction
from dictamesh.runtime.catalog.queries import Page
from dictamesh.runtime.catalog.sight import Sight, seen_kinds, seen_types

MOST = 10_000
"""Relations of one record that are looked at; a page beyond them is empty."""
MOST_CHECKED = 1_000
"""As many where a source has to be asked which records at their other ends exist for the caller."""

_RECORDS = b"""
SELECT DISTINCT ON (entity_type) entity_type, node FROM dictamesh_entity_catalog
 WHERE entity_type = ANY (%(types)s::text[]) AND source_entity_id = %(id)s
 ORDER BY entity_type, (status = 'active') DESC, last_seen_at DESC
"""
_COLUMNS = b"""
SELECT e.id::text, e.subject_entity_type, e.subject_entity_id, e.relationship_type, k.inverse,
       e.relationship_cardinality, e.object_entity_type, e.object_entity_id, e.valid_from, e.valid_to,
       e.provenance::text, e.confidence::float8, e.first_seen_at, e.last_seen_at, e.created_by_event_id AS origin
  FROM dictamesh_entity_relationships e JOIN dictamesh_relation_kinds k ON k.kind = e.kind
"""
_HOLDS = b"""
   AND e.kind = ANY (%(kinds)s::integer[])
   AND CASE WHEN %(moment)s::timestamptz IS NULL THEN e.valid_to IS NULL
            ELSE e.valid_from <= %(moment)s AND (e.valid_to IS NULL OR e.valid_to > %(moment)s) END
"""
_ORDER = b"""
 ORDER BY relationship_type COLLATE "C", subject_entity_type COLLATE "C", subject_entity_id COLLATE "C",
          object_entity_type COLLATE "C", object_entity_id COLLATE "C", valid_from LIMIT %(most)s
"""
_OF_RECORD = (
    b"SELECT * FROM (("
    + _COLUMNS
    + b" WHERE %(ahead)s AND e.subject_node = %(node)s"
    + _HOLDS
    + b" LIMIT %(most)s) UNION ALL ("
    + _COLUMNS
    + b" WHERE %(back)s AND e.object_node = %(node)s AND (e.subject_node <> %(node)s OR NOT %(ahead)s)"
    + _HOLDS
    + b" LIMIT %(most)s)) r"
    + _ORDER
)
_DECLARED = (
    b"SELECT * FROM ("
    + _COLUMNS
    + b"""
 WHERE e.subject_entity_id = '*' AND e.object_entity_id = '*'
   AND (%(type)s::text IS NULL OR (%(ahead)s AND e.subject_entity_type = %(type)s)
        OR (%(back)s AND e.object_entity_type = %(type)s))
"""
    + _HOLDS
    + b") r"
    + _ORDER
)


@dataclass(frozen=True, slots=True)
class Relationship:
    """A relation from a subject to an object; ``inverse`` is its name seen from the object.

    ``valid_to`` null: it holds now. ``origin`` is the event or run that it was first known by.
    """

    id: str
    subject_entity_type: str
    subject_entity_id: str
    relationship_type: str
    inverse: str | None
    relationship_cardinality: str
    object_entity_type: str
    object_entity_id: str
    valid_from: datetime
    valid_to: datetime | None
    provenance: str
    confidence: float
    first_seen_at: datetime
    last_seen_at: datetime
    origin: str | None


@dataclass(frozen=True, slots=True)
class Which:
    """Relations between types for the id ``*``, else of the records with that key; of one type where it is given."""

    entity_type: str | None = None
    entity_id: str = TYPE
    relation: str | None = None
    direction: Direction = "both"
    as_of: datetime | None = None


async def relationships(catalog: Catalog, sight: Sight, which: Which, limit: int, offset: int) -> Page[Relationship]:
    """A page of relations that the caller may know of; raises ``EntityNotFound``, ``CatalogUnavailable``."""
    known = await catalog.directory.known()
    name, types = which.entity_type, seen_types(known, sight)
    if name is not None and name not in types:
        raise EntityNotFound(name)
    kinds = seen_kinds(known, sight)
    parameters = {
        "type": name,
        "types": sorted(types) if name is None else [name],
        "id": which.entity_id,
        "kinds": [k.kind for k in kinds.values() if which.relation is None or which.relation in {k.name, k.inverse}],
        "moment": which.as_of,
        "ahead": which.direction in {"out", "both"},
        "back": which.direction in {"in", "both"},
        "most": MOST_CHECKED
        if any(sight.filtered(k.subject) or sight.filtered(k.object) for k in kinds.values())
        else MOST,
    }
    if which.entity_id == TYPE:
        rows = await catalog.pool.rows(_DECLARED, parameters)
    else:
        rows = await _of_records(catalog, sight, parameters)
    items = tuple(Relationship(**row) for row in rows[offset : offset + limit])
    return Page(items, len(rows), limit, offset)


async def _of_records(catalog: Catalog, sight: Sight, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The relations of each record with a key, of whatever type; none is told twice."""
    found: dict[str, dict[str, Any]] = {}
    there = [each for each in parameters["types"] if await _exists(sight, Ref(each, parameters["id"]))]
    records = await catalog.pool.rows(_RECORDS, parameters | {"types": there})
    if not records and parameters["type"] is not None:
        raise EntityNotFound(parameters["type"])
    for record in records:
        rows = await _of_record(
            catalog, sight, Ref(record["entity_type"], parameters["id"]), record["node"], parameters
        )
        found.update((row["id"], row) for row in rows)
    return list(found.values())


async def _exists(sight: Sight, record: Ref) -> bool:
    """Whether a record may exist for the caller: asked of its source where only some do."""
    if not sight.filtered(record.entity_type):
        return True
    return record.id in (await sight.existing(record.entity_type, [record.id])).ids


async def _of_record(
    catalog: Catalog, sight: Sight, record: Ref, node: int, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    rows = await catalog.pool.rows(_OF_RECORD, {**parameters, "node": node})
    wanted: dict[str, set[str]] = {}
    for row in rows:
        far = _far(row, record)
        if sight.filtered(far.entity_type) and far != record:
            wanted.setdefault(far.entity_type, set()).add(far.id)
    there = {record}
    for entity_type, ids in wanted.items():
        there.update(Ref(entity_type, each) for each in (await sight.existing(entity_type, sorted(ids))).ids)
    return [row for row in rows if not sight.filtered(_far(row, record).entity_type) or _far(row, record) in there]


def _far(row: Mapping[str, Any], record: Ref) -> Ref:
    """The end of a relation that is not the record."""
    subject = Ref(row["subject_entity_type"], row["subject_entity_id"])
    return Ref(row["object_entity_type"], row["object_entity_id"]) if subject == record else subject

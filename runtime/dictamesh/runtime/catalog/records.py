# SPDX-License-Identifier: Apache-2.0
"""Single records as the catalog knows them: where they are, since when, by what they are known; never their data."""

from dataclasses import dataclass
from datetime import datetime

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.errors import EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.graph.values import TYPE
from dictamesh.runtime.catalog.queries import Location
from dictamesh.runtime.catalog.sight import Sight, seen_types

_BY_TYPE = b"""
SELECT entity_type, source_entity_id AS id, source_system, status, provenance::text, created_at, last_seen_at
  FROM dictamesh_entity_catalog WHERE entity_type = %(type)s AND source_entity_id = %(id)s AND source_entity_id <> '*'
 ORDER BY (status = 'active') DESC, last_seen_at DESC LIMIT 1
"""
_BY_SOURCE = b"""
SELECT entity_type, source_entity_id AS id, source_system, status, provenance::text, created_at, last_seen_at
  FROM dictamesh_entity_catalog
 WHERE source_system = %(system)s AND source_entity_id = %(id)s AND source_entity_id <> '*'
   AND entity_type = ANY (%(types)s::text[])
 ORDER BY entity_type COLLATE "C" LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class CatalogRecord:
    """A record; ``known`` is false, and the times are null, where its source alone knows it."""

    entity_type: str
    id: str
    source_system: str
    known: bool
    status: str
    provenance: str | None = None
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    location: Location | None = None


async def get_record(catalog: Catalog, sight: Sight, entity_type: str, record: str) -> CatalogRecord:
    """One record, which the catalog knows or its source has; raises ``EntityNotFound``."""
    known = await catalog.directory.known()
    if record == TYPE or entity_type not in known.types or not sight.type(known.types[entity_type]):
        raise EntityNotFound(entity_type)
    there = False
    if sight.filtered(entity_type):
        there = record in (await sight.existing(entity_type, [record])).ids
        if not there:
            raise EntityNotFound(entity_type)
    rows = await catalog.pool.rows(_BY_TYPE, {"type": entity_type, "id": record})
    if not rows and not there and record not in (await sight.existing(entity_type, [record])).ids:
        raise EntityNotFound(entity_type)
    location = await _location(catalog, entity_type, record)
    if rows:
        return _record(rows[0], location)
    system = location.source_system if location else ""
    return CatalogRecord(entity_type, record, system, known=False, status="active", location=location)


async def records_of_source(catalog: Catalog, sight: Sight, system: str, record: str) -> tuple[CatalogRecord, ...]:
    """The records of one id that the catalog knows from a source, those that exist for the caller."""
    types = sorted(seen_types(await catalog.directory.known(), sight))
    rows = await catalog.pool.rows(_BY_SOURCE, {"system": system, "id": record, "types": types})
    found = []
    for row in rows:
        entity_type = row["entity_type"]
        if not sight.filtered(entity_type) or record in (await sight.existing(entity_type, [record])).ids:
            found.append(_record(row, await _location(catalog, entity_type, record)))
    return tuple(found)


def _record(row: dict[str, object], location: Location | None) -> CatalogRecord:
    created = row.pop("created_at")
    return CatalogRecord(**row, known=True, first_seen_at=created, location=location)  # type: ignore[arg-type]  # the columns of both statements


async def _location(catalog: Catalog, entity_type: str, record: str) -> Location | None:
    try:
        return await catalog.locations.locate(entity_type, record)
    except (EntityNotFound, InvalidRequest):
        return None

# SPDX-License-Identifier: Apache-2.0
"""What was: versions of schemas, and events where the mesh keeps a log of them (MC-4, MC-5)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.errors import EntityNotFound
from dictamesh.runtime.catalog.queries import Page
from dictamesh.runtime.catalog.sight import Sight, seen_types

_VERSION = b"""
SELECT entity_type, version, schema_format, backward_compatible, forward_compatible, published_at, deprecated_at,
       retired_at
"""
_VERSIONS = (
    _VERSION
    + b"""
  FROM dictamesh_schemas
 WHERE entity_type = ANY (%(types)s::text[]) AND (%(type)s::text IS NULL OR entity_type = %(type)s)
 ORDER BY entity_type COLLATE "C", published_at DESC, version COLLATE "C" LIMIT %(limit)s OFFSET %(offset)s
"""
)
_COUNT_VERSIONS = b"""
SELECT count(*) AS total FROM dictamesh_schemas
 WHERE entity_type = ANY (%(types)s::text[]) AND (%(type)s::text IS NULL OR entity_type = %(type)s)
"""
_ONE_VERSION = (
    _VERSION + b", schema_definition FROM dictamesh_schemas WHERE entity_type = %(type)s AND version = %(version)s"
)
_HAS_EVENTS = b"SELECT to_regclass('dictamesh_event_log') IS NOT NULL AS there"
_WHICH_EVENTS = b"""
  FROM dictamesh_event_log
 WHERE entity_type = ANY (%(types)s::text[])
   AND (%(entity_id)s::text IS NULL OR entity_id = %(entity_id)s)
   AND (%(event_type)s::text IS NULL OR event_type = %(event_type)s)
   AND (%(trace_id)s::text IS NULL OR trace_id = %(trace_id)s)
   AND (%(since)s::timestamptz IS NULL OR event_timestamp >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR event_timestamp < %(until)s)
"""
_EVENTS = (
    b"""
SELECT event_id::text, event_type, entity_type, entity_id, changed_fields, trace_id, span_id, event_timestamp,
       ingested_at
"""
    + _WHICH_EVENTS
    + b" ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s"
)
_COUNT_EVENTS = b"SELECT count(*) AS total FROM (SELECT" + _WHICH_EVENTS + b" LIMIT %(most)s) e"
COUNTED = 10_000
"""Events of a filter that are counted; there may be more."""


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """A published version of an entity's schema."""

    entity_type: str
    version: str
    schema_format: str
    backward_compatible: bool
    forward_compatible: bool
    published_at: datetime
    deprecated_at: datetime | None
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Schema(SchemaVersion):
    """A version with its definition, Avro or JSON Schema."""

    schema_definition: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a record; which of its fields changed, never their values."""

    event_id: str
    event_type: str
    entity_type: str
    entity_id: str
    changed_fields: list[str]
    trace_id: str | None
    span_id: str | None
    event_timestamp: datetime
    ingested_at: datetime | None


@dataclass(frozen=True, slots=True)
class WhichEvents:
    """Keys that are None do not filter; ``until`` is the first instant that does not belong."""

    entity_type: str | None = None
    entity_id: str | None = None
    event_type: str | None = None
    trace_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def schema_versions(
    catalog: Catalog, sight: Sight, entity_type: str | None, limit: int, offset: int
) -> Page[SchemaVersion]:
    """A page of versions, newest first within each type."""
    types = sorted(seen_types(await catalog.directory.known(), sight))
    parameters = {"types": types, "type": entity_type, "limit": limit, "offset": offset}
    rows = await catalog.pool.rows(_VERSIONS, parameters)
    total = (await catalog.pool.rows(_COUNT_VERSIONS, parameters))[0]["total"]
    return Page(tuple(SchemaVersion(**row) for row in rows), total, limit, offset)


async def schema(catalog: Catalog, sight: Sight, entity_type: str, version: str) -> Schema:
    """One version with its definition; raises ``EntityNotFound``."""
    if entity_type not in seen_types(await catalog.directory.known(), sight):
        raise EntityNotFound(entity_type)
    rows = await catalog.pool.rows(_ONE_VERSION, {"type": entity_type, "version": version})
    if not rows:
        raise EntityNotFound(entity_type)
    return Schema(**rows[0])


async def events(catalog: Catalog, sight: Sight, which: WhichEvents, limit: int, offset: int) -> Page[Event]:
    """A page of events, the last one of the log first; empty where the mesh keeps none.

    Where only some records of a type exist for the caller, its events are told for a record that is named and exists
    for it; a field that is denied to the caller is not among ``changed_fields``. At most 10,000 events are counted.
    """
    if not (await catalog.pool.rows(_HAS_EVENTS))[0]["there"]:
        return Page((), 0, limit, offset)
    types = await _event_types(catalog, sight, which)
    parameters = {
        "types": types,
        "entity_id": which.entity_id,
        "event_type": which.event_type,
        "trace_id": which.trace_id,
        "since": which.since,
        "until": which.until,
        "limit": limit,
        "offset": offset,
        "most": COUNTED,
    }
    rows = await catalog.pool.rows(_EVENTS, parameters)
    total = (await catalog.pool.rows(_COUNT_EVENTS, parameters))[0]["total"]
    return Page(tuple(_event(row, sight) for row in rows), total, limit, offset)


async def _event_types(catalog: Catalog, sight: Sight, which: WhichEvents) -> list[str]:
    seen = seen_types(await catalog.directory.known(), sight)
    asked = seen if which.entity_type is None else seen & {which.entity_type}
    types = sorted(each for each in asked if not sight.filtered(each))
    if which.entity_type is None or which.entity_id is None or not sight.filtered(which.entity_type) or not asked:
        return types
    existing = await sight.existing(which.entity_type, [which.entity_id])
    return [which.entity_type] if which.entity_id in existing.ids else []


def _event(row: dict[str, Any], sight: Sight) -> Event:
    told = [name for name in row.pop("changed_fields") or () if sight.field(row["entity_type"], name) != "deny"]
    return Event(**row, changed_fields=told)

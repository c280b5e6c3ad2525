# SPDX-License-Identifier: Apache-2.0
"""Reading the catalog: list, one entity, and where a record of it is found (MC-10, MC-12)."""

import re
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import orjson

from dictamesh.runtime.catalog.errors import EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.pool import Pool

T = TypeVar("T")

DEFAULT_LIMIT = 20
LARGEST_LIMIT = 100
_LOCATION_SECONDS = 600.0
_LOCATIONS = 10_000
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_COLUMNS = b"""
SELECT id::text, mesh, product_id, product_version, owner, entity_type, domain, source_system, source_entity_id,
key_fields, api_base_url, api_path_template, api_method, api_auth_type, schema_version, created_at, updated_at,
last_seen_at, status, availability_sla::float8, latency_p99_ms, freshness_sla_seconds, contains_pii,
data_classification, retention_days, description, external
"""
_WHERE = b"""
  FROM dictamesh_entity_catalog
 WHERE source_entity_id = '*'
   AND (%(entity_type)s::text IS NULL OR entity_type = %(entity_type)s)
   AND (%(domain)s::text IS NULL OR domain = %(domain)s)
   AND (%(source_system)s::text IS NULL OR source_system = %(source_system)s)
   AND (%(status)s::text IS NULL OR status = %(status)s)
   AND (%(contains_pii)s::boolean IS NULL OR contains_pii = %(contains_pii)s)
   AND (%(types)s::text[] IS NULL OR entity_type = ANY(%(types)s::text[]))
"""
_PAGE = (
    _COLUMNS
    + _WHERE
    + b' ORDER BY entity_type COLLATE "C", source_system COLLATE "C" LIMIT %(limit)s OFFSET %(offset)s'
)
_COUNT = b"SELECT count(*) AS total" + _WHERE
# An active row comes before the ones it replaced.
_ONE = (
    _COLUMNS
    + b"""
  FROM dictamesh_entity_catalog
 WHERE source_entity_id = '*'
   AND (entity_type = %(name)s OR product_id || '#' || entity_type = %(name)s OR id::text = %(name)s)
 ORDER BY (status = 'active') DESC, last_seen_at DESC LIMIT 1
"""
)
_OF_TYPES = (
    b"SELECT DISTINCT ON (entity_type) * FROM ("
    + _COLUMNS
    + b"""
  FROM dictamesh_entity_catalog WHERE source_entity_id = '*' AND entity_type = ANY (%(types)s::text[])) c
 ORDER BY entity_type, (status = 'active') DESC, last_seen_at DESC
"""
)


@dataclass(frozen=True, slots=True)
class CatalogEntity:
    """One row of the catalog as readers see it.

    ``availability_sla`` is a share between 0 and 1; ``external``: an editor registered it, not a spec.
    """

    id: str
    mesh: str
    product_id: str
    product_version: str
    owner: str | None
    entity_type: str
    domain: str
    source_system: str
    source_entity_id: str
    key_fields: list[str]
    api_base_url: str | None
    api_path_template: str | None
    api_method: str
    api_auth_type: str
    schema_version: str | None
    created_at: datetime
    updated_at: datetime
    last_seen_at: datetime
    status: str
    availability_sla: float | None
    latency_p99_ms: int | None
    freshness_sla_seconds: int | None
    contains_pii: bool
    data_classification: str
    retention_days: int | None
    description: str
    external: bool


@dataclass(frozen=True, slots=True)
class EntityFilter:
    """Keys that are None do not filter."""

    entity_type: str | None = None
    domain: str | None = None
    source_system: str | None = None
    status: str | None = None
    contains_pii: bool | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; ``total`` counts all entries of the filter."""

    items: tuple[T, ...]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class Location:
    """Where one record is found; ``url`` is None for a source that has no URL (MC-10)."""

    entity_type: str
    id: str
    source_system: str
    url: str | None
    method: str
    auth_type: str
    schema_version: str | None
    contains_pii: bool
    data_classification: str


async def list_entities(
    pool: Pool,
    filters: EntityFilter | None = None,
    limit: int = DEFAULT_LIMIT,
    offset: int = 0,
    types: Collection[str] | None = None,
) -> Page[CatalogEntity]:
    """A page of the catalog in order of type; ``types`` narrows it to what the caller may see.

    Raises ``InvalidRequest`` for a limit outside 1-100 or a negative offset, ``CatalogUnavailable``.
    """
    if not 1 <= limit <= LARGEST_LIMIT:
        raise InvalidRequest(f"limit must be between 1 and {LARGEST_LIMIT}")
    if not 0 <= offset <= 1_000_000:
        raise InvalidRequest("offset must be between 0 and 1000000")
    filters = filters or EntityFilter()
    parameters: dict[str, Any] = {
        "entity_type": filters.entity_type,
        "domain": filters.domain,
        "source_system": filters.source_system,
        "status": filters.status,
        "contains_pii": filters.contains_pii,
        "types": None if types is None else sorted(types),
        "limit": limit,
        "offset": offset,
    }
    items = tuple(CatalogEntity(**row) for row in await pool.rows(_PAGE, parameters))
    total = (await pool.rows(_COUNT, parameters))[0]["total"]
    return Page(items, total, limit, offset)


async def get_entity(pool: Pool, name: str) -> CatalogEntity:
    """The entity of a type (``Customer``), an address (``customers#Customer``) or a row id.

    A type that moved to another source is answered by its active row. Raises ``EntityNotFound``,
    ``CatalogUnavailable``.
    """
    rows = await pool.rows(_ONE, {"name": name})
    if not rows:
        raise EntityNotFound(name)
    return CatalogEntity(**rows[0])


async def entities_of_types(pool: Pool, types: Collection[str]) -> list[CatalogEntity]:
    """The entities of some types, in order of type; of one that moved to another source its active row."""
    if not types:
        return []
    return [CatalogEntity(**row) for row in await pool.rows(_OF_TYPES, {"types": sorted(types)})]


@dataclass(slots=True)
class Locations:
    """Answers to ``locate``, kept for ten minutes under ``entity_location:{type}:{id}`` (MC-10).

    Call ``clear`` after registering.
    """

    pool: Pool
    _known: OrderedDict[str, tuple[float, Location]] = field(default_factory=OrderedDict, init=False)

    async def locate(self, entity_type: str, record: str) -> Location:
        """Where the record with the canonical key ``record`` (S6) is found.

        Raises ``EntityNotFound`` when no active row has the type, ``InvalidRequest`` when the key does not fit the URL.
        """
        key = f"entity_location:{entity_type}:{record}"
        known = self._known.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        entity = await get_entity(self.pool, entity_type)
        if entity.status != "active" or entity.entity_type != entity_type:
            raise EntityNotFound(entity_type)
        location = located(entity, record)
        self._known[key] = (time.monotonic() + _LOCATION_SECONDS, location)
        self._known.move_to_end(key)
        if len(self._known) > _LOCATIONS:
            self._known.popitem(last=False)
        return location

    def clear(self) -> None:
        """Forget every answer."""
        self._known.clear()


def located(entity: CatalogEntity, record: str) -> Location:
    """The location of one record of ``entity``; raises ``InvalidRequest`` when the key does not fit the URL."""
    url = None
    if entity.api_base_url is not None and entity.api_path_template is not None:
        url = entity.api_base_url.rstrip("/") + "/" + _filled(entity, record).lstrip("/")
    return Location(
        entity.entity_type,
        record,
        entity.source_system,
        url,
        entity.api_method,
        entity.api_auth_type,
        entity.schema_version,
        entity.contains_pii,
        entity.data_classification,
    )


def _filled(entity: CatalogEntity, record: str) -> str:
    parts = _key_parts(entity.key_fields, record)
    template = entity.api_path_template or ""

    def segment(match: re.Match[str]) -> str:
        name = match[1]
        value = parts.get(name, record if name == "id" and len(parts) == 1 else None)
        if value is None:
            raise InvalidRequest(f"the URL of {entity.entity_type} needs {name}, which is no part of its key")
        # A path that climbs is not another record's address (S24).
        if value in {"", ".", ".."}:
            raise InvalidRequest("the id cannot be a path segment")
        return quote(value, safe="")

    return _PLACEHOLDER.sub(segment, template)


def _key_parts(names: list[str], record: str) -> dict[str, str]:
    """Values by key field; a composite key is a JSON array in key order (S6)."""
    if len(names) == 1:
        return {names[0]: record}
    try:
        values = orjson.loads(record)
    except orjson.JSONDecodeError:
        values = None
    if not isinstance(values, list) or len(values) != len(names):
        raise InvalidRequest(f"the id must be a JSON array of {len(names)} values: {', '.join(names)}")
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in zip(names, values, strict=True)
    }

# SPDX-License-Identifier: Apache-2.0
"""Entities that editors register through the API, beside those of the specs, which are the specs' alone (MC-11)."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.errors import EntityNotFound
from dictamesh.runtime.catalog.queries import CatalogEntity, get_entity
from dictamesh.runtime.catalog.registration import LOCK, without_credentials
from dictamesh.runtime.catalog.rows import AuthType, Tier
from dictamesh.runtime.catalog.search.documents import Document, external_document
from dictamesh.runtime.catalog.search.index import forget_external, index_one

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=128)]
_Text = Annotated[str, Field(pattern=r"^[^\u0000]*$", max_length=1024)]
_OPEN = frozenset({"public", "internal"})
_THERE = b"""
SELECT status, external FROM dictamesh_entity_catalog
 WHERE entity_type = %s AND source_entity_id = '*' AND NOT (external AND status = 'archived')
 ORDER BY external LIMIT 1
"""
_WRITE = b"""
INSERT INTO dictamesh_entity_catalog AS c
    (mesh, product_id, product_version, owner, entity_type, domain, source_system, key_fields, api_base_url,
     api_path_template, api_method, api_auth_type, status, availability_sla, latency_p99_ms, freshness_sla_seconds,
     contains_pii, data_classification, retention_days, description, guarded, external)
VALUES (%(mesh)s, 'external', '', %(owner)s, %(entity_type)s, %(domain)s, %(source_system)s, %(key_fields)s,
     %(api_base_url)s, %(api_path_template)s, %(api_method)s, %(api_auth_type)s, %(status)s, %(availability_sla)s,
     %(latency_p99_ms)s, %(freshness_sla_seconds)s, %(contains_pii)s, %(data_classification)s, %(retention_days)s,
     %(description)s, %(guarded)s, true)
    ON CONFLICT ON CONSTRAINT uq_dictamesh_entity_catalog_source DO UPDATE
   SET owner = excluded.owner, domain = excluded.domain, key_fields = excluded.key_fields,
       api_base_url = excluded.api_base_url, api_path_template = excluded.api_path_template,
       api_method = excluded.api_method, api_auth_type = excluded.api_auth_type, status = excluded.status,
       availability_sla = excluded.availability_sla, latency_p99_ms = excluded.latency_p99_ms,
       freshness_sla_seconds = excluded.freshness_sla_seconds, contains_pii = excluded.contains_pii,
       data_classification = excluded.data_classification, retention_days = excluded.retention_days,
       description = excluded.description, guarded = excluded.guarded, last_seen_at = now()
 WHERE c.external
"""
_ARCHIVE = b"""
UPDATE dictamesh_entity_catalog SET status = 'archived'
 WHERE entity_type = %s AND source_entity_id = '*' AND external AND status <> 'archived'
"""
_OTHER_SOURCES = b"""
UPDATE dictamesh_entity_catalog SET status = 'archived'
 WHERE entity_type = %s AND source_entity_id = '*' AND external AND source_system <> %s
"""


class Conflict(Exception):  # noqa: N818 - the word of MC-13
    """It is there already, or a spec declares it."""


def _whole(value: Any) -> Any:
    """A number without a fraction, which JSON Schema takes for an integer however it is written."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Count = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(_whole)]


class ExternalFacts(BaseModel):
    """What the catalog shall know of an entity type outside the mesh."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    domain: _Name
    source_system: _Name
    contains_pii: bool
    data_classification: Tier
    description: _Text = ""
    owner: _Text | None = None
    key_fields: Annotated[list[_Name], Field(min_length=1, max_length=16)] = ["id"]
    api_base_url: Annotated[str, Field(pattern=r"^https?://[^\s\u0000]+$", max_length=1024)] | None = None
    api_path_template: _Text | None = None
    api_method: Literal["GET", "POST"] = "GET"
    api_auth_type: AuthType = "none"
    status: Literal["active", "deprecated"] = "active"
    availability_sla: Annotated[float, Field(ge=0, le=1)] | None = None
    latency_p99_ms: _Count | None = None
    freshness_sla_seconds: _Count | None = None
    retention_days: _Count | None = None


class ExternalEntity(ExternalFacts):
    """An entity type outside the mesh that the catalog shall know of; it is not served."""

    entity_type: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]


async def create(catalog: Catalog, entity: ExternalEntity) -> CatalogEntity:
    """Register an entity; raises ``Conflict`` where the catalog has one of that name that is not archived."""
    return await _write(catalog, entity, there=False)


async def replace(catalog: Catalog, entity_type: str, facts: ExternalFacts) -> CatalogEntity:
    """Replace what is known of an entity; raises ``EntityNotFound``, and ``Conflict`` for one that a spec declares."""
    entity = ExternalEntity.model_construct(entity_type=entity_type, **dict(facts))
    return await _write(catalog, entity, there=True)


async def archive(catalog: Catalog, entity_type: str) -> CatalogEntity:
    """Archive an entity, whose row stays; raises as ``replace`` does."""
    async with catalog.pool.transaction() as connection:
        await connection.execute(LOCK)
        row = await (await connection.execute(_THERE, (entity_type,))).fetchone()
        _check(entity_type, None if row is None else bool(row[1]), there=True)
        await connection.execute(_ARCHIVE, (entity_type,))
        await forget_external(connection, entity_type)
    catalog.forget()
    return await get_entity(catalog.pool, entity_type)


async def _write(catalog: Catalog, entity: ExternalEntity, *, there: bool) -> CatalogEntity:
    plan = catalog.plan()
    declared = any(each.name == entity.entity_type for each in plan.entities.values())
    columns = entity.model_dump() | {
        "mesh": plan.name,
        "api_base_url": without_credentials(entity.api_base_url),
        "availability_sla": None if entity.availability_sla is None else Decimal(str(entity.availability_sla)),
        "guarded": entity.data_classification not in _OPEN,
    }
    async with catalog.pool.transaction() as connection:
        await connection.execute(LOCK)
        row = await (await connection.execute(_THERE, (entity.entity_type,))).fetchone()
        _check(entity.entity_type, False if declared else None if row is None else bool(row[1]), there=there)
        if (await connection.execute(_WRITE, columns)).rowcount == 0:
            raise Conflict(entity.entity_type)  # a row of a spec of long ago, in the same source
        await connection.execute(_OTHER_SOURCES, (entity.entity_type, entity.source_system))
        await index_one(connection, plan.name, _document(entity))
    catalog.forget()
    return await get_entity(catalog.pool, entity.entity_type)


def _document(entity: ExternalEntity) -> Document:
    return external_document(
        entity.entity_type,
        entity.domain,
        entity.owner,
        entity.data_classification,
        entity.contains_pii,
        entity.description,
    )


def _check(entity_type: str, external: bool | None, *, there: bool) -> None:
    """``external`` None: the catalog has no such entity; False: a spec declares it."""
    if external is None and there:
        raise EntityNotFound(entity_type)
    if external is not None and not (there and external):
        raise Conflict(entity_type)

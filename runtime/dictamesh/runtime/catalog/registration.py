# SPDX-License-Identifier: Apache-2.0
"""Idempotent registration of a mesh in the catalog: one transaction, nothing ever deleted (MC-8, AR-14)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.errors import RegistrationRejected
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.rows import EntityRow, Registration, SchemaRow
from dictamesh.runtime.catalog.search.index import index

LOCK = b"SELECT pg_advisory_xact_lock(7163846502)"
"""Taken by whoever writes types: replicas that upsert them in different orders would deadlock."""
_SCHEMAS = b"""
INSERT INTO dictamesh_schemas
    (entity_type, version, schema_format, schema_definition, backward_compatible, forward_compatible, deprecated_at,
     retired_at)
SELECT r.entity_type, r.version, r.format, r.definition, r.backward_compatible, r.forward_compatible,
       CASE WHEN r.deprecated THEN LEAST(COALESCE(r.deprecated_at, s.deprecated_at), now()) ELSE r.deprecated_at END,
       CASE WHEN r.retired THEN LEAST(COALESCE(r.retired_at, s.retired_at), now()) ELSE r.retired_at END
  FROM jsonb_to_recordset(%s::jsonb) AS r (entity_type text, version text, format text, definition jsonb,
       backward_compatible boolean, forward_compatible boolean, deprecated boolean, deprecated_at timestamptz,
       retired boolean, retired_at timestamptz)
  LEFT JOIN dictamesh_schemas s ON s.entity_type = r.entity_type AND s.version = r.version
    ON CONFLICT ON CONSTRAINT uq_dictamesh_schemas_version DO UPDATE
   SET schema_format = excluded.schema_format, schema_definition = excluded.schema_definition,
       backward_compatible = excluded.backward_compatible, forward_compatible = excluded.forward_compatible,
       deprecated_at = excluded.deprecated_at, retired_at = excluded.retired_at
"""
_OLD_SCHEMAS = b"""
UPDATE dictamesh_schemas s SET deprecated_at = now()
 WHERE s.deprecated_at IS NULL
   AND EXISTS (SELECT FROM dictamesh_entity_catalog c WHERE c.mesh = %(mesh)s AND c.entity_type = s.entity_type)
   AND NOT EXISTS (SELECT FROM dictamesh_entity_catalog c WHERE c.schema_id = s.id AND c.status = 'active')
   AND NOT EXISTS (SELECT FROM jsonb_to_recordset(%(schemas)s::jsonb) AS r (entity_type text, version text)
                    WHERE r.entity_type = s.entity_type AND r.version = s.version)
"""
_ENTITIES = b"""
INSERT INTO dictamesh_entity_catalog AS c
    (mesh, product_id, product_version, owner, entity_type, domain, source_system, key_fields, api_base_url,
     api_path_template, api_method, api_auth_type, schema_id, schema_version, status, availability_sla, latency_p99_ms,
     freshness_sla_seconds, contains_pii, data_classification, retention_days, description, guarded)
SELECT %s, r.product_id, r.product_version, r.owner, r.entity_type, r.domain, r.source_system, r.key_fields,
       r.api_base_url, r.api_path_template, r.api_method, r.api_auth_type, s.id, r.schema_version, r.status,
       r.availability_sla, r.latency_p99_ms, r.freshness_sla_seconds, r.contains_pii, r.data_classification,
       r.retention_days, r.description, r.guarded
  FROM jsonb_to_recordset(%s::jsonb) AS r (product_id text, product_version text, owner text, entity_type text,
       domain text, source_system text, key_fields text[], api_base_url text, api_path_template text, api_method text,
       api_auth_type text, schema_version text, status text, availability_sla numeric, latency_p99_ms integer,
       freshness_sla_seconds integer, contains_pii boolean, data_classification text, retention_days integer,
       description text, guarded boolean)
  LEFT JOIN dictamesh_schemas s ON s.entity_type = r.entity_type AND s.version = r.schema_version
    ON CONFLICT ON CONSTRAINT uq_dictamesh_entity_catalog_source DO UPDATE
   SET mesh = excluded.mesh, product_id = excluded.product_id, product_version = excluded.product_version,
       owner = excluded.owner, domain = excluded.domain, key_fields = excluded.key_fields,
       api_base_url = excluded.api_base_url, api_path_template = excluded.api_path_template,
       api_method = excluded.api_method, api_auth_type = excluded.api_auth_type, schema_id = excluded.schema_id,
       schema_version = excluded.schema_version, status = excluded.status, last_seen_at = now(),
       availability_sla = excluded.availability_sla, latency_p99_ms = excluded.latency_p99_ms,
       freshness_sla_seconds = excluded.freshness_sla_seconds, contains_pii = excluded.contains_pii,
       data_classification = excluded.data_classification, retention_days = excluded.retention_days,
       description = excluded.description, guarded = excluded.guarded, external = false, provenance = 'declared'
"""
# Types that no spec declares any more, and those of editors whose name a spec has taken.
_GONE = b"""
UPDATE dictamesh_entity_catalog c SET status = 'deprecated'
 WHERE c.source_entity_id = '*' AND c.status = 'active'
   AND ((c.mesh = %(mesh)s AND NOT c.external)
        OR (c.external AND EXISTS (SELECT FROM jsonb_to_recordset(%(entities)s::jsonb) AS r (entity_type text)
                                    WHERE r.entity_type = c.entity_type)))
   AND NOT EXISTS (SELECT FROM jsonb_to_recordset(%(entities)s::jsonb) AS r (entity_type text, source_system text)
                    WHERE r.entity_type = c.entity_type AND r.source_system = c.source_system)
"""
_KINDS = b"""
INSERT INTO dictamesh_relation_kinds AS k
    (subject_entity_type, relationship_type, object_entity_type, relationship_cardinality, inverse)
SELECT subject, name, object, cardinality, inverse
  FROM jsonb_to_recordset(%(relations)s::jsonb) AS r (name text, subject text, object text, cardinality text,
       inverse text)
    ON CONFLICT ON CONSTRAINT uq_dictamesh_relation_kinds_ends DO UPDATE
   SET relationship_cardinality = excluded.relationship_cardinality, inverse = excluded.inverse
 WHERE (k.relationship_cardinality, k.inverse)
       IS DISTINCT FROM (excluded.relationship_cardinality, excluded.inverse)
"""
_DECLARED = b"""
WITH declared AS MATERIALIZED (
    SELECT s.id AS subject_id, s.node AS subject_node, k.kind, o.id AS object_id, o.node AS object_node, r.*
      FROM jsonb_to_recordset(%(relations)s::jsonb) AS r (name text, subject text, object text, cardinality text,
           inverse text, metadata jsonb, subject_system text, object_system text)
      JOIN dictamesh_entity_catalog s
        ON s.entity_type = r.subject AND s.source_system = r.subject_system AND s.source_entity_id = '*'
      JOIN dictamesh_entity_catalog o
        ON o.entity_type = r.object AND o.source_system = r.object_system AND o.source_entity_id = '*'
      JOIN dictamesh_relation_kinds k
        ON k.subject_entity_type = r.subject AND k.relationship_type = r.name AND k.object_entity_type = r.object
)
"""
_CLOSED_RELATIONS = (
    _DECLARED
    + b"""
UPDATE dictamesh_entity_relationships e
   SET valid_to = greatest(now(), e.valid_from + interval '1 microsecond')
  FROM dictamesh_entity_catalog c
 WHERE c.mesh = %(mesh)s AND c.source_entity_id = '*' AND e.subject_node = c.node AND e.valid_to IS NULL
   AND e.object_entity_id = '*'
   AND NOT EXISTS (SELECT FROM declared d
                    WHERE d.subject_node = e.subject_node AND d.kind = e.kind AND d.object_node = e.object_node)
"""
)
_RELATIONS = (
    _DECLARED
    + b"""
INSERT INTO dictamesh_entity_relationships
    (subject_catalog_id, subject_entity_type, relationship_type, relationship_cardinality, object_catalog_id,
     object_entity_type, subject_display_name, object_display_name, relationship_metadata, subject_node, kind,
     object_node)
SELECT subject_id, subject, name, cardinality, object_id, object, name, inverse, metadata, subject_node, kind,
       object_node
  FROM declared
    ON CONFLICT (subject_node, kind, object_node) WHERE valid_to IS NULL DO UPDATE
   SET relationship_cardinality = excluded.relationship_cardinality,
       subject_display_name = excluded.subject_display_name, object_display_name = excluded.object_display_name,
       relationship_metadata = excluded.relationship_metadata, last_seen_at = now()
"""
)


async def register(pool: Pool, rows: Registration) -> None:
    """Bring the catalog to what ``rows`` say; the same call twice changes times only.

    Entities and relations that this mesh registered before and no longer names are deprecated and closed. A schema
    registered again under its version is replaced; versions no longer in use are marked deprecated. Raises
    ``RegistrationRejected`` (nothing written) for an invalid row and ``CatalogUnavailable``.
    """
    check(rows)
    entities = _json({**asdict(row), "api_base_url": without_credentials(row.api_base_url)} for row in rows.entities)
    schemas = _json(asdict(row) for row in rows.schemas)
    parameters = {"mesh": rows.mesh, "entities": entities, "relations": _relations(rows), "schemas": schemas}
    async with pool.transaction() as connection:
        await connection.execute(LOCK)
        await connection.execute(_SCHEMAS, (schemas,))
        await connection.execute(_ENTITIES, (rows.mesh, entities))
        await _run(connection, (_GONE, _OLD_SCHEMAS, _KINDS, _CLOSED_RELATIONS, _RELATIONS), parameters)
        await index(connection, rows.mesh, rows.documents)


def check(rows: Registration) -> None:
    """Raise ``RegistrationRejected`` for the first row that contradicts another one or is invalid in itself."""
    if not rows.mesh:
        raise RegistrationRejected("mesh", "a registration needs the mesh's name")
    _unique("entity", (row.entity_type for row in rows.entities))
    _unique("schema", (f"{row.entity_type} {row.version}" for row in rows.schemas))
    _unique("relation", (f"{row.subject}.{row.name} -> {row.object}" for row in rows.relations))
    for schema in rows.schemas:
        _check_schema(schema)
    versions = {(row.entity_type, row.version) for row in rows.schemas}
    for entity in rows.entities:
        _check_entity(entity, versions)
    types = {row.entity_type for row in rows.entities}
    for relation in rows.relations:
        for end in (relation.subject, relation.object):
            if end not in types:
                raise RegistrationRejected(f"relation {relation.name}", f"no entity {end} in this registration")


def without_credentials(url: str | None) -> str | None:
    """The URL without user and password, which the catalog must not show."""
    if url is None or "@" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _check_entity(row: EntityRow, versions: set[tuple[str, str]]) -> None:
    if not row.entity_type or not row.product_id or not row.source_system:
        raise RegistrationRejected(row.entity_type or "entity", "type, product and source system may not be empty")
    if row.availability_sla is not None and not 0 <= row.availability_sla <= 1:
        raise RegistrationRejected(row.entity_type, "availability is a share between 0 and 1")
    if row.schema_version is not None and (row.entity_type, row.schema_version) not in versions:
        raise RegistrationRejected(row.entity_type, f"no schema of version {row.schema_version} in this registration")


def _check_schema(row: SchemaRow) -> None:
    subject = f"schema {row.entity_type} {row.version}"
    if row.format == "avro":
        import fastavro.schema  # noqa: PLC0415 - only a registration needs it, and `query` starts without one

        faults: tuple[type[Exception], ...] = (
            fastavro.schema.SchemaParseException,
            fastavro.schema.UnknownType,
            ValueError,
            TypeError,
            KeyError,
        )
        try:
            fastavro.schema.parse_schema(dict(row.definition))
        except faults:
            raise RegistrationRejected(subject, "not a valid Avro schema") from None
        return
    import jsonschema  # noqa: PLC0415 - 80 ms that most starts do not need

    try:
        jsonschema.Draft202012Validator.check_schema(dict(row.definition))
    except jsonschema.SchemaError:
        raise RegistrationRejected(subject, "not a valid JSON Schema (2020-12)") from None


def _unique(kind: str, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise RegistrationRejected(f"{kind} {name}", "registered twice")


def _relations(rows: Registration) -> str:
    systems = {row.entity_type: row.source_system for row in rows.entities}
    return _json(
        {**asdict(row), "subject_system": systems[row.subject], "object_system": systems[row.object]}
        for row in rows.relations
    )


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return orjson.dumps(list(rows), default=str).decode()


async def _run(connection: AsyncConnection[TupleRow], statements: Iterable[bytes], parameters: dict[str, str]) -> None:
    for statement in statements:
        await connection.execute(statement, parameters)

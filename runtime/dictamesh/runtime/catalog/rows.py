# SPDX-License-Identifier: Apache-2.0
"""What a mesh writes into the catalog: frozen rows, made from a plan by the caller."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from dictamesh.runtime.catalog.search.documents import Document

Tier = Literal["public", "internal", "confidential", "restricted"]
AuthType = Literal["none", "basic", "bearer", "api_key", "oauth2"]
Status = Literal["active", "deprecated", "archived"]
Cardinality = Literal["one-to-one", "one-to-many", "many-to-one", "many-to-many"]
SchemaFormat = Literal["avro", "json-schema"]


@dataclass(frozen=True, slots=True)
class EntityRow:
    """The product row of one entity type (MC-2, ruling 9).

    ``availability_sla`` is a share between 0 and 1 (0.999 for 99.9 percent). ``api_path_template`` holds ``{key
    field}`` or, with one key, ``{id}``; both API columns are None for sources without a URL. ``schema_version`` names a
    ``SchemaRow`` of the same registration or is None. ``guarded``: some policy may hide the type or records of it from
    somebody, so that once no spec declares it, editors of the catalog alone see it.
    """

    product_id: str
    product_version: str
    entity_type: str
    domain: str
    source_system: str
    key_fields: tuple[str, ...]
    data_classification: Tier
    contains_pii: bool
    owner: str | None = None
    api_base_url: str | None = None
    api_path_template: str | None = None
    api_method: str = "GET"
    api_auth_type: AuthType = "none"
    schema_version: str | None = None
    status: Status = "active"
    availability_sla: Decimal | None = None
    latency_p99_ms: int | None = None
    freshness_sla_seconds: int | None = None
    retention_days: int | None = None
    description: str = ""
    guarded: bool = True


@dataclass(frozen=True, slots=True)
class RelationRow:
    """A relation declared between two entity types of the same registration (MC-3); ``metadata`` must be JSON.

    It stands once, in the direction in which it is declared; ``inverse`` is its name seen from the object.
    """

    name: str
    subject: str
    object: str
    cardinality: Cardinality
    inverse: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """One version of an entity's schema (MC-4); ``definition`` is the Avro or JSON Schema as a JSON value.

    ``deprecated`` and ``retired`` say that it is so now: since the time given, or since this was first said. A time
    alone says when it will be.
    """

    entity_type: str
    version: str
    definition: Mapping[str, Any]
    format: SchemaFormat = "avro"
    backward_compatible: bool = True
    forward_compatible: bool = False
    deprecated: bool = False
    deprecated_at: datetime | None = None
    retired: bool = False
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """All that one mesh registers; what it registered before and no longer names becomes deprecated (AR-14).

    ``documents`` are what full-text search finds.
    """

    mesh: str
    entities: tuple[EntityRow, ...]
    relations: tuple[RelationRow, ...] = ()
    schemas: tuple[SchemaRow, ...] = ()
    documents: tuple[Document, ...] = ()

# SPDX-License-Identifier: Apache-2.0
"""Product pages as values: what a product holds and promises, how it keeps that, and who uses it."""

from dataclasses import dataclass
from datetime import datetime

from dictamesh.runtime.catalog.catalog import QualityResult
from dictamesh.runtime.catalog.levels import ServiceLevel
from dictamesh.runtime.catalog.sight import Seen


@dataclass(frozen=True, slots=True)
class ProductSummary:
    """A product in a list; ``entities`` are the types of it that the caller may know of."""

    name: str
    id: str
    version: str
    status: str
    domain: str | None
    owner: str | None
    description: str
    entities: tuple[str, ...]
    contains_pii: bool
    classification: str | None


@dataclass(frozen=True, slots=True)
class FieldPage:
    """A field; ``access`` is what the caller gets of it, ``operations`` how often it was used in the last 30 days.

    ``operations`` is null for callers who may not see who uses what.
    """

    address: str
    name: str
    type: str
    graphql: str
    required: bool
    key: bool
    classification: str
    tags: tuple[str, ...]
    pii: bool
    description: str
    access: Seen
    operations: int | None
    fields: tuple["FieldPage", ...] = ()


@dataclass(frozen=True, slots=True)
class RelationPage:
    """A relation as seen from the entity; it leads to one record or to ``many``."""

    name: str
    to: str
    many: bool
    inverse: str | None
    description: str


@dataclass(frozen=True, slots=True)
class EntityPage:
    """An entity of a product, with its names in GraphQL and on the bus."""

    address: str
    type: str
    description: str
    classification: str
    contains_pii: bool
    key: tuple[str, ...]
    source: str
    topic: str
    one: str
    many: str
    schema_version: str | None
    fields: tuple[FieldPage, ...]
    relations: tuple[RelationPage, ...]


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who used the product within the last 30 days; ``principal`` null is everybody who is anonymous."""

    principal: str | None
    purpose: str | None
    operations: int
    last_used: datetime


@dataclass(frozen=True, slots=True)
class ProductPage:
    """All that the catalog knows of a product.

    ``consumers`` is null for callers who may not see who uses what, ``quality`` where no quality rules are run.
    """

    name: str
    id: str
    version: str
    status: str
    domain: str | None
    owner: str | None
    description: str
    entities: tuple[EntityPage, ...]
    service_levels: tuple[ServiceLevel, ...]
    consumers: tuple[Consumer, ...] | None
    quality: tuple[QualityResult, ...] | None


@dataclass(frozen=True, slots=True)
class WhichProducts:
    """Keys that are None do not filter; a tag covers those below it."""

    domain: str | None = None
    owner: str | None = None
    status: str | None = None
    tag: str | None = None
    contains_pii: bool | None = None

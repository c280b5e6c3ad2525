# SPDX-License-Identifier: Apache-2.0
"""Checked specs: every name bound, every type and expression known. What `validate` yields and `compile` reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dictamesh.specs.documents import Path, Site
from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.limits import Limited
from dictamesh.specs.manifest import Manifest, Options, Source
from dictamesh.specs.model import (
    Agreement,
    Contract,
    Entity,
    EntitySource,
    Input,
    LineageEntry,
    Mesh,
    Policy,
    Product,
    Property,
    Relation,
    Taxonomy,
)
from dictamesh.specs.quality import QualityRule
from dictamesh.specs.rules import RuleTable
from dictamesh.specs.types import Type

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Declared(Generic[M]):
    """A model and where it is written. `broken` are paths of faulty parts, which the model does not have."""

    model: M
    site: Site
    broken: frozenset[Path] = frozenset()

    def sound(self, site: Site) -> bool:
        """Whether nothing at or below a site, nor what it lies in, is broken."""
        path = site.path
        return not any(each[: len(path)] == path[: len(each)] for each in self.broken)


@dataclass(frozen=True, slots=True)
class Field:
    """A property with its type, value and effective sensitivity (S2). `column` is None for a computed field.

    `written` is set where the expression reads other fields: the same tree with `("self", field)` for those reads.
    """

    address: str
    model: Property
    site: Site
    type: Type
    column: str | None
    expr: Expr
    tier: str
    tags: tuple[str, ...]
    pii: bool
    members: tuple["Field", ...] = ()
    written: Expr | None = None
    limits: tuple[Limited, ...] = ()

    @property
    def name(self) -> str:
        return self.model.name


@dataclass(frozen=True, slots=True)
class ServerRef:
    """A server as a product names it: `id` is its name, or `product/name` for one of the product's own."""

    id: str
    manifest: Manifest
    options: Mapping[str, object]
    model: Options | None  # None where references stand for values that are not text


@dataclass(frozen=True, slots=True)
class ResolvedEntity:
    """An entity bound to its source. `key` holds field names in `primaryKeyPosition` order."""

    address: str
    product: Product
    model: Entity
    binding: EntitySource
    site: Site
    product_site: Site
    fields: Mapping[str, Field]
    key: tuple[str, ...]
    server: ServerRef
    source: Source
    quality: tuple[QualityRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A relation as seen from the entity at `holder`."""

    name: str
    holder: str
    target: str
    own: tuple[str, ...]
    theirs: tuple[str, ...]
    many: bool
    restrict: bool
    inverse: str | None
    model: Relation
    site: Site
    inverted: bool = False  # the direction that `inverse` names


@dataclass(frozen=True, slots=True)
class DatasetField:
    """A field of a dataset that no product serves, with an empty `field` the dataset as a whole.

    `name` is OpenLineage's name in its `namespace`; with None for that, a table of the server that the target is read
    from.
    """

    namespace: str | None
    name: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """That one field is made of another, by address. `model` is None where `transformSourceObjects` says it.

    With a `LineageEntry` either end may be an entity as a whole, `source` a field outside the mesh, and `target`, where
    `column` says so, a column of the entity's source.
    """

    source: str | DatasetField
    target: str
    model: Input | LineageEntry | None
    site: Site
    column: bool = False


@dataclass(frozen=True, slots=True)
class Specs:
    """A whole mesh that may be compiled. Mappings are by name or address, in sorted order.

    `contracts` are products without a source, of which nothing is served; no name stands in both.
    """

    mesh: Declared[Mesh]
    taxonomy: Taxonomy
    products: Mapping[str, Declared[Product]]
    policies: Mapping[str, Declared[Policy]]
    agreements: Mapping[str, Declared[Agreement]]
    entities: Mapping[str, ResolvedEntity]
    links: tuple[Link, ...]
    flows: tuple[Flow, ...]
    rules: RuleTable
    pii_tags: frozenset[str]
    contracts: Mapping[str, Declared[Contract]] = field(default_factory=dict)
    regimes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of products, entities and fields, by address

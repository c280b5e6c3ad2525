# SPDX-License-Identifier: Apache-2.0
"""The plan: what was declared, fully resolved. Frozen, pure, hashed; a running mesh reads nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.limits import Limited
from dictamesh.specs.manifest import Capabilities, Source
from dictamesh.specs.model import Mesh, PolicyTest
from dictamesh.specs.model.events import Changes
from dictamesh.specs.quality import QualityRule
from dictamesh.specs.resolved import DatasetField
from dictamesh.specs.rules import RuleTable
from dictamesh.specs.types import Type


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A field as served.

    `expr` reads source columns (physical names) and yields `type`, rounding included; filters and orders pushed down
    use it. `column` is the physical name where the value is that column's, converted; None for a computed field.
    `pushed` is None where the source can compute it, else the reason why Python does. `tier` is the effective one
    (`restricted` where none is declared). `members` are the fields of an object, or of the objects in an array,
    each with an address below this one; masks act on those leaves. `written` is set where the field reads others of
    its entity: `expr` with `("self", field)` for those reads. `unique`: the contract says that no two rows share a
    value. `indexed`: the contract or the source lets rows be found by it alone. `encrypted`: it says where an encrypted
    form stands. `limits`: what the contract says of values beyond their type; a record that breaks one gives no event.
    """

    address: str
    name: str
    type: Type
    graphql: str  # GraphQL type without list or non-null: String, Long, CustomerStatus, CustomerAddress
    expr: Expr
    column: str | None
    pushed: str | None
    required: bool
    tier: str
    tags: tuple[str, ...]
    pii: bool
    description: str = ""
    enum: tuple[tuple[str, str], ...] = ()  # GraphQL name, source text
    members: tuple["FieldPlan", ...] = ()
    written: Expr | None = None
    unique: bool = False
    indexed: bool = False
    encrypted: bool = False
    limits: tuple[Limited, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """A relation as seen from one end.

    `own` and `theirs` pair field names. `by_key`: theirs are the target's whole primary key, in order. `restrict`:
    rows of this entity exist only where the related row exists for the caller (S18). `per_parent`: the source cannot
    look rows up by `theirs`, so each parent costs a call (S11). `declared`: this is the direction that the spec writes;
    the other one bears the name `inverse`.
    """

    name: str
    target: str
    own: tuple[str, ...]
    theirs: tuple[str, ...]
    many: bool
    by_key: bool
    restrict: bool
    same_server: bool
    per_parent: bool
    inverse: str | None
    description: str = ""
    declared: bool = True


@dataclass(frozen=True, slots=True)
class TopicPlan:
    name: str
    partitions: int
    replication: int
    retention: float  # seconds
    compression: str
    cleanup: str
    payload: str = "open"  # none, open, all
    roles: tuple[str, ...] = ()  # what its readers may see is what a principal with these roles may
    purpose: str | None = None
    encrypt: tuple[str, ...] = ()  # tags and tiers
    include: tuple[str, ...] = ()  # fields that are routing metadata


@dataclass(frozen=True, slots=True)
class EntityPlan:
    """One entity, everything decided."""

    address: str  # product#Entity
    product: str
    product_id: str
    name: str  # the GraphQL type
    singular: str  # root field, one row
    plural: str  # root field, many rows; `<plural>Count` counts
    description: str
    fields: tuple[FieldPlan, ...]
    key: tuple[str, ...]  # names of the primary-key fields in primaryKeyPosition order
    links: tuple[LinkPlan, ...]
    server: str  # a key of Plan.servers
    connector: str
    source: Source
    capabilities: Capabilities
    coerce: bool
    timezone: str
    surrogate: str | None  # a name in security.keys: the served key is a pseudonym
    cache_ttl: float  # seconds; 0: not cached
    stale_for: float  # seconds
    mapping_hash: str
    topic: TopicPlan
    avro: Mapping[str, Any]
    catalog: Mapping[str, Any]  # the row of dictamesh_entity_catalog, by column
    dialect: str | None = None  # of SQL that can be run on the source, by sqlglot's name for it
    quality: tuple[QualityRule, ...] = ()
    changes: Changes | None = None

    def field(self, name: str) -> FieldPlan:
        """Return a field by name; KeyError when there is none."""
        return next(f for f in self.fields if f.name == name)

    def link(self, name: str) -> LinkPlan | None:
        """Return a relation by name, if there is one."""
        return next((link for link in self.links if link.name == name), None)


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """A server: `id` is its name, or `product/name` for a product's own. `options` hold references unresolved."""

    id: str
    connector: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProductPlan:
    """A product. One without a source is a contract alone: `served` is false, it has no entities, and `sla` holds only
    what it declares. `document` is what its spec says, as plain data with references as written: not to be changed.
    """

    name: str
    id: str
    version: str
    status: str
    domain: str | None
    owner: str | None
    description: str
    entities: tuple[str, ...]  # addresses
    sla: Mapping[str, Any]
    lineage: tuple[Mapping[str, Any], ...]
    served: bool = True
    document: Mapping[str, Any] = field(default_factory=dict)
    subjects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # kind of data subject, addresses of fields


@dataclass(frozen=True, slots=True)
class FlowPlan:
    """That one field is made of another; both are addresses `product#Entity.field`.

    Where a product declares `lineage`, either may be an entity as a whole, `source` a field outside the mesh, and
    `target`, where `column` says so, a column of the entity's source. `kind` is direct_copy, aggregation, join or
    enrichment, None for an input.

    `through` is what breaks the flow of tags, `hmac` (by the key of that name, which the mesh does not hold) or
    `count`. `declassified` names who approved that the target is protected less; the reason stands in the document.
    """

    source: str | DatasetField
    target: str
    through: str | None = None
    key: str | None = None
    declassified: str | None = None
    kind: str | None = None
    expression: str | None = None
    description: str = ""
    column: bool = False


@dataclass(frozen=True, slots=True)
class TestPlan:
    """An inline policy test and where it stands."""

    policy: str
    index: int
    test: PolicyTest
    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled mesh. `hash` covers everything but `mesh.runtime`, pools and telemetry (S27)."""

    name: str
    mesh: Mesh
    servers: Mapping[str, ServerPlan]
    products: Mapping[str, ProductPlan]
    entities: Mapping[str, EntityPlan]
    rules: RuleTable
    pii_tags: frozenset[str]
    tests: tuple[TestPlan, ...]
    sdl: str
    notes: tuple[str, ...]
    hash: str
    flows: tuple[FlowPlan, ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)  # a digest of what each document says, by kind and name
    regimes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of products, entities and fields, by address

    def entity_of_type(self, name: str) -> EntityPlan:
        """Return the entity whose GraphQL type is `name`; type names are unique in a mesh."""
        return next(e for e in self.entities.values() if e.name == name)

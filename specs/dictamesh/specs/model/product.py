# SPDX-License-Identifier: Apache-2.0
"""`kind: DataProduct`: the words of the Open Data Contract Standard v3.1, plus runtime keys at the top level."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from dictamesh.specs.model.contract import Contract, ContractElement, ContractEntity, ContractProperty, ContractServer
from dictamesh.specs.model.events import Changes
from dictamesh.specs.model.parts import (
    Duration,
    Identifier,
    Listed,
    Names,
    OneOrMany,
    Part,
    PositiveDuration,
    Reason,
    Slug,
    listed,
)


class Element(ContractElement):
    """What properties and array items share."""

    properties: Annotated[tuple["Property", ...], Listed] = ()
    items: "Element | None" = None


class Property(Element, ContractProperty):
    """A field of an entity. `transformLogic` is an SQL expression over source columns (S1)."""

    name: Identifier
    primary_key_position: Annotated[int, Field(ge=-1)] = -1


class Entity(ContractEntity):
    """One entity: one GraphQL type, one topic, one Avro schema, one catalog type."""

    name: Identifier
    properties: Annotated[tuple[Property, ...], Listed, Field(min_length=1)]


class ProductServer(ContractServer):
    """A server of one product alone, as ODCS lists servers."""

    server: Slug


class SourceColumnSpec(Part):
    """A column that only expressions read."""

    type: str
    classification: str | None = None
    tags: Names = ()


class Surrogate(Part):
    """A pseudonym that stands for a key (S6)."""

    hmac: Annotated[str, Field(description="a name in security.keys")]


class EntitySource(Part):
    """How one entity is read: keys of the language itself here, the connector's own options beside them."""

    model_config = {**Part.model_config, "extra": "allow"}

    columns: dict[str, str | SourceColumnSpec] = {}
    coerce: Annotated[bool, Field(description="accept '0' for a boolean, '12' for a number and the like")] = False
    default_timezone: Annotated[str, Field(description="zone of source timestamps that name none")] = "UTC"
    surrogate: Surrogate | None = Field(default=None, description="serve a pseudonym of a PII key")
    allow_pii_key: str | None = Field(default=None, description="the reason why a PII key is served as it is")
    changes: Changes | None = Field(default=None, description="how changes are noticed and become events")


class ProductSource(Part):
    """`server` and one block per entity, by entity name."""

    model_config = {**Part.model_config, "extra": "allow"}

    __pydantic_extra__: dict[str, EntitySource]

    server: Annotated[str, Field(description="a server of the mesh file or of this product")]


class Relation(Part):
    """A relation, declared once from either end; `inverse` names the way back (S11)."""

    name: Identifier
    from_: OneOrMany = Field(alias="from", description="Entity.field, or a list of them")
    to: Annotated[OneOrMany, Field(description="product#Entity.field, Entity.field, or a list of them")]
    cardinality: Literal["one-to-one", "one-to-many", "many-to-one"]
    inverse: Identifier | None = None
    description: str = ""
    restrict: bool = Field(
        default=False, description="rows of the holding entity exist only where the related row exists for the caller"
    )


class Declassify(Part):
    """Why an output needs less protection than what it is made of, and who said so."""

    reason: Annotated[str, Field(min_length=10)]
    approver: str


class Flowing(Part):
    """What inputs and lineage share: protection flows along, unless what it went `through` breaks the flow."""

    through: Literal["hmac", "count"] | None = None
    key: str | None = None
    declassify: Declassify | None = None
    description: str = ""


class Input(Flowing):
    """An input port: fields that a field of this product is made of, elsewhere in the mesh.

    The field carries their tags and the highest of their tiers, unless what it went `through` breaks the flow.
    """

    from_: OneOrMany = Field(alias="from", description="product#Entity.field, Entity.field of this product, or a list")
    to: Annotated[str, Field(description="Entity.field of this product")]


class LineageSource(Part):
    """A dataset that no product serves, or one field of it: by `table`, or by OpenLineage's `namespace` and `name`.

    `classification` and `tags` are what it is known to hold; they flow along as those of a field do.
    """

    table: Annotated[str | None, Field(min_length=1, max_length=1024)] = None
    namespace: Annotated[str | None, Field(min_length=1, max_length=1024)] = None
    name: Annotated[str | None, Field(min_length=1, max_length=1024)] = None
    field: Annotated[str | None, Field(min_length=1, max_length=1024)] = None
    classification: str | None = None
    tags: Names = ()


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str | dict) else listed(value)


class LineageEntry(Flowing):
    """Lineage that no expression shows: who fills a column, or what happens inside a source (GL-6)."""

    to: Annotated[str, Field(description="Entity.field of this product, Entity.column of its source, or Entity")]
    from_: Annotated[
        tuple[str | LineageSource, ...],
        BeforeValidator(_one_or_many, json_schema_input_type=str | LineageSource | list[str | LineageSource]),
        Field(min_length=1, max_length=1000),
    ] = Field(alias="from", description="product#Entity.field, product#Entity, a dataset, or a list")
    kind: Literal["direct_copy", "aggregation", "join", "enrichment"] | None = Field(
        default=None, description="absent: enrichment with an expression, else direct_copy"
    )
    expression: Annotated[str | None, Field(min_length=1, max_length=4096)] = None

    @property
    def transformation(self) -> str:
        """The kind, spelled out."""
        return self.kind or ("enrichment" if self.expression else "direct_copy")


class GraphqlNames(Part):
    """Names of an entity's root fields (S8)."""

    plural: Identifier | None = None
    singular: Identifier | None = None


class Output(Part):
    """The output port of an entity: its topic."""

    topic: str | None = None
    partitions: Annotated[int, Field(ge=1)] = 12
    replication: Annotated[int, Field(ge=1)] = 3
    retention: PositiveDuration | None = None
    cleanup: Literal["delete", "compact"] = "delete"
    payload: Annotated[
        Literal["none", "open", "all"],
        Field(description="values in events: none; fields in clear to `roles`; all of them, masked as policies say"),
    ] = "open"
    roles: Annotated[Names, Field(description="its readers have the rights of these roles; absent: of none")] = ()
    purpose: Annotated[str | None, Field(description="the purpose that its readers have")] = None
    encrypt: Annotated[
        Names, Field(description="tags or tiers whose fields go out encrypted under the key of their data subject")
    ] = ()
    include: Annotated[Names, Field(description="fields whose values are routing metadata; none with a pii tag")] = ()


class ProductCache(Part):
    """How long rows of a product may be kept (S25)."""

    enabled: bool = True
    ttl: Duration | None = None
    stale_for: Duration | None = None


class Product(Contract):
    """A data product: a contract, and how it is read."""

    domain: Slug | None = None
    entities: Annotated[tuple[Entity, ...], Listed, Field(alias="schema", min_length=1)]
    servers: Annotated[tuple[ProductServer, ...], Listed] = ()
    source: ProductSource
    relations: Annotated[tuple[Relation, ...], Listed] = ()
    inputs: Annotated[tuple[Input, ...], Listed] = Field(default=(), description="what it is made of in other products")
    lineage: Annotated[tuple[LineageEntry, ...], Listed] = Field(
        default=(), description="where values come from, as far as no expression shows it"
    )
    graphql: dict[str, GraphqlNames] = {}
    output: dict[str, Output] = Field(default={}, description="output ports by entity")
    subjects: dict[str, OneOrMany] = Field(
        default={}, description="by kind of data subject the fields that hold its id: {customer: Customer.id}"
    )
    cache: ProductCache = ProductCache()
    not_personal: dict[str, Reason] = {}

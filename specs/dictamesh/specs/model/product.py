# SPDX-License-Identifier: Apache-2.0
"""`kind: DataProduct`: the words of the Open Data Contract Standard v3.1, plus runtime keys at the top level."""

from typing import Annotated, Literal

from pydantic import Field

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


class Input(Part):
    """An input port: fields that a field of this product is made of, elsewhere in the mesh.

    The field carries their tags and the highest of their tiers, unless what it went `through` breaks the flow.
    """

    from_: OneOrMany = Field(alias="from", description="product#Entity.field, Entity.field of this product, or a list")
    to: Annotated[str, Field(description="Entity.field of this product")]
    through: Literal["hmac", "count"] | None = None
    key: str | None = None
    declassify: Declassify | None = None
    description: str = ""


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
    graphql: dict[str, GraphqlNames] = {}
    output: dict[str, Output] = Field(default={}, description="output ports by entity")
    subjects: dict[str, OneOrMany] = Field(
        default={}, description="by kind of data subject the fields that hold its id: {customer: Customer.id}"
    )
    cache: ProductCache = ProductCache()
    not_personal: dict[str, Reason] = {}

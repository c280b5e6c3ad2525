# SPDX-License-Identifier: Apache-2.0
"""`kind: DataProduct`: the words of the Open Data Contract Standard v3.1, plus runtime keys at the top level."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dictamesh.specs.model.mesh import Server
from dictamesh.specs.model.parts import (
    ApiVersion,
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

LogicalType = Literal["string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean"]
Scalar = str | int | float | bool


class CustomProperty(Part):
    """A fact of your own (ODCS)."""

    id: str | None = None
    property: str
    value: Any = None
    description: str | None = None


class AuthoritativeDefinition(Part):
    """Where something is defined (ODCS)."""

    id: str | None = None
    url: str
    type: str
    description: str | None = None


class Quality(Part):
    """A quality rule in ODCS's words; library rule `invalidValues` with `validValues` makes an enumeration (S3)."""

    model_config = {**Part.model_config, "extra": "allow"}

    type: Literal["library", "sql", "text", "custom"] = "library"
    metric: str | None = None
    rule: str | None = None
    name: str | None = None
    description: str | None = None
    arguments: dict[str, Any] = {}
    query: str | None = None


class LogicalTypeOptions(Part):
    """What else is known of a value (ODCS)."""

    format: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    minimum: Scalar | None = None
    maximum: Scalar | None = None
    exclusive_minimum: Scalar | None = None
    exclusive_maximum: Scalar | None = None
    multiple_of: float | int | None = None
    min_items: int | None = None
    max_items: int | None = None
    unique_items: bool | None = None
    min_properties: int | None = None
    max_properties: int | None = None
    required: Names | None = None
    timezone: bool | None = None
    default_timezone: str | None = None


class Element(Part):
    """What properties and array items share."""

    id: str | None = None
    physical_name: str | None = None
    logical_type: LogicalType | None = None
    physical_type: str | None = None
    logical_type_options: LogicalTypeOptions = LogicalTypeOptions()
    business_name: str | None = None
    description: str | None = None
    classification: str | None = None
    tags: Names = ()
    examples: Annotated[tuple[Any, ...], Listed] = ()
    quality: Annotated[tuple[Quality, ...], Listed] = ()
    properties: Annotated[tuple["Property", ...], Listed] = ()
    items: "Element | None" = None
    critical_data_element: bool | None = None
    encrypted_name: str | None = None
    authoritative_definitions: Annotated[tuple[AuthoritativeDefinition, ...], Listed] = ()
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()


class Property(Element):
    """A field of an entity. `transformLogic` is an SQL expression over source columns (S1)."""

    name: Identifier
    primary_key: bool = False
    primary_key_position: Annotated[int, Field(ge=-1)] = -1
    required: bool = False
    unique: bool = False
    partitioned: bool = False
    partition_key_position: int = -1
    transform_logic: str | None = None
    transform_source_objects: Names = ()
    transform_description: str | None = None


class Entity(Part):
    """One entity: one GraphQL type, one topic, one Avro schema, one catalog type."""

    id: str | None = None
    name: Identifier
    physical_name: str | None = None
    logical_type: Literal["object"] | None = None
    physical_type: str | None = None
    business_name: str | None = None
    description: str | None = None
    data_granularity_description: str | None = None
    tags: Names = ()
    quality: Annotated[tuple[Quality, ...], Listed] = ()
    properties: Annotated[tuple[Property, ...], Listed, Field(min_length=1)]
    authoritative_definitions: Annotated[tuple[AuthoritativeDefinition, ...], Listed] = ()
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()


class SlaProperty(Part):
    """A service level (ODCS)."""

    id: str | None = None
    property: str
    value: Scalar
    value_ext: Scalar | None = None
    unit: str | None = None
    element: str | None = None
    driver: str | None = None
    description: str | None = None
    scheduler: str | None = None
    schedule: str | None = None


class Member(Part):
    """Somebody of a team (ODCS)."""

    id: str | None = None
    username: str
    name: str | None = None
    role: str | None = None
    description: str | None = None
    date_in: str | None = None
    date_out: str | None = None


class Team(Part):
    """Who owns a product (ODCS)."""

    id: str | None = None
    name: str
    description: str | None = None
    members: Annotated[tuple[Member, ...], Listed] = ()


class Description(Part):
    """What a product is for (ODCS)."""

    purpose: str | None = None
    limitations: str | None = None
    usage: str | None = None
    authoritative_definitions: Annotated[tuple[AuthoritativeDefinition, ...], Listed] = ()
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()


class Support(Part):
    """A channel for questions (ODCS)."""

    id: str | None = None
    channel: str
    url: str | None = None
    description: str | None = None
    tool: str | None = None
    scope: str | None = None
    invitation_url: str | None = None


class ProductServer(Server):
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


class ProductCache(Part):
    """How long rows of a product may be kept (S25)."""

    enabled: bool = True
    ttl: Duration | None = None
    stale_for: Duration | None = None


class Product(Part):
    """A data product: a contract, and how it is read."""

    api_version: ApiVersion
    kind: Literal["DataProduct"]
    id: str
    name: Slug
    version: str
    status: Literal["proposed", "draft", "active", "deprecated", "retired"]
    domain: Slug | None = None
    tenant: str | None = None
    data_product: str | None = None
    description: Description = Description()
    team: Team | None = None
    tags: Names = ()
    support: Annotated[tuple[Support, ...], Listed] = ()
    price: dict[str, Any] | None = None
    authoritative_definitions: Annotated[tuple[AuthoritativeDefinition, ...], Listed] = ()
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()
    contract_created_ts: str | None = None
    sla_default_element: str | None = None
    sla_properties: Annotated[tuple[SlaProperty, ...], Listed] = ()
    entities: Annotated[tuple[Entity, ...], Listed, Field(alias="schema", min_length=1)]
    servers: Annotated[tuple[ProductServer, ...], Listed] = ()
    source: ProductSource
    relations: Annotated[tuple[Relation, ...], Listed] = ()
    inputs: Annotated[tuple[Input, ...], Listed] = Field(default=(), description="what it is made of in other products")
    graphql: dict[str, GraphqlNames] = {}
    output: dict[str, Output] = Field(default={}, description="output ports by entity")
    cache: ProductCache = ProductCache()
    not_personal: dict[str, Reason] = {}

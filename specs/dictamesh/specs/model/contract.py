# SPDX-License-Identifier: Apache-2.0
"""`kind: DataProduct` without `source`: a contract alone, in the words of ODCS and as free as they are (ADR 8).

Nothing of it is served. `Product` narrows these classes to what can be.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from dictamesh.specs.model.mesh import Server
from dictamesh.specs.model.odcs import (
    AuthoritativeDefinition,
    CustomProperty,
    Description,
    LogicalType,
    LogicalTypeOptions,
    Quality,
    Relationship,
    Role,
    SlaProperty,
    Support,
    Team,
)
from dictamesh.specs.model.parts import ApiVersion, Listed, Names, Part, Slug


class ContractElement(Part):
    """What properties and array items of a contract share."""

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
    properties: Annotated[tuple["ContractProperty", ...], Listed] = ()
    items: "ContractElement | None" = None
    critical_data_element: bool | None = None
    encrypted_name: str | None = None
    authoritative_definitions: Annotated[tuple[AuthoritativeDefinition, ...], Listed] = ()
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()


class ContractProperty(ContractElement):
    """A property of a contract, by any name; `transformLogic` is text for people."""

    name: str
    primary_key: bool = False
    primary_key_position: int = -1
    required: bool = False
    unique: bool = False
    partitioned: bool = False
    partition_key_position: int = -1
    transform_logic: str | None = None
    transform_source_objects: Names = ()
    transform_description: str | None = None
    relationships: Annotated[tuple[Relationship, ...], Listed] = ()


class ContractEntity(Part):
    """An entity of a contract, by any name."""

    id: str | None = None
    name: str
    physical_name: str | None = None
    logical_type: Literal["object"] | None = None
    physical_type: str | None = None
    business_name: str | None = None
    description: str | None = None
    data_granularity_description: str | None = None
    tags: Names = ()
    quality: Annotated[tuple[Quality, ...], Listed] = ()
    properties: Annotated[tuple[ContractProperty, ...], Listed] = ()
    relationships: Annotated[tuple[Relationship, ...], Listed] = ()
    authoritative_definitions: Annotated[tuple[AuthoritativeDefinition, ...], Listed] = ()
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()


class ContractServer(Server):
    """A server as ODCS lists it; of any `type`, since nothing is read from it."""

    server: str


class Contract(Part):
    """A data product without `source`: checked, exported and compared, and not served."""

    api_version: ApiVersion
    kind: Literal["DataProduct"]
    id: str
    name: Slug
    version: str
    status: Literal["proposed", "draft", "active", "deprecated", "retired"]
    domain: str | None = None
    tenant: str | None = None
    data_product: str | None = None
    description: Description = Description()
    team: Team | None = None
    roles: Annotated[tuple[Role, ...], Listed] = ()
    tags: Names = ()
    support: Annotated[tuple[Support, ...], Listed] = ()
    price: dict[str, Any] | None = None
    authoritative_definitions: Annotated[tuple[AuthoritativeDefinition, ...], Listed] = ()
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()
    contract_created_ts: str | None = None
    sla_default_element: str | None = None
    sla_properties: Annotated[tuple[SlaProperty, ...], Listed] = ()
    entities: Annotated[tuple[ContractEntity, ...], Listed, Field(alias="schema")] = ()
    servers: Annotated[tuple[ContractServer, ...], Listed] = ()

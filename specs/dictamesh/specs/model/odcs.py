# SPDX-License-Identifier: Apache-2.0
"""The parts of the Open Data Contract Standard v3.1 (Bitol) that products and contracts have in common."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from dictamesh.specs.limits import Limit
from dictamesh.specs.model.parts import Listed, Names, OneOrMany, Part

LogicalType = Literal["string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean"]
Scalar = str | int | float | bool
Number = int | float
Bounds = Annotated[tuple[Number, ...], Listed, Field(min_length=2, max_length=2)]


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

    id: str | None = None
    type: Literal["library", "sql", "text", "custom"] = "library"
    metric: str | None = None
    rule: str | None = None
    name: str | None = None
    description: str | None = None
    arguments: dict[str, Any] = {}
    query: str | None = None
    unit: str | None = None
    must_be: Any = None
    must_not_be: Any = None
    must_be_greater_than: Number | None = None
    must_be_greater_or_equal_to: Number | None = None
    must_be_less_than: Number | None = None
    must_be_less_or_equal_to: Number | None = None
    must_be_between: Bounds | None = None
    must_not_be_between: Bounds | None = None
    dimension: str | None = None
    severity: str | None = None
    business_impact: str | None = None
    method: str | None = None
    scheduler: str | None = None
    schedule: str | None = None
    engine: str | None = None
    implementation: str | dict[str, Any] | None = None
    tags: Names = ()
    authoritative_definitions: Annotated[tuple[AuthoritativeDefinition, ...], Listed] = ()
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()


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

    def said(self, limit: Limit) -> Any:
        """Return what is said of a limit, None where nothing is."""
        return getattr(self, _NAMES[limit])


_NAMES: Mapping[Limit, str] = {limit: limit.name.lower() for limit in Limit}


class Relationship(Part):
    """A foreign key in ODCS's words; what the gateway follows is declared under `relations`."""

    type: Literal["foreignKey"] = "foreignKey"
    from_: OneOrMany | None = Field(
        default=None, alias="from", description="entity.property, or a list of them; absent: the property it stands at"
    )
    to: Annotated[OneOrMany, Field(description="entity.property, a path of ids, or a list of them")]
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()


class SlaProperty(Part):
    """A service level (ODCS)."""

    id: str | None = None
    property: str
    value: Scalar | None
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
    replaced_by_username: str | None = None
    tags: Names = ()
    authoritative_definitions: Annotated[tuple[AuthoritativeDefinition, ...], Listed] = ()
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()


class Team(Part):
    """Who owns a product (ODCS)."""

    id: str | None = None
    name: str | None = None
    description: str | None = None
    members: Annotated[tuple[Member, ...], Listed] = ()
    tags: Names = ()
    authoritative_definitions: Annotated[tuple[AuthoritativeDefinition, ...], Listed] = ()
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()


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
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()


class Role(Part):
    """A role in the systems that hold the data (ODCS); the mesh's own roles stand in the mesh file."""

    id: str | None = None
    role: str
    description: str | None = None
    access: str | None = None
    first_level_approvers: str | None = None
    second_level_approvers: str | None = None
    custom_properties: Annotated[tuple[CustomProperty, ...], Listed] = ()

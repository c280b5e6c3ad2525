# SPDX-License-Identifier: Apache-2.0
"""The executable schema of a plan: its SDL, our scalars, and the source texts of enumerations."""

from collections.abc import Iterable, Iterator, Mapping

from graphql import (
    GraphQLEnumType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_ast_schema,
    get_named_type,
    is_list_type,
    parse,
)
from graphql.type import GraphQLField, is_introspection_type

from dictamesh.runtime.compile.catalog_sdl import PAGING as CATALOG_PAGING
from dictamesh.runtime.compile.catalog_sdl import Paging
from dictamesh.runtime.compile.graphql import SCALARS
from dictamesh.runtime.compile.plan import FieldPlan, Plan
from dictamesh.runtime.gateway.scalars import scalar

ENTITY = "dictamesh.entity"
PAGING = "dictamesh.paging"


def build_schema(plan: Plan) -> GraphQLSchema:
    """Build the schema that validates and completes operations on a plan.

    Enumeration values are the source texts, so arguments arrive as they are compared. Object types of entities carry
    the entity's address: `type.extensions[ENTITY]`, and fields of the catalog their `field.extensions[PAGING]`. The SDL
    comes from the compiler and is taken as valid.
    """
    schema = build_ast_schema(parse(plan.sdl, no_location=True), assume_valid=True, assume_valid_sdl=True)
    for name in SCALARS:
        _take_over(schema.type_map[name], scalar(name))
    for (owner, name), paging in CATALOG_PAGING.items():
        _fields(schema.type_map[owner])[name].extensions = {PAGING: paging}
    for entity in plan.entities.values():
        schema.type_map[entity.name].extensions = {ENTITY: entity.address}
        for field in _enumerations(entity.fields):
            _give_texts(schema.type_map[field.graphql], field)
    return schema


def paging_of(field: GraphQLField) -> Paging | None:
    """Return how many entries a field of the catalog may hold; None for other fields."""
    paging: Paging | None = field.extensions.get(PAGING)
    return paging


def entity_address(named: GraphQLNamedType) -> str | None:
    """Return the address of the entity that an object type stands for; None for other types."""
    address = named.extensions.get(ENTITY)
    return str(address) if address is not None else None


def pages(field: GraphQLField) -> bool:
    """Say whether a field returns a list of rows that `limit` bounds: a root list or a to-many relation."""
    return is_list_type(field.type) and rows_of(field)


def rows_of(field: GraphQLField) -> bool:
    """Say whether a field reads rows of an entity, many or one."""
    named = get_named_type(field.type)
    return isinstance(named, GraphQLObjectType) and entity_address(named) is not None


def is_count(field: GraphQLField) -> bool:
    """Say whether a field counts the rows of an entity."""
    return not rows_of(field) and "filter" in field.args


def introspects(parent: GraphQLNamedType, name: str) -> bool:
    """Say whether a field belongs to GraphQL's own introspection."""
    return name.startswith("__") or is_introspection_type(parent)


def _enumerations(fields: Iterable[FieldPlan]) -> Iterator[FieldPlan]:
    for field in fields:
        if field.enum:
            yield field
        yield from _enumerations(field.members)


def _fields(declared: GraphQLNamedType) -> Mapping[str, GraphQLField]:
    if not isinstance(declared, GraphQLObjectType):
        raise TypeError(f"{declared.name} is not declared as an object")
    return dict(declared.fields)


def _take_over(declared: GraphQLNamedType, ours: GraphQLScalarType) -> None:
    if not isinstance(declared, GraphQLScalarType):
        raise TypeError(f"{declared.name} is not declared as a scalar")
    declared.serialize = ours.serialize  # type: ignore[method-assign]  # graphql-core's own way to give a scalar its code
    declared.parse_value = ours.parse_value  # type: ignore[method-assign]  # as above
    declared.parse_literal = ours.parse_literal  # type: ignore[method-assign]  # as above


def _give_texts(declared: GraphQLNamedType, field: FieldPlan) -> None:
    if not isinstance(declared, GraphQLEnumType):
        raise TypeError(f"{declared.name} is not declared as an enumeration")
    for name, text in field.enum:
        declared.values[name].value = text
    declared.__dict__.pop("_value_lookup", None)  # cached from the names

# SPDX-License-Identifier: Apache-2.0
"""The GraphQL schema of a mesh as SDL, the same for every caller (S3, S7..S9, S12)."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from dictamesh.runtime.compile import changes_sdl
from dictamesh.runtime.compile.catalog_sdl import ROOT_FIELD
from dictamesh.runtime.compile.catalog_sdl import SDL as CATALOG
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan
from dictamesh.specs.types import Kind, Type

SCALARS = {
    "Bytes": "Bytes as base64 (RFC 4648).",
    "Date": "A day, ISO 8601: 2026-01-31.",
    "DateTime": "An instant, RFC 3339; answers are in UTC with Z.",
    "Decimal": "An exact decimal number as a string with its declared scale.",
    "JSON": "Any JSON value.",
    "Long": "A whole number of 64 bits, as a string; a number is accepted too.",
    "Time": "A time of day without zone, ISO 8601: 13:45:00.",
}

_EQUAL = ("eq", "ne", "in")
_RANGE = ("lt", "lte", "gt", "gte")
_OPERATORS = {
    "String": (*_EQUAL, *_RANGE, "like"),
    "Boolean": _EQUAL,
    "Bytes": _EQUAL,
}
FILTER_WORDS = frozenset({"and", "or", "not"})
"""Names that a filter gives a meaning of its own; a field or relation of such a name cannot be filtered by."""

_PAGE = "limit: Int, offset: Int"
_TYPES = re.compile(r"^(?:type|enum|input) (\w+)", re.MULTILINE)


def sdl(entities: Mapping[str, EntityPlan]) -> str:
    """Return the schema for the given entities, in the order of their GraphQL names.

    The text depends on the entities alone, never on the order of the mapping. Names are taken as they are: clashes are
    the business of validation. The root field `catalog` and its types stand in every schema.
    """
    ordered = sorted(entities.values(), key=lambda entity: entity.name)
    by_address = {entity.address: entity for entity in ordered}
    blocks = [
        "directive @key(fields: String!) repeatable on OBJECT",
        *(f"{_description(text)}scalar {name}" for name, text in SCALARS.items()),
        "enum SortDirection {\n  ASC\n  DESC\n}",
        _query(ordered),
    ]
    pointed_at = frozenset(link.target for entity in ordered for link in entity.links if not link.many)
    for entity in ordered:
        blocks += _entity(entity, by_address)
        if entity.address in pointed_at:
            blocks.append(_relation_filter(entity))
    blocks += _filters(ordered)
    blocks += changes_sdl.blocks(ordered)
    return "\n\n".join((*blocks, CATALOG))


def type_names(entity: EntityPlan) -> tuple[str, ...]:
    """Return every GraphQL type name that an entity takes, for the check of clashes; the entity's own name is first.

    Names may repeat where two fields share an enumeration or an object type.
    """
    inner = [f.graphql for f in _below(entity.fields) if f.members]
    enums = [name for f in _below(entity.fields) if f.enum for name in (f.graphql, f"{f.graphql}Filter")]
    inputs = [f"{entity.name}{suffix}" for suffix in ("Filter", "RelationFilter", "Order")]
    heard = (changes_sdl.change_type(entity),) if entity.changes is not None else ()
    return (entity.name, *inner, *enums, *inputs, *heard)


def shared_names() -> frozenset[str]:
    """Return the GraphQL type names that every schema takes for itself."""
    builtin = ("Int", "Float", "String", "Boolean", "ID")
    scalars = (*SCALARS, *builtin)
    catalog = _TYPES.findall(CATALOG)
    return frozenset(
        (*scalars, *(f"{name}Filter" for name in scalars), "Query", "SortDirection", *catalog, *changes_sdl.RESERVED)
    )


def _description(text: str, indent: str = "") -> str:
    text = text.strip()
    if not text:
        return ""
    plain = not any(mark in text for mark in '"\\\n\r')
    return f'{indent}"""{text}"""\n' if plain else f"{indent}{json.dumps(text, ensure_ascii=False)}\n"


def _below(fields: Iterable[FieldPlan]) -> Iterator[FieldPlan]:
    for field in fields:
        yield field
        yield from _below(field.members)


def _block(head: str, lines: Iterable[str], description: str = "") -> str:
    body = "\n".join(lines)
    return f"{_description(description)}{head} {{\n{body}\n}}"


def _query(entities: list[EntityPlan]) -> str:
    lines = [line for entity in entities for line in _root_fields(entity)]
    return _block("type Query", [*lines, ROOT_FIELD])


def _root_fields(entity: EntityPlan) -> Iterator[str]:
    yield f"  {entity.singular}({', '.join(_key_arguments(entity))}): {entity.name}"
    if entity.capabilities.list:
        yield f"  {entity.plural}{_list_arguments(entity)}: [{entity.name}!]"
        yield f"  {entity.plural}Count(filter: {entity.name}Filter): Long"


def _key_arguments(entity: EntityPlan) -> Iterator[str]:
    for name in entity.key:
        field = entity.field(name)
        single_string = len(entity.key) == 1 and field.graphql == "String"
        yield f"{name}: {'ID' if single_string else field.graphql}!"


def _list_arguments(entity: EntityPlan) -> str:
    return f"(filter: {entity.name}Filter, orderBy: [{entity.name}Order!], {_PAGE})"


def _entity(entity: EntityPlan, by_address: Mapping[str, EntityPlan]) -> Iterator[str]:
    keys = frozenset(entity.key)
    lines = [*(_field(f, f.name in keys) for f in entity.fields), *(_link(link, by_address) for link in entity.links)]
    yield _block(f'type {entity.name} @key(fields: "{" ".join(entity.key)}")', lines, entity.description)
    yield from _inner_types(entity.fields, set())
    yield from _inputs(entity, by_address)


def _field(field: FieldPlan, key: bool = False) -> str:
    reference = field.graphql
    item: Type | None = field.type
    while item is not None and item.kind is Kind.ARRAY and reference != "JSON":
        reference, item = f"[{reference}]", item.item
    return f"{_description(field.description, '  ')}  {field.name}: {reference}{'!' if key else ''}"


def _link(link: LinkPlan, by_address: Mapping[str, EntityPlan]) -> str:
    target = by_address[link.target]
    shown = f"{_list_arguments(target)}: [{target.name}!]" if link.many else f": {target.name}"
    return f"{_description(link.description, '  ')}  {link.name}{shown}"


def _inner_types(fields: Iterable[FieldPlan], done: set[str]) -> Iterator[str]:
    for field in fields:
        if field.graphql in done:
            continue
        if field.enum:
            done.add(field.graphql)
            yield _block(f"enum {field.graphql}", (f"  {name}" for name, _ in field.enum), field.description)
        elif field.members:
            done.add(field.graphql)
            yield _block(f"type {field.graphql}", map(_field, field.members), field.description)
            yield from _inner_types(field.members, done)


def _comparable(entity: EntityPlan) -> list[FieldPlan]:
    return [f for f in entity.fields if f.type.scalar and f.graphql != "JSON"]


def _inputs(entity: EntityPlan, by_address: Mapping[str, EntityPlan]) -> Iterator[str]:
    name = entity.name
    own = [f"  {f.name}: {f.graphql}Filter" for f in _comparable(entity) if f.name not in FILTER_WORDS]
    near = [
        f"  {link.name}: {by_address[link.target].name}RelationFilter"
        for link in entity.links
        if not link.many and link.name not in FILTER_WORDS
    ]
    logic = [f"  and: [{name}Filter!]", f"  or: [{name}Filter!]", f"  not: {name}Filter"]
    yield _block(f"input {name}Filter", (*own, *near, *logic), f"Conditions on {name}; several are joined by and.")
    order = [f"  {f.name}: SortDirection" for f in _comparable(entity)]
    yield _block(f"input {name}Order", order, f"One key to sort {name} by; nulls come last.")


def _relation_filter(entity: EntityPlan) -> str:
    lines = [f"  {f.name}: {f.graphql}Filter" for f in _comparable(entity)]
    return _block(f"input {entity.name}RelationFilter", lines, f"Conditions on the {entity.name} that a row points to.")


def _filters(entities: list[EntityPlan]) -> Iterator[str]:
    used = {f.graphql: bool(f.enum) for entity in entities for f in _comparable(entity)}
    for name in sorted(used):
        operators = _EQUAL if used[name] else _OPERATORS.get(name, (*_EQUAL, *_RANGE))
        lines = [f"  {word}: [{name}!]" if word == "in" else f"  {word}: {name}" for word in operators]
        yield _block(f"input {name}Filter", (*lines, "  isNull: Boolean"))

# SPDX-License-Identifier: Apache-2.0
"""Names that leave the mesh: GraphQL types and fields (S7, S8), enumeration values (S3), topics (S28)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.resolved import Field, Link, ResolvedEntity
from dictamesh.specs.types import Kind, Type

RESERVED_TYPES = frozenset(
    {
        "Query",
        "Mutation",
        "Subscription",
        "ChangeEvent",
        "ChangeType",
        "SortDirection",
        "String",
        "Int",
        "Float",
        "Boolean",
        "ID",
    }
    | {"Long", "Decimal", "Bytes", "Date", "Time", "DateTime", "JSON"}
    | {"_Any", "_Entity", "_Service", "FieldSet"}  # of the federation specification
)
RESERVED_ROOTS = frozenset({"_entities", "_service", "catalog"})
CATALOG_TYPE = re.compile(r"Catalog([A-Z].*)?\Z", re.DOTALL)
"""Names that the types of the root field `catalog` have, now or in a later release."""
FILTER_WORDS = frozenset({"and", "or", "not"})
"""Words that a filter gives a meaning of its own (S9)."""
TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")


@dataclass(frozen=True, slots=True)
class RootNames:
    singular: str
    plural: str


def lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def upper_first(name: str) -> str:
    return name[:1].upper() + name[1:]


def pluralize(name: str) -> str:
    """The regular English plural; others are declared under `graphql: {Entity: {plural: ...}}`."""
    if re.search(r"[^aeiou]y$", name, re.IGNORECASE):
        return name[:-1] + "ies"
    if re.search(r"(s|x|z|ch|sh)$", name, re.IGNORECASE):
        return name + "es"
    return name + "s"


def root_names(entity: ResolvedEntity) -> RootNames:
    """The root fields of an entity: `customer` and `customers`."""
    given = entity.product.graphql.get(entity.model.name)
    singular = (given and given.singular) or lower_first(entity.model.name)
    return RootNames(singular, (given and given.plural) or pluralize(singular))


def type_name(entity: str, path: Iterable[str]) -> str:
    """The type of an object or enumeration below an entity: `CustomerAddress`."""
    return entity + "".join(upper_first(part) for part in path)


@lru_cache(maxsize=4096)
def enum_names(values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """GraphQL name and text of each value of an enumeration; characters outside GraphQL names become `_`."""
    return tuple((_enum_name(value), value) for value in values)


def _enum_name(value: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", value) or "_"
    if name[0].isdigit():
        name = "_" + name
    return name + "_" if name in {"true", "false", "null"} else name


def check_names(entities: Mapping[str, ResolvedEntity], links: Iterable[Link], findings: Findings) -> None:
    """Record every clash of GraphQL names and of topics."""
    apart = _check_entities(entities.values(), findings)
    _check_types(apart, findings)
    _check_roots(apart, findings)
    _check_fields(entities, links, findings)
    _check_topics(entities.values(), findings)


def _check_entities(entities: Iterable[ResolvedEntity], findings: Findings) -> list[ResolvedEntity]:
    """The entities of different names: of two with one name every other name would clash as well."""
    seen: dict[str, ResolvedEntity] = {}
    for entity in entities:
        first = seen.setdefault(entity.model.name, entity)
        if first is not entity:
            message = f"there is an entity '{entity.model.name}' already, at {(first.site / 'name').span}"
            hint = "Names of entities are unique in a mesh, for they are its GraphQL types; rename one."
            findings.error("DM601", entity.site / "name", message, hint)
    return list(seen.values())


def _types_of(entity: ResolvedEntity) -> Iterator[tuple[str, Site]]:
    name = entity.model.name
    yield name, entity.site / "name"
    suffixes = ("Filter", "RelationFilter", "Order")
    declared = (entity.product.source.__pydantic_extra__ or {}).get(name)
    for suffix in (*suffixes, "Change") if declared is not None and declared.changes is not None else suffixes:
        yield name + suffix, entity.site / "name"
    for field in entity.fields.values():
        yield from _nested_types(name, (field.name,), field)


def _nested_types(entity: str, path: tuple[str, ...], field: Field) -> Iterator[tuple[str, Site]]:
    values = values_of(field.type)
    if field.members or values:
        yield type_name(entity, path), field.site / "name"
    if values:
        yield type_name(entity, path) + "Filter", field.site / "name"
    for member in field.members:
        yield from _nested_types(entity, (*path, member.name), member)


def _check_types(entities: Iterable[ResolvedEntity], findings: Findings) -> None:
    seen: dict[str, Site] = {}
    for entity in entities:
        for name, site in _types_of(entity):
            if name in RESERVED_TYPES or (name.removesuffix("Filter") in RESERVED_TYPES and name != entity.model.name):
                message = f"'{name}' is a type of GraphQL or of the gateway"
                findings.error("DM601", site, message, "Choose another name.")
                break
            if CATALOG_TYPE.match(name):
                message = f"'{name}' would be one of the catalog's own types, which are called Catalog..."
                findings.error("DM601", site, message, "Choose a name that begins otherwise.")
                break
            earlier = seen.setdefault(name, site)
            if earlier is not site:
                message = f"the GraphQL type '{name}' is there already, made for {earlier.span}"
                findings.error("DM601", site, message, "Rename one of the two.")
        for field in entity.fields.values():
            _check_enum(field, findings)


def values_of(kind: Type) -> tuple[str, ...]:
    """The texts of an enumeration, also of one in a list; empty for other types."""
    while kind.kind is Kind.ARRAY and kind.item is not None:
        kind = kind.item
    return kind.values


def _check_enum(field: Field, findings: Findings) -> None:
    names: dict[str, str] = {}
    values = values_of(field.type)
    at = field.site / "quality" if values and (field.site / "quality").exists else field.site / "items"
    for name, value in enum_names(values):
        if name.startswith("__"):
            message = f"'{value}' becomes '{name}', and names that start with __ belong to GraphQL itself"
            findings.error("DM603", at, message, "Change the value, or drop the enumeration.")
        first = names.setdefault(name, value)
        if first != value:
            message = f"'{first}' and '{value}' become the same GraphQL name '{name}'"
            findings.error("DM603", at, message, "Change one of them, or drop the enumeration.")
    for member in field.members:
        _check_enum(member, findings)


def _check_roots(entities: Iterable[ResolvedEntity], findings: Findings) -> None:
    seen: dict[str, ResolvedEntity] = {}
    for entity in entities:
        names = root_names(entity)
        for key, name in (("singular", names.singular), ("plural", names.plural), ("plural", f"{names.plural}Count")):
            hint = f"Add 'graphql: {{{entity.model.name}: {{{key}: ...}}}}' to the product."
            site = entity.product_site / "graphql" / entity.model.name / key
            at = site if site.exists else entity.site / "name"
            if name in RESERVED_ROOTS:
                findings.error("DM608", at, f"'{name}' is a field of GraphQL federation or of the gateway", hint)
                break
            first = seen.setdefault(name, entity)
            if first is not entity:
                message = f"the root field '{name}' is taken by {first.address}"
                findings.error("DM602", at, message, hint)
                break
            if key == "plural" and name == names.singular:
                message = f"'{name}' would be the root field of one row and of many"
                findings.error("DM602", at, message, hint)
                break


def _check_fields(entities: Mapping[str, ResolvedEntity], links: Iterable[Link], findings: Findings) -> None:
    taken: dict[tuple[str, str], Site] = {}
    for entity in entities.values():
        for field in entity.fields.values():
            at = taken[entity.address, field.name] = field.site / "name"
            _check_reserved(field.name, at, findings)
    for link in links:
        at = link.site / ("inverse" if link.inverted else "name")
        earlier = taken.setdefault((link.holder, link.name), at)
        if earlier is not at:
            message = f"{link.holder} has a field or relation '{link.name}' already, at {earlier.span}"
            findings.error("DM604", at, message, "Choose another name for this direction.")
        _check_reserved(link.name, at, findings)


def _check_reserved(name: str, at: Site, findings: Findings) -> None:
    if name in FILTER_WORDS:
        message = f"'{name}' joins conditions in a filter and cannot name a field"
        findings.error("DM608", at, message, "Choose another name, and keep the column's in 'physicalName'.")


def topic_name(entity: ResolvedEntity) -> str:
    """The topic of an entity (S28)."""
    port = entity.product.output.get(entity.model.name)
    if port is not None and port.topic is not None:
        return port.topic
    parts = [entity.product.domain or entity.product.name, entity.server.id.rpartition("/")[2]]
    if len(entity.product.entities) > 1:
        parts.append(entity.model.name.lower())
    return ".".join([*parts, "entity_changed"])


def _check_topics(entities: Iterable[ResolvedEntity], findings: Findings) -> None:
    seen: dict[str, ResolvedEntity] = {}
    for entity in entities:
        topic = topic_name(entity)
        place = entity.product_site / "output" / entity.model.name / "topic"
        at = place if place.exists else entity.site / "name"
        if not TOPIC.match(topic) or topic in {".", ".."}:
            hint = "Kafka takes letters, digits, '.', '_' and '-', 249 at most."
            findings.error("DM606", at, f"'{topic}' is no name for a topic", hint)
        earlier = seen.setdefault(topic.replace(".", "_"), entity)  # Kafka's metrics take the two for one
        if earlier is not entity:
            message = f"{earlier.address} and {entity.address} both publish to the topic '{topic}'"
            if topic_name(earlier) != topic:
                message = f"to Kafka '{topic}' clashes with '{topic_name(earlier)}' of {earlier.address}"
            hint = f"Pin one: 'output: {{{entity.model.name}: {{topic: ...}}}}' in its product."
            findings.error("DM605", at, message, hint)

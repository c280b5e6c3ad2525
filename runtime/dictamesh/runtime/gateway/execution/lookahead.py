# SPDX-License-Identifier: Apache-2.0
"""From a prepared operation to the tree of what it selects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import FieldNode, GraphQLObjectType, get_named_type
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.execution.values import get_argument_values

from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.compile import changes_sdl
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan, Plan
from dictamesh.runtime.gateway.contract import PreparedOperation
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.execution.picks import EntityPick, FieldPick, LinkPick, Page, Path, RootPick, WatchPick
from dictamesh.runtime.gateway.execution.sections import SectionPick, Sections

Nodes = list[FieldNode]


@dataclass(frozen=True, slots=True)
class Names:
    """What the GraphQL names of a plan stand for."""

    roots: Mapping[str, tuple[str, EntityPlan]]
    changed: Mapping[str, EntityPlan]
    entities: Mapping[str, EntityPlan]
    fields: Mapping[str, Mapping[str, FieldPlan]]  # by address, then name
    links: Mapping[str, Mapping[str, LinkPlan]]


def names(plan: Plan) -> Names:
    """Index a plan once; root fields by S8."""
    roots: dict[str, tuple[str, EntityPlan]] = {}
    for entity in plan.entities.values():
        roots[entity.singular] = ("one", entity)
        roots[entity.plural] = ("list", entity)
        roots[f"{entity.plural}Count"] = ("count", entity)
    fields = {address: {each.name: each for each in entity.fields} for address, entity in plan.entities.items()}
    links = {address: {each.name: each for each in entity.links} for address, entity in plan.entities.items()}
    changed = {changes_sdl.changed(entity): entity for entity in changes_sdl.watched(plan.entities.values())}
    return Names(roots, changed, plan.entities, fields, links)


def look_ahead(operation: PreparedOperation, known: Names) -> tuple[RootPick, ...]:
    """Return the root fields of entities that an operation selects, with what lies below."""
    walker = _Walker(operation, known)
    picks = [walker.root(root, key, nodes) for root, key, nodes in _selected(operation)]
    return tuple(pick for pick in picks if pick is not None)


def watch_pick(operation: PreparedOperation, known: Names) -> WatchPick:
    """Return what a subscription selects; raises GatewayError where its root field is switched off."""
    for root, key, nodes in _selected(operation):
        return _Walker(operation, known).watched(root, key, nodes)
    raise GatewayError("VALIDATION_ERROR", "The subscription selects no field.")


def section_picks(operation: PreparedOperation, sections: Sections) -> tuple[SectionPick, ...]:
    """Return the root fields of sections that an operation selects."""
    found = []
    for root, key, nodes in _selected(operation):
        name = nodes[0].name.value
        below = get_named_type(root.fields[name].type) if name in sections else None
        if isinstance(below, GraphQLObjectType):
            found.append(SectionPick(key, sections[name], below, nodes))
    return tuple(found)


def _selected(operation: PreparedOperation) -> Iterator[tuple[GraphQLObjectType, str, Nodes]]:
    """Yield the root type with the key and the nodes of each root field; `__` fields are the engine's own."""
    root = operation.schema.get_root_type(operation.operation.operation)
    if root is None:
        return
    found = collect_fields(
        operation.schema, dict(operation.fragments), dict(operation.variables), root, operation.operation.selection_set
    )
    for key, nodes in found.items():
        if not nodes[0].name.value.startswith("__"):
            yield root, key, nodes


@dataclass(frozen=True, slots=True)
class _Walker:
    operation: PreparedOperation
    known: Names

    def root(self, parent: GraphQLObjectType, key: str, nodes: Nodes) -> RootPick | None:
        kind, entity = self.known.roots.get(nodes[0].name.value, (None, None))
        if kind is None or entity is None:
            return None
        args = self._arguments(parent, nodes)
        path = (key,)
        if kind == "count":
            return RootPick(key, path, "count", entity, page=_page(args))
        below = self._entity(parent, nodes, entity, path)
        if kind == "one":
            return RootPick(key, path, "one", entity, id=tuple(args[name] for name in entity.key), below=below)
        return RootPick(key, path, "list", entity, page=_page(args), below=below)

    def watched(self, parent: GraphQLObjectType, key: str, nodes: Nodes) -> WatchPick:
        entity = self.known.changed[nodes[0].name.value]
        args = self._arguments(parent, nodes)
        given = [args.get(name) for name in changes_sdl.key_arguments(entity)]
        named = [value for value in given if value is not None]
        if named and len(named) < len(given):
            raise GatewayError("VALIDATION_ERROR", f"{key}: name all parts of the key, or none.")
        events: dict[str, tuple[tuple[str, str], ...]] = {}
        below: dict[str, EntityPick] = {}
        message, selected = self._below(parent, nodes) or (parent, {})
        for name, each in selected.items():
            if each[0].name.value == changes_sdl.NODE:
                below[name] = self._entity(message, each, entity, (key, name))
            else:
                _, parts = self._below(message, each) or (message, {})
                events[name] = tuple((at, one[0].name.value) for at, one in parts.items())
        record = canonical(tuple(named)) if named else None
        return WatchPick(key, entity, record, _page(args), args.get(changes_sdl.AFTER), events, below)

    def _arguments(self, parent: GraphQLObjectType, nodes: Nodes) -> Mapping[str, Any]:
        return get_argument_values(parent.fields[nodes[0].name.value], nodes[0], dict(self.operation.variables))

    def _below(self, parent: GraphQLObjectType, nodes: Nodes) -> tuple[GraphQLObjectType, dict[str, Nodes]] | None:
        named = get_named_type(parent.fields[nodes[0].name.value].type)
        if not isinstance(named, GraphQLObjectType):
            return None
        operation = self.operation
        found = collect_sub_fields(operation.schema, dict(operation.fragments), dict(operation.variables), named, nodes)
        return named, {key: each for key, each in found.items() if not each[0].name.value.startswith("__")}

    def _entity(self, parent: GraphQLObjectType, nodes: Nodes, entity: EntityPlan, path: Path) -> EntityPick:
        inner = self._below(parent, nodes)
        fields: list[FieldPick] = []
        links: list[LinkPick] = []
        if inner is not None:
            named, selected = inner
            for key, each in selected.items():
                link = self.known.links[entity.address].get(each[0].name.value)
                if link is None:
                    fields.append(self._field(named, key, each, self.known.fields[entity.address]))
                else:
                    links.append(self._link(entity, link, (named, key, each), (*path, key)))
        return EntityPick(entity, tuple(fields), tuple(links))

    def _link(
        self, holder: EntityPlan, link: LinkPlan, selected: tuple[GraphQLObjectType, str, Nodes], path: Path
    ) -> LinkPick:
        parent, key, nodes = selected
        page = _page(self._arguments(parent, nodes)) if link.many else None
        below = self._entity(parent, nodes, self.known.entities[link.target], path)
        return LinkPick(key, path, holder, link, page, below)

    def _field(self, parent: GraphQLObjectType, key: str, nodes: Nodes, fields: Mapping[str, FieldPlan]) -> FieldPick:
        field = fields[nodes[0].name.value]
        inner = self._below(parent, nodes) if field.members else None
        if inner is None:
            return FieldPick(key, field)
        named, selected = inner
        members = {member.name: member for member in field.members}
        return FieldPick(key, field, tuple(self._field(named, at, each, members) for at, each in selected.items()))


def _page(args: Mapping[str, Any]) -> Page:
    order = tuple(
        (name, direction == "DESC") for entry in args.get("orderBy") or () for name, direction in entry.items()
    )
    return Page(args.get("filter"), order, args.get("limit"), args.get("offset") or 0)

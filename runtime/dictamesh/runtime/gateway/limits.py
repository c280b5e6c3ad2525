# SPDX-License-Identifier: Apache-2.0
"""The size of a document with its fragments expanded, found without expanding them (S10)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_introspection_query,
    parse,
)

from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.tokens import NESTING
from dictamesh.specs.model.mesh import Limits

EXPANSION = 5
"""Fields after expansion of fragments, per token that is allowed."""
REPEATS = 50
"""How often one selection set may repeat a response key; merging repeats costs their square."""
INTROSPECTION = 2
"""Introspection may weigh this many times the standard introspection query."""

_INTROSPECTED_LISTS = {
    "types": 50, "fields": 10, "args": 10, "inputFields": 10, "enumValues": 10, "possibleTypes": 10, "interfaces": 10,
    "directives": 10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """What a selection set amounts to.

    `depth` counts levels of fields (introspection not included), `fields` the fields after expansion, `weight` the
    introspected values, `chain` how many fragments spread one another.
    """

    depth: int = 0
    fields: int = 0
    weight: int = 0
    chain: int = 0

    def beside(self, other: "Size") -> "Size":
        return Size(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.weight + other.weight,
            max(self.chain, other.chain),
        )


def check_document(document: DocumentNode, limits: Limits) -> None:
    """Refuse a document whose operations are too deep or expand too far.

    Works on text that is parsed but not validated: unknown fragments count nothing, cyclic ones are refused here.
    Raises GatewayError LIMIT_EXCEEDED or VALIDATION_ERROR.
    """
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    sizes = _fragment_sizes(fragments)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            _check(_size(definition.selection_set, sizes, inside=False), limits)


def _check(size: Size, limits: Limits) -> None:
    if size.depth > limits.depth:
        raise GatewayError("LIMIT_EXCEEDED", f"The query is {size.depth} levels deep; {limits.depth} are allowed.")
    if size.fields > EXPANSION * limits.tokens:
        text = f"The query has more than {EXPANSION * limits.tokens} fields once its fragments are expanded."
        raise GatewayError("LIMIT_EXCEEDED", text)
    if size.weight > INTROSPECTION * _standard_introspection():
        raise GatewayError("LIMIT_EXCEEDED", "The query introspects more than twice what a schema browser asks for.")


def _fragment_sizes(fragments: Mapping[str, FragmentDefinitionNode]) -> dict[str, Size]:
    """Measure fragments from the leaves up, so that neither a chain of them nor a cycle can recurse."""
    waiting = {name: {s for s in _spreads(node.selection_set) if s in fragments} for name, node in fragments.items()}
    users: dict[str, list[str]] = {name: [] for name in fragments}
    for name, used in waiting.items():
        for other in used:
            users[other].append(name)
    ready = [name for name, used in waiting.items() if not used]
    sizes: dict[str, Size] = {}
    while ready:
        name = ready.pop()
        sizes[name] = _fragment_size(fragments[name], sizes)
        for user in users[name]:
            waiting[user].discard(name)
            if not waiting[user]:
                ready.append(user)
    if len(sizes) < len(fragments):
        cyclic = min(fragments.keys() - sizes.keys())
        raise GatewayError("VALIDATION_ERROR", f"The fragment {cyclic} spreads itself, or one that does.")
    return sizes


def _fragment_size(node: FragmentDefinitionNode, sizes: Mapping[str, Size]) -> Size:
    size = _size(node.selection_set, sizes, inside=node.type_condition.name.value.startswith("__"))
    if size.chain >= NESTING:
        raise GatewayError("LIMIT_EXCEEDED", f"More than {NESTING} fragments spread one another in a row.")
    return Size(size.depth, size.fields, size.weight, size.chain + 1)


def _spreads(selections: SelectionSetNode) -> Iterator[str]:
    for node in selections.selections:
        if isinstance(node, FragmentSpreadNode):
            yield node.name.value
        elif isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set:
            yield from _spreads(node.selection_set)


def _size(selections: SelectionSetNode, sizes: Mapping[str, Size], *, inside: bool) -> Size:
    """Add up a selection set; `inside` says that its fields are introspected. Recursion is bounded by the scan."""
    _check_repeats(selections.selections)
    total = Size()
    for node in selections.selections:
        if isinstance(node, FragmentSpreadNode):
            part = sizes.get(node.name.value, Size())
        elif isinstance(node, InlineFragmentNode):
            part = _size(node.selection_set, sizes, inside=inside)
        elif isinstance(node, FieldNode):
            part = _field(node, sizes, inside=inside)
        else:
            continue
        total = total.beside(part)
    return total


def _field(node: FieldNode, sizes: Mapping[str, Size], *, inside: bool) -> Size:
    name = node.name.value
    inside = inside or name.startswith("__")
    below = _size(node.selection_set, sizes, inside=inside) if node.selection_set else Size()
    if inside:
        weight = _INTROSPECTED_LISTS.get(name, 1) * (1 + below.weight)
        return Size(0, 1 + below.fields, weight, below.chain)
    return Size(1 + below.depth, 1 + below.fields, below.weight, below.chain)


def _check_repeats(nodes: Iterable[object]) -> None:
    keys = Counter((node.alias or node.name).value for node in nodes if isinstance(node, FieldNode))
    if keys and (most := keys.most_common(1)[0])[1] > REPEATS:
        raise GatewayError("LIMIT_EXCEEDED", f"The query repeats {most[0]} more than {REPEATS} times in one place.")


@cache
def _standard_introspection() -> int:
    text = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    document = parse(text, no_location=True)
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    operation = next(d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    return _size(operation.selection_set, _fragment_sizes(fragments), inside=False).weight

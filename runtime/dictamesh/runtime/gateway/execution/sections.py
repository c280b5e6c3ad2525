# SPDX-License-Identifier: Apache-2.0
"""Root fields that are no entities: each is a section of the schema whose values somebody else provides.

A section is walked level by level: each resolver is asked once for all objects of a level, so that nothing is asked for
one by one. What no resolver gives is read from the object by its name.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from graphql import FieldNode, GraphQLObjectType, get_named_type
from graphql.execution.collect_fields import collect_sub_fields
from graphql.execution.values import get_argument_values
from pydantic.alias_generators import to_snake

from dictamesh.connectors.concurrency import gathered
from dictamesh.runtime.gateway.contract import FieldError, Node, PreparedOperation, RequestInfo
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.execution.picks import Path
from dictamesh.runtime.governance.principal import Principal

Resolver = Callable[[Any, Sequence[Any], Mapping[str, Any]], Awaitable[Sequence[Any]]]
"""From what the section opened for the caller, the objects and the arguments, to a value for each object.

An argument that was not given is absent. Raises GatewayError where the field fails for all of them.
"""


@dataclass(frozen=True, slots=True)
class Cut:
    """A list that a default limit cut (S10)."""

    items: Sequence[Any]
    limit: int


@dataclass(frozen=True, slots=True)
class Section:
    """A root field for authenticated callers; resolvers are by the names of type and field.

    ``open`` is called once for each use of the root field; what it returns is also the object of that field.
    """

    open: Callable[[Principal, RequestInfo], Any]
    resolvers: Mapping[tuple[str, str], Resolver]


Sections = Mapping[str, Section | None]
"""Sections by root field; None: the schema has it, and nobody is there to answer."""

_ANONYMOUS = FieldError("FORBIDDEN", "This field needs an authenticated caller.")
_ABSENT = FieldError("SOURCE_UNAVAILABLE", "There is nobody here to answer this field.")


@dataclass(frozen=True, slots=True)
class SectionPick:
    """A section that an operation selects."""

    key: str
    section: Section | None
    type: GraphQLObjectType
    nodes: list[FieldNode]


@dataclass(frozen=True, slots=True)
class _Level:
    """Objects of one type at one place of the answer, with what is selected of them."""

    type: GraphQLObjectType
    nodes: list[FieldNode]
    path: Path
    pairs: list[tuple[Any, Node]]


@dataclass(frozen=True, slots=True)
class _Running:
    operation: PreparedOperation
    section: Section
    opened: Any
    truncated: dict[Path, int] = field(default_factory=dict)


async def resolve(
    pick: SectionPick, operation: PreparedOperation, principal: Principal, info: RequestInfo, truncated: dict[Path, int]
) -> Node | FieldError:
    """Return the value of a section's root field; lists that a default limit cut are noted in `truncated`."""
    if not principal.authenticated:
        return _ANONYMOUS
    if pick.section is None:
        return _ABSENT
    root = Node()
    running = _Running(operation, pick.section, pick.section.open(principal, info), truncated)
    levels = [_Level(pick.type, pick.nodes, (pick.key,), [(running.opened, root)])]
    while levels:
        steps = [partial(_fields, level, running) for level in levels]
        levels = [below for found in await gathered(steps) for below in found]
    return root


async def _fields(level: _Level, running: _Running) -> list[_Level]:
    """Fill what is selected of some objects; returns what lies below."""
    operation = running.operation
    selected = collect_sub_fields(
        operation.schema, dict(operation.fragments), dict(operation.variables), level.type, level.nodes
    )
    steps = [
        partial(_field, level, key, nodes, running)
        for key, nodes in selected.items()
        if not nodes[0].name.value.startswith("__")
    ]
    return [below for below in await gathered(steps) if below is not None]


async def _field(level: _Level, key: str, nodes: list[FieldNode], running: _Running) -> _Level | None:
    name = nodes[0].name.value
    declared = level.type.fields[name]
    path = (*level.path, key)
    objects = [each for each, _ in level.pairs]
    resolver = running.section.resolvers.get((level.type.name, name))
    try:
        if resolver is None:
            snake = to_snake(name)
            values: Sequence[Any] = [_part(each, snake) for each in objects]
        else:
            args = get_argument_values(declared, nodes[0], dict(running.operation.variables))
            values = await resolver(running.opened, objects, {name: v for name, v in args.items() if v is not None})
    except GatewayError as failure:
        values = [FieldError(failure.code, failure.message)] * len(objects)
    below = get_named_type(declared.type)
    pairs: list[tuple[Any, Node]] = []
    for (_, node), given in zip(level.pairs, values, strict=True):
        value = given
        if isinstance(given, Cut):
            running.truncated[path], value = given.limit, given.items
        node.values[key] = _placed(value, pairs) if isinstance(below, GraphQLObjectType) else _scalar(value)
    return _Level(below, nodes, path, pairs) if pairs and isinstance(below, GraphQLObjectType) else None


def _placed(value: Any, pairs: list[tuple[Any, Node]]) -> Any:
    """Make nodes of objects; they are filled with the level below."""
    if value is None or isinstance(value, FieldError):
        return value
    if isinstance(value, list | tuple):
        return [_placed(each, pairs) for each in value]
    node = Node()
    pairs.append((value, node))
    return node


def _scalar(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)

# SPDX-License-Identifier: Apache-2.0
"""The cost of an operation: the rows that its declared limits let through, before any work (S10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import FieldNode, GraphQLError, GraphQLObjectType, get_named_type
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.execution.values import get_argument_values

from dictamesh.runtime.compile.catalog_sdl import Paging
from dictamesh.runtime.gateway.arguments import argument_fault, bounded, check_arguments
from dictamesh.runtime.gateway.contract import PreparedOperation
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.schema import introspects, is_count, pages, paging_of, rows_of

VALUES_PER_ROW = 20
"""Values in an answer, per row that the cost allows; aliases multiply values without adding rows."""

Fields = Mapping[str, list[FieldNode]]


@dataclass(slots=True)
class _List:
    """A list on the way: at most `limit` rows under each of `parents` rows; one row costs `unit` with all below it."""

    path: str
    limit: int
    parents: int
    unit: int = 1

    @property
    def step(self) -> int:
        return self.parents * self.unit


@dataclass(slots=True)
class _Count:
    lists: list[_List]
    values: int = 0


def check_cost(operation: PreparedOperation) -> int:
    """Return the cost in rows, with the coerced variables; checks the arguments of every list on the way.

    A row fetched by key or over a to-one relation costs 1, a list its limit (or the default) times one plus what is
    below, a count 1, and what the catalog holds as much as rows. Raises GatewayError LIMIT_EXCEEDED, which names the
    list to limit and a limit that would pass, or VALIDATION_ERROR.
    """
    root = operation.schema.get_root_type(operation.operation.operation)
    if root is None:
        raise GatewayError("INTERNAL_ERROR")
    selections = operation.operation.selection_set
    fragments, variables = dict(operation.fragments), dict(operation.variables)
    try:
        fields = collect_fields(operation.schema, fragments, variables, root, selections)
    except GraphQLError:
        fields = None
    if fields is None:  # outside: the cause would quote a variable
        raise argument_fault("a directive")
    count = _Count([])
    total = _below(operation, root, fields, "", 1, count)
    if total > operation.limits.cost:
        raise GatewayError("LIMIT_EXCEEDED", _too_costly(total, operation.limits.cost, count.lists))
    if count.values > VALUES_PER_ROW * operation.limits.cost:
        text = f"The answer could hold {count.values} values; {VALUES_PER_ROW * operation.limits.cost} are allowed."
        raise GatewayError("LIMIT_EXCEEDED", f"{text} Ask for fewer fields or lower a limit.")
    return total


def _below(
    operation: PreparedOperation, parent: GraphQLObjectType, fields: Fields, path: str, parents: int, count: _Count
) -> int:
    return sum(_field(operation, parent, nodes, _join(path, key), parents, count) for key, nodes in fields.items())


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _field(
    operation: PreparedOperation,
    parent: GraphQLObjectType,
    nodes: list[FieldNode],
    path: str,
    parents: int,
    count: _Count,
) -> int:
    name = nodes[0].name.value
    count.values += parents
    if introspects(parent, name):
        return 0
    field = parent.fields[name]
    args = _arguments(operation, parent, nodes[0], path) if field.args else {}
    named = get_named_type(field.type)
    if not isinstance(named, GraphQLObjectType):
        return 1 if is_count(field) else 0
    limit = 1
    entry: _List | None = None
    paging = paging_of(field)
    if paging is not None or pages(field):
        limit = _limit(args, operation, parent) if paging is None else _of_catalog(paging, args, path)
        entry = _List(path, limit, parents)
        count.lists.append(entry)
    below = collect_sub_fields(operation.schema, dict(operation.fragments), dict(operation.variables), named, nodes)
    own = 1 if rows_of(field) or paging is not None else 0
    cost = own + _below(operation, named, below, path, parents * limit, count)
    if entry is not None:
        entry.unit = cost
    return limit * cost


def _arguments(operation: PreparedOperation, parent: GraphQLObjectType, node: FieldNode, path: str) -> dict[str, Any]:
    field = parent.fields[node.name.value]
    try:
        args = get_argument_values(field, node, dict(operation.variables))
    except GraphQLError:
        args = None
    if args is None:  # outside: the cause would quote a variable
        raise argument_fault(path)
    if "filter" in field.args and paging_of(field) is None and (pages(field) or is_count(field)):
        check_arguments(args, path, operation.limits)
    return args


def _limit(args: Mapping[str, Any], operation: PreparedOperation, parent: GraphQLObjectType) -> int:
    given: int | None = args.get("limit")
    if given is not None:
        return given
    root = parent is operation.schema.query_type
    return operation.limits.limit if root else operation.limits.relation_limit


def _of_catalog(paging: Paging, args: Mapping[str, Any], path: str) -> int:
    """Return how many entries a field of the catalog may hold, with its arguments checked."""
    if paging.largest is not None:
        bounded(args.get("limit"), "limit", paging.largest, path)
        bounded(args.get("offset"), "offset", paging.furthest, path)
    given: int | None = args.get("limit")
    return paging.default if given is None else given


def _too_costly(total: int, allowed: int, lists: list[_List]) -> str:
    text = f"The query may read {total} rows by its limits; {allowed} are allowed."
    passing = [(entry, _passes(entry, total, allowed)) for entry in lists if entry.limit > 0]
    best = max(passing, key=lambda pair: pair[1] / pair[0].limit, default=None)
    if best is None:
        return f"{text} Ask for fewer fields."
    if best[1] >= 1:
        return f"{text} Lower the limit of {best[0].path}: {best[1]} would pass."
    largest = sorted(lists, key=lambda entry: -entry.limit * entry.step)[:3]
    names = ", ".join(entry.path for entry in largest)
    return f"{text} No single limit is enough: lower those of {names}, or ask for fewer lists."


def _passes(entry: _List, total: int, allowed: int) -> int:
    rest = total - entry.limit * entry.step
    return max((allowed - rest) // entry.step, 0) if entry.step else 0

# SPDX-License-Identifier: Apache-2.0
"""The alternative engine: tartiflette over values that were fetched before (`gateway.engine: tartiflette`).

It never sees the caller's text: only what graphql-core parsed, validated, measured and printed again, because 100,000
braces end its parser with a signal and conflicting fields pass its validation.
"""

import asyncio
import importlib
import itertools
import warnings
from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
    is_introspection_type,
    is_specified_scalar_type,
    print_ast,
    print_type,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.utilities import separate_operations

from dictamesh.runtime.compile.graphql import SCALARS
from dictamesh.runtime.gateway.contract import FieldError, Node, PreparedOperation, RequestInfo
from dictamesh.runtime.gateway.engines.engine import Completed, report
from dictamesh.runtime.gateway.errors import ErrorEntry, GatewayError, Path, message
from dictamesh.runtime.gateway.scalars import WRITERS

CURE = (
    "gateway.engine is tartiflette, which is not installed. Install dictamesh[tartiflette] (its build needs CMake 3, "
    "make and a C++ compiler), or remove gateway.engine."
)

_NAMES = itertools.count()


class EngineUnavailable(Exception):  # noqa: N818 - the name says what is the case
    """The engine that the mesh asks for cannot be loaded; the text holds the cure."""


class TartifletteEngine:
    """tartiflette on the schema of a plan; raises EngineUnavailable where it is not installed.

    It is built at the first operation, as building waits.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # its parser library imports sre_parse
                self._library = importlib.import_module("tartiflette")
        except ImportError as error:
            raise EngineUnavailable(CURE) from error
        self._schema = schema
        self._engine: Any = None
        self._building = asyncio.Lock()

    async def complete(self, operation: PreparedOperation, root: Node, info: RequestInfo) -> Completed:  # noqa: ARG002 - Engine
        """Return the answer (`Engine`)."""
        async with self._building:
            if self._engine is None:
                self._engine = await self._built()
        answer = await self._engine.execute(
            _printed(operation),
            operation_name=operation.operation_name,
            context={"schema": operation.schema},
            variables=_declared(operation),
            initial_value=root,
        )
        errors = [_entry(operation, error) for error in answer.get("errors") or ()]
        errors.sort(key=lambda entry: (entry.locations, entry.path or (), entry.message))  # as graphql-core does
        return Completed(answer.get("data"), tuple(errors))

    async def _built(self) -> Any:
        name = f"dictamesh-{next(_NAMES)}"
        for scalar in SCALARS:
            self._library.Scalar(scalar, schema_name=name)(_Scalar(scalar))
        return await self._library.create_engine(
            _sdl(self._schema),
            schema_name=name,
            error_coercer=_describe,
            custom_default_resolver=_resolve,
            coerce_list_concurrently=False,
            coerce_parent_concurrently=False,
        )


class _Scalar:
    """A scalar of ours for tartiflette; arguments pass as they are, graphql-core read them before."""

    def __init__(self, name: str) -> None:
        self._write = WRITERS[name]

    def coerce_output(self, value: Any) -> Any:
        return self._write(value)

    def coerce_input(self, value: Any) -> Any:
        return value

    def parse_literal(self, node: Any) -> Any:
        return getattr(node, "value", None)


def _sdl(schema: GraphQLSchema) -> str:
    """Print the types without directives; tartiflette's grammar has no `repeatable`."""
    others = (schema.subscription_type,)  # served by the default engine, whatever the mesh asks for
    kept = (
        t
        for t in schema.type_map.values()
        if t not in others and not is_introspection_type(t) and not is_specified_scalar_type(t)
    )
    return "\n\n".join(map(print_type, kept))


def _printed(operation: PreparedOperation) -> str:
    return print_ast(separate_operations(operation.document)[operation.operation_name or ""])


def _declared(operation: PreparedOperation) -> dict[str, Any]:
    names = {node.variable.name.value for node in operation.operation.variable_definitions or ()}
    return {name: value for name, value in operation.raw_variables.items() if name in names}


async def _resolve(parent: Any, _args: Any, context: Any, info: Any) -> Any:
    if not isinstance(parent, Node):
        return getattr(parent, info.field_name, None)  # tartiflette introspects its own objects
    value = parent.values.get(info.path.key)
    if value is None:
        return None
    owner = context["schema"].type_map[info.parent_type.name]
    return _readable(value, get_named_type(owner.fields[info.field_name].type))


def _readable(value: Any, kind: GraphQLOutputType) -> Any:
    """Turn field errors into exceptions and source texts of enumerations into their names, in lists too."""
    if isinstance(value, list):
        return [_readable(item, kind) for item in value]
    if isinstance(value, FieldError):
        return GatewayError(value.code, value.message)
    if value is not None and isinstance(kind, GraphQLEnumType):
        return next((name for name, entry in kind.values.items() if entry.value == value), value)
    return value


async def _describe(exception: Exception, error: dict[str, Any]) -> dict[str, Any]:
    return {"path": error.get("path"), "cause": getattr(exception, "original_error", None) or exception}


def _entry(operation: PreparedOperation, error: dict[str, Any]) -> ErrorEntry:
    path = tuple(error["path"]) if error.get("path") else None
    locations = _locations(operation, path) if path else ()
    cause = error.get("cause")
    if isinstance(cause, GatewayError):
        return ErrorEntry(cause.code, cause.message, path, locations)
    if isinstance(cause, ValueError) and str(cause).startswith("Cannot return null"):
        return ErrorEntry("CONTRACT_VIOLATION", message("CONTRACT_VIOLATION"), path, locations)
    if isinstance(cause, TypeError | ValueError):
        return ErrorEntry("SOURCE_DATA_INVALID", message("SOURCE_DATA_INVALID"), path, locations)
    report(cause if isinstance(cause, Exception) else TypeError())
    return ErrorEntry("INTERNAL_ERROR", message("INTERNAL_ERROR"), path, locations)


def _locations(operation: PreparedOperation, path: Path) -> tuple[tuple[int, int], ...]:
    """Find the field of a response path in the caller's text, as tartiflette knows only the printed one."""
    fragments, variables = dict(operation.fragments), dict(operation.variables)
    kind: Any = operation.schema.query_type
    fields = collect_fields(operation.schema, fragments, variables, kind, operation.operation.selection_set)
    nodes: list[FieldNode] = []
    for key in path:
        if isinstance(key, int):
            continue
        if nodes:
            fields = collect_sub_fields(operation.schema, fragments, variables, kind, nodes)
        nodes = fields.get(key, [])
        if not nodes or not isinstance(kind, GraphQLObjectType):
            return ()
        declared = kind.fields.get(nodes[0].name.value)
        kind = get_named_type(declared.type) if declared else None
    return tuple((n.loc.start_token.line, n.loc.start_token.column) for n in nodes if n.loc)

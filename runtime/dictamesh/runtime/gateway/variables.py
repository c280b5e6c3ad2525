# SPDX-License-Identifier: Apache-2.0
"""Coerces the variables of an operation; its messages name places and types, never values (S26)."""

from collections.abc import Mapping
from typing import Any, cast

from graphql import (
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableDefinitionNode,
    coerce_input_value,
    is_input_type,
    is_non_null_type,
    type_from_ast,
    value_from_ast,
)

from dictamesh.runtime.gateway.errors import ErrorEntry, GatewayError, Refused
from dictamesh.runtime.gateway.scalars import EXPECTATIONS
from dictamesh.runtime.gateway.tokens import NESTING

MOST_ERRORS = 10


def coerce(schema: GraphQLSchema, operation: OperationDefinitionNode, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables as execution reads them: defaults filled in, absent ones left out.

    Raises `Refused` VALIDATION_ERROR with an entry for each fault, at most 10, and GatewayError LIMIT_EXCEEDED for
    values that nest too deeply.
    """
    _check_nesting(given)
    faults: list[ErrorEntry] = []
    values: dict[str, Any] = {}
    for node in operation.variable_definitions or ():
        name, declared = node.variable.name.value, type_from_ast(schema, node.type)
        kind = cast("GraphQLInputType", declared)  # what is_input_type says below
        if not is_input_type(declared):
            faults.append(_fault(node, f"Variable '${name}' is of a type that no variable can have."))
        elif name not in given:
            _without_value(node, kind, values, faults)
        else:
            values[name] = _coerced(node, kind, given[name], faults)
    if faults:
        raise Refused("VALIDATION_ERROR", faults[:MOST_ERRORS])
    return values


def _check_nesting(given: Mapping[str, Any]) -> None:
    level: list[Any] = list(given.values())
    for _ in range(NESTING):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        if not below:
            return
        level = below
    raise GatewayError("LIMIT_EXCEEDED", f"The variables nest deeper than {NESTING}.")


def _fault(node: VariableDefinitionNode, text: str) -> ErrorEntry:
    place = node.loc.start_token if node.loc else None
    return ErrorEntry("VALIDATION_ERROR", text, None, ((place.line, place.column),) if place else ())


def _without_value(
    node: VariableDefinitionNode, kind: GraphQLInputType, values: dict[str, Any], faults: list[ErrorEntry]
) -> None:
    name = node.variable.name.value
    if node.default_value:
        values[name] = value_from_ast(node.default_value, kind)
    elif is_non_null_type(kind):
        faults.append(_fault(node, f"Variable '${name}' of type '{kind}' is required and was not sent."))


def _coerced(node: VariableDefinitionNode, kind: GraphQLInputType, value: Any, faults: list[ErrorEntry]) -> Any:
    name = node.variable.name.value

    def on_error(path: list[str | int], _value: Any, error: GraphQLError) -> None:
        at = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
        cure = f": {error.message}" if error.message in EXPECTATIONS else "."
        faults.append(_fault(node, f"Variable '${name}{at}' does not fit the type '{kind}' of '${name}'{cure}"))

    return coerce_input_value(value, kind, on_error)

# SPDX-License-Identifier: Apache-2.0
"""Expressions of policies as Python functions over one row."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from dictamesh.specs.expressions import compile_filter
from dictamesh.specs.expressions.tree import Column, Expr, walk
from dictamesh.specs.types import Kind

Row = Mapping[str, Any]
Parameters = Mapping[str, Any]
Condition = Callable[[Row, Parameters], bool]

_CARRIERS: Mapping[Kind, tuple[type, ...]] = {
    Kind.STRING: (str,),
    Kind.BYTES: (bytes,),
    Kind.INT: (int,),
    Kind.LONG: (int,),
    Kind.FLOAT: (float, int),
    Kind.DECIMAL: (Decimal, int),
    Kind.BOOLEAN: (bool,),
    Kind.DATE: (date,),
    Kind.TIME: (time,),
    Kind.TIMESTAMP: (datetime,),
    Kind.JSON: (str, int, float, Decimal, list, tuple, dict),
    Kind.OBJECT: (dict,),
    Kind.ARRAY: (list, tuple),
}


def condition(expr: Expr) -> Condition:
    """Compile `where` or `keep`; NULL and a failure are false (S17, S18).

    A row may hold the mark of a wrong value in the place of a value; a condition reads it as NULL (S4), else `status <>
    'secret'` would hold on it.
    """
    keep = compile_filter(expr)
    read = tuple({(node.path, _CARRIERS.get(node.type.kind, ())) for node in walk(expr) if isinstance(node, Column)})

    def holds(row: Row, parameters: Parameters) -> bool:
        for path, carriers in read:
            value = _at(row, path)
            if value is not None and not isinstance(value, carriers):
                row = _without(row, path)
        return keep(row, parameters)

    return holds


def _at(row: Row, path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        if not isinstance(value, Mapping):
            return value
        value = value.get(name)
    return value


def _without(row: Row, path: tuple[str, ...]) -> Row:
    inner = row.get(path[0])
    below = _without(inner, path[1:]) if len(path) > 1 and isinstance(inner, Mapping) else None
    return {**row, path[0]: below}

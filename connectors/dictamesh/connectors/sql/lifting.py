# SPDX-License-Identifier: Apache-2.0
"""Constants of comparisons become parameters, so that requests which differ in them share one statement."""

from dataclasses import replace
from typing import Any

from dictamesh.connectors.sdk.protocol import Related, Request
from dictamesh.specs.expressions.tree import Call, Expr, Literal, Parameter
from dictamesh.specs.types import Kind

_COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "in"})
# How a decimal is written depends on its scale; a boolean is part of the text.
_KINDS = frozenset({Kind.STRING, Kind.INT, Kind.LONG, Kind.FLOAT, Kind.DATE, Kind.TIME, Kind.TIMESTAMP})
_MOST = 32  # constants of one list: parameters are looked up one by one


def lifted(request: Request) -> Request:
    """Return an equal request whose conditions hold parameters in place of constants."""
    values: dict[str, Any] = {}
    where = _lift(request.where, values) if request.where is not None else None
    related = tuple(_lift_related(link, values) for link in request.related)
    if not values:
        return request
    return replace(request, where=where, related=related, parameters={**request.parameters, **values})


def _lift_related(link: Related, values: dict[str, Any]) -> Related:
    where = _lift(link.where, values) if link.where is not None else None
    return replace(link, where=where, related=tuple(_lift_related(below, values) for below in link.related))


def _lift(expr: Expr, values: dict[str, Any]) -> Expr:
    if not isinstance(expr, Call):
        return expr
    if expr.name in _COMPARISONS and len(expr.args) <= _MOST:
        return Call(expr.name, tuple(_parameter(arg, values) for arg in expr.args), expr.type)
    if expr.name in {"and", "or", "not"}:
        return Call(expr.name, tuple(_lift(arg, values) for arg in expr.args), expr.type)
    return expr


def _parameter(arg: Expr, values: dict[str, Any]) -> Expr:
    if not isinstance(arg, Literal) or arg.value is None or arg.type.kind not in _KINDS:
        return arg
    name = f"\0{len(values)}"  # no name that a spec can give
    values[name] = arg.value
    return Parameter(name, arg.type)

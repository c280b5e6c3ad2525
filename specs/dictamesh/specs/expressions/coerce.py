# SPDX-License-Identifier: Apache-2.0
"""Which types meet, and how: PostgreSQL's implicit conversions made explicit in the tree."""

from collections.abc import Iterable

from dictamesh.specs.expressions.casts import conversion
from dictamesh.specs.expressions.problems import ExpressionFailed
from dictamesh.specs.expressions.tree import Call, Expr, Literal
from dictamesh.specs.types import NULL, STRING, Kind, Type


class Misfit(Exception):  # noqa: N818 - a fault of the text being checked, turned into a Problem by the checker
    """Arguments that do not fit an operator or function."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


_TOWER = (Kind.INT, Kind.LONG, Kind.DECIMAL, Kind.FLOAT)
_NAMES = {Kind.INT: "integer", Kind.LONG: "bigint", Kind.FLOAT: "float", Kind.STRING: "string"}


def spelled(type_: Type) -> str:
    """Return the name of a type as a user of the language would say it."""
    return _NAMES.get(type_.kind, str(type_))


def is_open(expr: Expr) -> bool:
    """Return whether `expr` is a constant that takes its type from its surroundings, as an SQL string or NULL does."""
    return isinstance(expr, Literal) and expr.type.kind in {Kind.STRING, Kind.NULL}


def implicit(source: Type, target: Type) -> bool:
    """Return whether PostgreSQL converts `source` to `target` without being asked."""
    if source.kind is target.kind or source.kind is Kind.NULL:
        return True
    if source.kind in _TOWER and target.kind in _TOWER:
        return _TOWER.index(source.kind) < _TOWER.index(target.kind)
    return (source.kind, target.kind) in {
        (Kind.DATE, Kind.TIMESTAMP),
        (Kind.OBJECT, Kind.JSON),
        (Kind.ARRAY, Kind.JSON),
    }


def cast(expr: Expr, target: Type) -> Expr:
    """Convert `expr` to `target`, at once when it is a constant; raises Misfit when there is no such conversion."""
    if expr.type.kind is target.kind and (target.kind is not Kind.DECIMAL or target.precision is None):
        return expr
    convert = conversion(expr.type, target)
    if convert is None:
        raise Misfit(f"a {spelled(expr.type)} cannot be cast to {spelled(target)}")
    if not isinstance(expr, Literal):
        return Call("cast", (expr,), target)
    try:
        value = None if expr.value is None else convert(expr.value)
    except ExpressionFailed:
        shown = f"'{expr.value}'" if expr.type.kind is Kind.STRING else str(expr.value)
        raise Misfit(f"{shown} is not a valid {spelled(target)}", _form(target)) from None
    return Literal(value, target)


def _form(target: Type) -> str | None:
    return {
        Kind.DATE: "write a date as 'YYYY-MM-DD'",
        Kind.TIMESTAMP: "write a timestamp as 'YYYY-MM-DD HH:MM:SS' with 'Z' or an offset; without one it is UTC",
        Kind.TIME: "write a time as 'HH:MM:SS'",
    }.get(target.kind)


def fit(expr: Expr, target: Type) -> Expr:
    """Convert `expr` to `target` where PostgreSQL would do so unasked; raises Misfit."""
    if is_open(expr) or implicit(expr.type, target):
        return cast(expr, target)
    raise Misfit(f"{spelled(target)} is expected, this is {spelled(expr.type)}")


def fits(expr: Expr, target: Type) -> bool:
    """Return whether `fit` would convert `expr`, the value of a constant apart."""
    return is_open(expr) or implicit(expr.type, target)


def common_type(exprs: Iterable[Expr], what: str) -> Type:
    """Return the type that all of `exprs` share or convert to unasked; raises Misfit naming `what` they belong to."""
    chosen: Type | None = None
    exprs = tuple(exprs)
    for expr in exprs:
        if is_open(expr):
            continue
        kind = plain_type(expr.type)
        if chosen is None or (chosen.kind is not kind.kind and implicit(chosen, kind)):
            chosen = kind
        elif not implicit(kind, chosen):
            raise Misfit(f"{what} cannot match {spelled(chosen)} and {spelled(kind)}")
        elif chosen != kind:
            chosen = _wider(chosen, kind)
    if chosen is None:
        return STRING if any(expr.type.kind is Kind.STRING for expr in exprs) else NULL
    return chosen


def _wider(one: Type, other: Type) -> Type:
    return Type(one.kind, item=one.item) if one.kind is other.kind else one


def plain_type(type_: Type) -> Type:
    """Return `type_` without what only a column has: a list of values."""
    return STRING if type_.kind is Kind.STRING else type_


def unify(exprs: Iterable[Expr], what: str) -> tuple[Expr, ...]:
    """Convert all of `exprs` to their common type; raises Misfit."""
    exprs = tuple(exprs)
    common = common_type(exprs, what)
    if common.kind is Kind.DECIMAL:
        common = Type(Kind.DECIMAL)
    return tuple(cast(expr, common) for expr in exprs)


def shared(values: tuple[Expr, ...]) -> Type:
    """Return the type of one of `values`, which `unify` gave; digits of a decimal only where all agree."""
    first = plain_type(values[0].type)
    return first if all(plain_type(value.type) == first for value in values) else Type(first.kind, item=first.item)

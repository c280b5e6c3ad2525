# SPDX-License-Identifier: Apache-2.0
"""What values an integer expression can take, so that arithmetic that cannot overflow needs no guard."""

from dictamesh.specs.expressions.arithmetic import INTEGER_RANGE
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, Parameter
from dictamesh.specs.types import Kind

Bounds = tuple[int, int]

_LENGTH = (0, 2**30)
_DAYS = (-3_652_058, 3_652_058)
_RESULTS: dict[str, Bounds] = {
    "length": _LENGTH,
    "position": _LENGTH,
    "json_array_length": _LENGTH,
    "days_between": _DAYS,
}


def bounds(expr: Expr) -> Bounds:
    """Return the least and the greatest value that `expr`, an INT or LONG, can have."""
    full = INTEGER_RANGE[expr.type.kind]
    if isinstance(expr, Literal):
        return (expr.value, expr.value) if expr.value is not None else (0, 0)
    if isinstance(expr, Column | Parameter):
        return full
    if expr.name in _RESULTS:
        return _RESULTS[expr.name]
    found = _derived(expr)
    return full if found is None else (max(full[0], found[0]), min(full[1], found[1]))


def _derived(call: Call) -> Bounds | None:
    if call.name == "cast":
        return bounds(call.args[0]) if call.args[0].type.kind in INTEGER_RANGE else _cast(call.args[0].type.kind)
    if call.name in {"add", "sub", "mul", "neg", "abs", "mod", "div"}:
        return unbounded(call)
    if call.name in {"coalesce", "greatest", "least"}:
        all_bounds = [bounds(arg) for arg in call.args if not _null(arg)]
        return min(low for low, _ in all_bounds), max(high for _, high in all_bounds)
    return None


def _null(expr: Expr) -> bool:
    return isinstance(expr, Literal) and expr.value is None


def _cast(kind: Kind) -> Bounds | None:
    return (0, 1) if kind is Kind.BOOLEAN else None


def unbounded(call: Call) -> Bounds:
    """Return the bounds of an arithmetic call on integers before its type cuts them off."""
    low, high = bounds(call.args[0])
    if call.name == "neg":
        return -high, -low
    if call.name == "abs":
        return (0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))
    other = bounds(call.args[1])
    if call.name == "add":
        return low + other[0], high + other[1]
    if call.name == "sub":
        return low - other[1], high - other[0]
    if call.name == "mul":
        products = [a * b for a in (low, high) for b in other]
        return min(products), max(products)
    if call.name == "mod":
        most = max(abs(other[0]), abs(other[1]), 1) - 1
        return (-min(most, -low) if low < 0 else 0), (min(most, high) if high > 0 else 0)
    most = max(abs(low), abs(high))
    return (low, high) if other[0] > 0 else (-most, most)


def overflows(call: Call) -> bool:
    """Return whether an arithmetic call on INT or LONG can leave the range of its type."""
    low, high = unbounded(call)
    return low < INTEGER_RANGE[call.type.kind][0] or high > INTEGER_RANGE[call.type.kind][1]


def can_be_zero(expr: Expr) -> bool:
    """Return whether a number can be zero; what is not known to differ can be."""
    if isinstance(expr, Literal):
        return bool(expr.value == 0)
    if expr.type.kind in INTEGER_RANGE:
        low, high = bounds(expr)
        return low <= 0 <= high
    return True

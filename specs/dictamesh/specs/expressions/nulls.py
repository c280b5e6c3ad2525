# SPDX-License-Identifier: Apache-2.0
"""Where NULL may stand for a failure.

Emitted SQL gives NULL where a part fails. That is right for the whole only if NULL spreads from the part to the whole;
below COALESCE or IS NULL, for instance, it does not. S5 asks for NULL (or false in a filter) whenever a part that is
evaluated fails.
"""

from collections.abc import Callable

from dictamesh.specs.expressions.functions import can_fail
from dictamesh.specs.expressions.tree import Call, Expr

Spreads = Callable[[tuple[Expr, ...], bool], bool]


def failure_is_null(expr: Expr, *, condition: bool) -> bool:
    """Return whether replacing each failing part by NULL gives NULL exactly where `expr` is NULL or fails.

    With `condition`, false is as good as NULL.
    """
    if not isinstance(expr, Call) or not can_fail(expr):
        return True
    spreads = _SPECIAL.get(expr.name, _strict)
    return spreads(expr.args, condition)


def _strict(args: tuple[Expr, ...], _condition: bool) -> bool:
    return all(failure_is_null(arg, condition=False) for arg in args)


def _steady(args: tuple[Expr, ...]) -> bool:
    return not any(can_fail(arg) for arg in args)


def _and(args: tuple[Expr, ...], condition: bool) -> bool:
    if condition:
        return all(failure_is_null(arg, condition=True) for arg in args)
    return _last(args, condition)


def _last(args: tuple[Expr, ...], condition: bool) -> bool:
    """The last operand is evaluated only where the others leave the result open."""
    return _steady(args[:-1]) and failure_is_null(args[-1], condition=condition)


def _first(args: tuple[Expr, ...], _condition: bool) -> bool:
    return _steady(args[1:]) and failure_is_null(args[0], condition=False)


def _nowhere(args: tuple[Expr, ...], _condition: bool) -> bool:
    return _steady(args)


def _any_eq(args: tuple[Expr, ...], condition: bool) -> bool:
    return condition and _first(args, condition)  # NULL = ANY of nothing is false, not NULL


def _is_true(args: tuple[Expr, ...], condition: bool) -> bool:
    return condition and failure_is_null(args[0], condition=True)


def _case(args: tuple[Expr, ...], condition: bool) -> bool:
    tests = args[:-1:2] if len(args) % 2 else args[::2]
    values = (*args[1::2], *(args[-1:] if len(args) % 2 else ()))
    return _steady(tests) and all(failure_is_null(value, condition=condition) for value in values)


_SPECIAL: dict[str, Spreads] = {
    "and": _and,
    "or": _last,
    "coalesce": _last,
    "case": _case,
    "in": _first,
    "nullif": _first,
    "any_eq": _any_eq,
    "is_true": _is_true,
    **dict.fromkeys(("is_null", "is_false", "is_distinct", "greatest", "least", "concat"), _nowhere),
}

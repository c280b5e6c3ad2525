# SPDX-License-Identifier: Apache-2.0
"""The Python back end: a tree becomes nested closures over a row and the parameters of the operation.

Nothing is generated as text and nothing of the user's text is ever evaluated.
"""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from dictamesh.specs.expressions.functions import FUNCTIONS
from dictamesh.specs.expressions.problems import ExpressionFailed
from dictamesh.specs.expressions.strings import like_matcher
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, Parameter
from dictamesh.specs.types import Kind

Row = Mapping[str, Any]
Evaluate = Callable[[Row, Row], Any]


def compile_python(expr: Expr) -> Evaluate:
    """Return a function of (row, parameters) with the value of `expr`.

    The row holds the values of `types.Kind` by name, a nested mapping for each to-one relation that a path goes through
    (None where there is no related row); a missing name is NULL. Raises ExpressionFailed for a row on which the
    expression fails (S5).
    """
    evaluate = _compile(expr)

    def run(row: Row, parameters: Row) -> Any:
        try:
            return evaluate(row, parameters)
        except ArithmeticError:
            raise ExpressionFailed("a value is out of range") from None

    return run


def compile_filter(expr: Expr) -> Callable[[Row, Row], bool]:
    """Return a predicate over (row, parameters); NULL and a failure are false (S5)."""
    evaluate = _compile(expr)

    def keep(row: Row, parameters: Row) -> bool:
        try:
            return evaluate(row, parameters) is True
        except (ExpressionFailed, ArithmeticError):
            return False

    return keep


def _compile(expr: Expr) -> Evaluate:
    if isinstance(expr, Literal):
        value = expr.value
        return lambda _row, _parameters: value
    if isinstance(expr, Column):
        return _column(expr)
    if isinstance(expr, Parameter):
        name = expr.name
        return lambda _row, parameters: parameters.get(name)
    special = _SPECIAL.get(expr.name)
    return special(expr) if special is not None else _strict(expr)


def _column(column: Column) -> Evaluate:
    read = _reader(column.path)
    if column.type.kind is Kind.FLOAT:
        return lambda row, _parameters: _finite(read(row))
    if column.type.kind is Kind.DECIMAL:
        return lambda row, _parameters: _finite_decimal(read(row))
    return lambda row, _parameters: read(row)


def _reader(path: tuple[str, ...]) -> Callable[[Row], Any]:
    if len(path) == 1:
        name = path[0]
        return lambda row: row.get(name)

    def read(row: Row) -> Any:
        value: Any = row
        for name in path:
            if value is None:
                return None
            value = value.get(name)
        return value

    return read


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _finite_decimal(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value.is_finite() else None


def _strict(call: Call) -> Evaluate:
    """Compile a call that is NULL when an argument is."""
    implement = FUNCTIONS[call.name].implement
    if implement is None:
        raise ValueError(f"{call.name} has no Python form")
    return strict(implement(call), tuple(_compile(arg) for arg in call.args))


def strict(function: Callable[..., Any], args: tuple[Evaluate, ...]) -> Evaluate:
    """Return the application of `function` to `args`; NULL in, NULL out."""
    if len(args) == 1:
        only = args[0]

        def one(row: Row, parameters: Row) -> Any:
            value = only(row, parameters)
            return None if value is None else function(value)

        return one
    if len(args) == 2:
        first, second = args

        def two(row: Row, parameters: Row) -> Any:
            a, b = first(row, parameters), second(row, parameters)
            return None if a is None or b is None else function(a, b)

        return two

    def many(row: Row, parameters: Row) -> Any:
        values = [arg(row, parameters) for arg in args]
        return None if None in values else function(*values)

    return many


def _and(call: Call) -> Evaluate:
    conditions = tuple(_compile(arg) for arg in call.args)

    def conjunction(row: Row, parameters: Row) -> bool | None:
        result: bool | None = True
        for condition in conditions:
            value = condition(row, parameters)
            if value is False:
                return False
            if value is None:
                result = None
        return result

    return conjunction


def _or(call: Call) -> Evaluate:
    conditions = tuple(_compile(arg) for arg in call.args)

    def disjunction(row: Row, parameters: Row) -> bool | None:
        result: bool | None = False
        for condition in conditions:
            value = condition(row, parameters)
            if value is True:
                return True
            if value is None:
                result = None
        return result

    return disjunction


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Call], Evaluate]:
    return lambda call: strict(compare, tuple(_compile(arg) for arg in call.args))


def _is_null(call: Call) -> Evaluate:
    value = _compile(call.args[0])
    return lambda row, parameters: value(row, parameters) is None


def _is(constant: bool) -> Callable[[Call], Evaluate]:
    def compile_(call: Call) -> Evaluate:
        value = _compile(call.args[0])
        return lambda row, parameters: value(row, parameters) is constant

    return compile_


def _is_distinct(call: Call) -> Evaluate:
    left, right = (_compile(arg) for arg in call.args)

    def distinct(row: Row, parameters: Row) -> bool:
        a, b = left(row, parameters), right(row, parameters)
        return (a is None) is not (b is None) if a is None or b is None else bool(a != b)

    return distinct


def _case(call: Call) -> Evaluate:
    parts = [_compile(arg) for arg in call.args]
    otherwise = parts.pop() if len(parts) % 2 else None
    branches = tuple(zip(parts[::2], parts[1::2], strict=True))

    def case(row: Row, parameters: Row) -> Any:
        for condition, value in branches:
            if condition(row, parameters) is True:
                return value(row, parameters)
        return None if otherwise is None else otherwise(row, parameters)

    return case


def _coalesce(call: Call) -> Evaluate:
    parts = tuple(_compile(arg) for arg in call.args)

    def coalesce(row: Row, parameters: Row) -> Any:
        for part in parts:
            value = part(row, parameters)
            if value is not None:
                return value
        return None

    return coalesce


def _nullif(call: Call) -> Evaluate:
    left, right = (_compile(arg) for arg in call.args)

    def nullif(row: Row, parameters: Row) -> Any:
        a, b = left(row, parameters), right(row, parameters)
        return None if a is not None and b is not None and a == b else a

    return nullif


def _extreme(choose: Callable[[list[Any]], Any]) -> Callable[[Call], Evaluate]:
    def compile_(call: Call) -> Evaluate:
        parts = tuple(_compile(arg) for arg in call.args)

        def extreme(row: Row, parameters: Row) -> Any:
            values = [value for part in parts if (value := part(row, parameters)) is not None]
            return choose(values) if values else None

        return extreme

    return compile_


def _concat(call: Call) -> Evaluate:
    parts = tuple(_compile(arg) for arg in call.args)
    return lambda row, parameters: "".join(text for part in parts if (text := part(row, parameters)) is not None)


def member(value: Any, items: Any) -> bool | None:
    """Return whether `value` is one of `items` in SQL's three values."""
    if items is None:
        return None
    if not items:
        return False
    if value is None:
        return None
    if any(item is not None and item == value for item in items):
        return True
    return None if any(item is None for item in items) else False


def _in(call: Call) -> Evaluate:
    needle, *rest = (_compile(arg) for arg in call.args)
    if all(isinstance(arg, Literal) for arg in call.args[1:]):
        return _in_constants(needle, [arg.value for arg in call.args[1:] if isinstance(arg, Literal)])
    items = tuple(rest)

    def among(row: Row, parameters: Row) -> bool | None:
        value = needle(row, parameters)
        result: bool | None = False
        for item in items:
            other = item(row, parameters)
            if value is None or other is None:
                result = None
            elif other == value:
                return True
        return result

    return among


def _in_constants(needle: Evaluate, constants: list[Any]) -> Evaluate:
    known = frozenset(constant for constant in constants if constant is not None)
    missing = None if None in constants else False

    def among(row: Row, parameters: Row) -> bool | None:
        value = needle(row, parameters)
        return None if value is None else True if value in known else missing

    return among


def _any_eq(call: Call) -> Evaluate:
    needle, items = (_compile(arg) for arg in call.args)
    return lambda row, parameters: member(needle(row, parameters), items(row, parameters))


def _like(call: Call) -> Evaluate:
    pattern = call.args[1]
    if not isinstance(pattern, Literal) or pattern.value is None:
        return _strict(call)
    return strict(like_matcher(pattern.value), (_compile(call.args[0]),))


_SPECIAL: dict[str, Callable[[Call], Evaluate]] = {
    "and": _and,
    "or": _or,
    "eq": _comparison(lambda a, b: bool(a == b)),
    "ne": _comparison(lambda a, b: bool(a != b)),
    "lt": _comparison(lambda a, b: bool(a < b)),
    "le": _comparison(lambda a, b: bool(a <= b)),
    "gt": _comparison(lambda a, b: bool(a > b)),
    "ge": _comparison(lambda a, b: bool(a >= b)),
    "is_null": _is_null,
    "is_true": _is(True),
    "is_false": _is(False),
    "is_distinct": _is_distinct,
    "case": _case,
    "coalesce": _coalesce,
    "nullif": _nullif,
    "greatest": _extreme(max),
    "least": _extreme(min),
    "concat": _concat,
    "in": _in,
    "any_eq": _any_eq,
    "like": _like,
}

# SPDX-License-Identifier: Apache-2.0
"""Decimals in DuckDB: 38 digits with a fixed scale, so each expression's shape is known before it is written."""

from collections.abc import Callable

from sqlglot import exp

from dictamesh.specs.expressions.arithmetic import scale_of
from dictamesh.specs.expressions.engines import NotPushable, Writer
from dictamesh.specs.expressions.tree import Call, Expr, Literal, Parameter
from dictamesh.specs.types import DECIMAL, Kind, Type

_MAX = 38
_NAMES: dict[Kind, str] = {
    Kind.STRING: "VARCHAR",
    Kind.BYTES: "BLOB",
    Kind.INT: "INTEGER",
    Kind.LONG: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.JSON: "JSON",
    Kind.OBJECT: "JSON",
    Kind.NULL: "VARCHAR",
}

Shape = tuple[int, int]  # digits before the point, digits after it


def type_name(type_: Type) -> str:
    """Return the name of a type in DuckDB; raises NotPushable for a decimal without precision."""
    if type_.kind is Kind.ARRAY:
        return f"{type_name(type_.item or Type(Kind.STRING))}[]"
    if type_.kind is Kind.DECIMAL:
        precision, scale = type_.precision, type_.scale or 0
        if precision is None or precision > _MAX:
            raise NotPushable("DuckDB holds decimals of at most 38 digits with a known scale")
        return f"DECIMAL({precision}, {scale})"
    return _NAMES[type_.kind]


def shape(expr: Expr) -> Shape:
    """Return how many digits a decimal expression has; raises NotPushable when unknown or more than 38."""
    if isinstance(expr, Literal):
        return _of_literal(expr)
    if not isinstance(expr, Call) or expr.type.precision is not None:
        return _of_type(expr.type)
    derive = _CALLS.get(expr.name)
    if derive is None:
        raise NotPushable(f"DuckDB cannot hold the digits of {expr.name}")
    return _bounded(derive(expr))


def _bounded(found: Shape) -> Shape:
    if sum(found) > _MAX:
        raise NotPushable("DuckDB holds decimals of at most 38 digits")
    return found


def _of_type(type_: Type) -> Shape:
    type_name(type_)
    return (type_.precision or 0) - (type_.scale or 0), type_.scale or 0


def _of_literal(literal: Literal) -> Shape:
    if literal.value is None:
        return 1, 0
    scale = scale_of(literal.value)
    return _bounded((max(1, literal.value.adjusted() + 1), scale))


def _cast(call: Call) -> Shape:
    digits = {Kind.INT: (10, 0), Kind.LONG: (19, 0)}.get(call.args[0].type.kind)
    if digits is None:
        raise NotPushable(f"DuckDB cannot tell the digits of a {call.args[0].type.kind}")
    return digits


def _sum(call: Call) -> Shape:
    shapes = [shape(arg) for arg in call.args]
    return max(whole for whole, _ in shapes) + 1, max(part for _, part in shapes)


def _product(call: Call) -> Shape:
    (a, b), (c, d) = (shape(arg) for arg in call.args)
    return a + c, b + d


def _widest(args: tuple[Expr, ...]) -> Shape:
    shapes = [shape(arg) for arg in args]
    return max(whole for whole, _ in shapes), max(part for _, part in shapes)


def _case(call: Call) -> Shape:
    last = call.args[-1:] if len(call.args) % 2 else ()
    return _widest((*call.args[1::2], *last))


def _digits(call: Call) -> Shape:
    whole, part = shape(call.args[0])
    if len(call.args) == 1:
        return whole + 1, 0
    digits = call.args[1]
    if not isinstance(digits, Literal) or digits.value is None or not -_MAX <= digits.value <= part:
        raise NotPushable("DuckDB rounds decimals to a constant number of digits that they have")
    return whole + 1, max(0, int(digits.value))


def _extract(call: Call) -> Shape:
    field = call.args[0].value if isinstance(call.args[0], Literal) else None
    if call.args[1].type.kind is Kind.DATE:
        return 15, 0
    return {"epoch": (21, 6), "second": (11, 6)}.get(str(field), (10, 0))


_CALLS: dict[str, Callable[[Call], Shape]] = {
    "add": _sum,
    "sub": _sum,
    "mul": _product,
    "mod": lambda call: _widest(call.args),
    "neg": lambda call: shape(call.args[0]),
    "abs": lambda call: shape(call.args[0]),
    "round": _digits,
    "trunc": _digits,
    "ceil": lambda call: (shape(call.args[0])[0] + 1, 0),
    "floor": lambda call: (shape(call.args[0])[0] + 1, 0),
    "sign": lambda _call: (1, 0),
    "cast": _cast,
    "case": _case,
    "extract": _extract,
    "nullif": lambda call: shape(call.args[0]),
    **dict.fromkeys(("coalesce", "greatest", "least"), lambda call: _widest(call.args)),
}


def as_decimal(writer: Writer, expr: Expr, least: int = 0) -> exp.Expr:
    """Write a decimal expression in exactly its shape, of `least` digits in all."""
    whole, part = shape(expr)
    return _cast_to(writer, _plain(writer, expr), max(whole, least - part), part)


def same_scale(expr: Expr) -> bool:
    """Return whether all values of a decimal expression have the scale that PostgreSQL would show."""
    if not isinstance(expr, Call):
        return True
    if expr.name in {"case", "coalesce", "greatest", "least", "nullif"}:
        values = [arg for arg in expr.args if arg.type.kind is Kind.DECIMAL]
        return len({shape(value)[1] for value in values}) == 1 and all(same_scale(value) for value in values)
    return all(same_scale(arg) for arg in expr.args if arg.type.kind is Kind.DECIMAL)


def needs_one_scale(writer: Writer, exprs: tuple[Expr, ...]) -> tuple[exp.Expr, ...]:
    """Write decimals that meet, all in the shape that holds each of them; raises NotPushable when there is none."""
    whole, part = _bounded(_widest(exprs))
    return tuple(_cast_to(writer, _plain(writer, expr), whole, part) for expr in exprs)


def _plain(writer: Writer, expr: Expr) -> exp.Expr:
    if isinstance(expr, Literal) and expr.value is not None:
        whole, part = shape(expr)
        return writer.constant(Literal(expr.value, Type(Kind.DECIMAL, whole + part, part)))
    if isinstance(expr, Literal):
        return exp.null()
    if isinstance(expr, Parameter) and expr.type == DECIMAL:
        raise NotPushable("DuckDB cannot tell the digits of a parameter")
    return writer.value(expr)


def _cast_to(writer: Writer, value: exp.Expr, whole: int, part: int) -> exp.Expr:
    return writer.fill(f"CAST(_0 AS DECIMAL({whole + part}, {part}))", value)

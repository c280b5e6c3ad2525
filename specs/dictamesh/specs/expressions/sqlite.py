# SPDX-License-Identifier: Apache-2.0
"""What a SQLite connection needs beside its own operators: functions that run the Python back end inside it.

A tree travels as a JSON text that is bound like any value, `["add", "long", [0, ["lit", "long", 1]]]`: a number is an
argument of the call. Texts come from trees only.
"""

import json
import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from dictamesh.specs.expressions.arithmetic import INTEGER_RANGE, plain, rescale
from dictamesh.specs.expressions.casts import text_to_date, text_to_time, text_to_timestamp
from dictamesh.specs.expressions.engines import to_sqlite
from dictamesh.specs.expressions.jsons import parse_json
from dictamesh.specs.expressions.problems import ExpressionFailed
from dictamesh.specs.expressions.python import compile_python
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, Parameter
from dictamesh.specs.types import DECIMAL, TIME, TIMESTAMP, Kind, Type

Leaf = Column | Parameter
Decode = Callable[[Any], Any]


def program(expr: Expr) -> tuple[str, tuple[Leaf, ...]]:
    """Return `expr` as the text that `dm_eval` runs, and the columns and parameters that it takes in order."""
    leaves: list[Leaf] = []
    coded = _code(expr, leaves)
    head = [_type_code(leaf.type) for leaf in leaves]
    return json.dumps([head, coded], separators=(",", ":"), ensure_ascii=False), tuple(leaves)


def _code(expr: Expr, leaves: list[Leaf]) -> Any:
    if isinstance(expr, Call):
        return [expr.name, _type_code(expr.type), [_code(arg, leaves) for arg in expr.args]]
    if isinstance(expr, Literal):
        value = None if expr.value is None else to_sqlite(expr.type, expr.value)
        return ["lit", _type_code(expr.type), value]
    if expr not in leaves:
        leaves.append(expr)
    return leaves.index(expr)


def _type_code(type_: Type) -> Any:
    if type_.kind is Kind.ARRAY:
        return [type_.kind.value, _type_code(type_.item or Type(Kind.JSON))]
    if type_.kind is Kind.DECIMAL and type_.precision is not None:
        return [type_.kind.value, type_.precision, type_.scale]
    return type_.kind.value


def _type(code: Any) -> Type:
    if isinstance(code, str):
        return Type(Kind(code))
    kind = Kind(code[0])
    return Type(kind, item=_type(code[1])) if kind is Kind.ARRAY else Type(kind, code[1], code[2])


@lru_cache(maxsize=2048)
def _loaded(text: str) -> tuple[Callable[..., Any], tuple[Decode, ...], Type]:
    head, coded = json.loads(text)
    types = [_type(code) for code in head]
    expr = _tree(coded, [Column((str(index),), type_) for index, type_ in enumerate(types)])
    return compile_python(expr), tuple(decoder(type_) for type_ in types), expr.type


def _tree(code: Any, columns: list[Column]) -> Expr:
    if isinstance(code, int):
        return columns[code]
    name, type_code, rest = code
    type_ = _type(type_code)
    if name == "lit":
        return Literal(decoder(type_)(rest), type_)
    return Call(name, tuple(_tree(arg, columns) for arg in rest), type_)


_NAMES = tuple(str(index) for index in range(200))


def _evaluate(text: str, *values: Any) -> Any:
    run, decoders, type_ = _loaded(text)
    try:
        row = {name: decode(value) for name, decode, value in zip(_NAMES, decoders, values, strict=False)}
        result = run(row, {})
    except ExpressionFailed:
        return None
    return None if result is None else to_sqlite(type_, result)


def decoder(type_: Type) -> Decode:
    """Return the reading of a stored SQLite value as a value of `type_`; what does not fit is None (S4).

    Dates are `YYYY-MM-DD`, timestamps ISO 8601 texts, booleans 0 and 1, decimals REAL, INTEGER or TEXT (rounded to the
    declared scale), lists and objects JSON texts.
    """
    read = _DECODE.get(type_.kind)
    if type_.kind is Kind.DECIMAL:
        read = _decimal(type_.scale if type_.precision is not None else None)
    elif type_.kind is Kind.ARRAY:
        read = _array(decoder(type_.item or Type(Kind.JSON)))
    if read is None:
        return lambda value: value
    known = read

    def decode(value: Any) -> Any:
        try:
            return None if value is None else known(value)
        except (ExpressionFailed, ValueError, TypeError, InvalidOperation, OverflowError):
            return None

    return decode


def _integer(kind: Kind) -> Decode:
    low, high = INTEGER_RANGE[kind]
    return lambda value: value if isinstance(value, int) and low <= value <= high else None


def _decimal(scale: int | None) -> Decode:
    def decode(value: Any) -> Decimal | None:
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not exact.is_finite():
            return None
        return plain(exact) if scale is None else rescale(exact, scale)

    return decode


def _array(item: Decode) -> Decode:
    def decode(value: Any) -> list[Any] | None:
        items = parse_json(value) if isinstance(value, str) else None
        return [item(each) for each in items] if isinstance(items, list) else None

    return decode


def _text(read: Callable[[str], Any]) -> Decode:
    """SQLite keeps a number in a column of texts where it is given one."""
    return lambda value: read(value) if isinstance(value, str) else None


_DECODE: dict[Kind, Decode] = {
    Kind.STRING: lambda value: value if isinstance(value, str) else None,
    Kind.BYTES: lambda value: value if isinstance(value, bytes) else None,
    Kind.INT: _integer(Kind.INT),
    Kind.LONG: _integer(Kind.LONG),
    Kind.FLOAT: lambda value: float(value) if isinstance(value, int | float) and math.isfinite(value) else None,
    Kind.BOOLEAN: lambda value: bool(value) if value in {0, 1} else None,
    Kind.DATE: _text(text_to_date),
    Kind.TIME: _text(text_to_time),
    Kind.TIMESTAMP: _text(text_to_timestamp),
    Kind.JSON: _text(parse_json),
    Kind.OBJECT: _text(parse_json),
}


def _canonical(type_: Type) -> Callable[[Any], Any]:
    read = decoder(type_)

    def convert(value: Any) -> Any:
        found = read(value)
        return None if found is None else to_sqlite(type_, found)

    return convert


def decimal_key(value: str | float | None) -> str | None:
    """Return a text that sorts as the decimal in `value` does."""
    exact = decoder(DECIMAL)(value)
    if exact is None:
        return None
    _, digits, _ = exact.normalize().as_tuple()
    if not exact:
        return "1"
    size = exact.adjusted() + 500_000
    if exact > 0:
        return f"2{size:07d}" + "".join(map(str, digits))
    return f"0{9_999_999 - size:07d}" + "".join(str(9 - digit) for digit in digits) + "~"


def sqlite_functions() -> list[tuple[str, int, Callable[..., Any]]]:
    """Return (name, number of arguments, function) of what each connection registers, all as deterministic."""
    return [
        ("dm_eval", -1, _evaluate),
        ("dm_timestamp", 1, _canonical(TIMESTAMP)),
        ("dm_time", 1, _canonical(TIME)),
        ("dm_decimal_key", 1, decimal_key),
    ]

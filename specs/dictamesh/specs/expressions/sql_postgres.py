# SPDX-License-Identifier: Apache-2.0
"""How PostgreSQL writes each call of the table; what can fail there is guarded to give NULL (S5).

Valid from PostgreSQL 15 on. The database must compare case in a UTF-8 locale; the session's TimeZone must be UTC where
a timestamp column has no time zone.
"""

from collections.abc import Callable
from functools import reduce

from sqlglot import exp

from dictamesh.specs.expressions.bounds import can_be_zero, overflows
from dictamesh.specs.expressions.casts_postgres import write_cast
from dictamesh.specs.expressions.engines import (
    Binds,
    ColumnOf,
    Engine,
    NotPushable,
    WriteCall,
    Writer,
    by_count,
    function,
    template,
)
from dictamesh.specs.expressions.strings import MAX_PATTERN, MAX_TEXT_RESULT, MAX_WILDCARDS
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal
from dictamesh.specs.types import Kind, Type

TYPES: dict[Kind, str] = {
    Kind.STRING: "TEXT",
    Kind.BYTES: "BYTEA",
    Kind.INT: "INTEGER",
    Kind.LONG: "BIGINT",
    Kind.FLOAT: "DOUBLE PRECISION",
    Kind.DECIMAL: "NUMERIC",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME",
    Kind.TIMESTAMP: "TIMESTAMPTZ",
    Kind.JSON: "JSONB",
    Kind.OBJECT: "JSONB",
    Kind.NULL: "TEXT",
}

# The range of the language's values; what lies outside (infinity, NaN, years before 1) reads as NULL (S4, S5).
LIMITS: dict[Kind, tuple[str, str]] = {
    Kind.FLOAT: ("> CAST('-Infinity' AS DOUBLE PRECISION)", "< CAST('Infinity' AS DOUBLE PRECISION)"),
    Kind.DECIMAL: ("> CAST('-Infinity' AS NUMERIC)", "< CAST('Infinity' AS NUMERIC)"),
    Kind.DATE: (">= CAST('0001-01-01' AS DATE)", "<= CAST('9999-12-31' AS DATE)"),
    Kind.TIMESTAMP: (
        ">= CAST('0001-01-01 00:00:00+00' AS TIMESTAMPTZ)",
        "< CAST('10000-01-01 00:00:00+00' AS TIMESTAMPTZ)",
    ),
}


def writer(binds: Binds, column: ColumnOf) -> Writer:
    """Return what writes expressions for PostgreSQL."""
    return Writer(Engine.POSTGRES, binds, column, CALLS, _read, _bound)


def type_name(type_: Type) -> str:
    if type_.kind is Kind.ARRAY:
        return f"{type_name(type_.item or Type(Kind.STRING))}[]"
    return TYPES[type_.kind]


def _bound(type_: Type, value: exp.Expr) -> exp.Expr:
    return exp.cast(value, type_name(type_), dialect="postgres")


def raw_column(writer: Writer, column: Column) -> exp.Expr:
    """Return a column in its own type, as an index holds it; text whatever its length or domain."""
    own = writer.column(column)
    kind = column.type.kind
    if kind in {Kind.STRING, Kind.FLOAT, Kind.DECIMAL, Kind.ARRAY}:
        return exp.cast(own, type_name(column.type), dialect="postgres")
    if kind in {Kind.JSON, Kind.OBJECT}:
        return writer.fill("NULLIF(CAST(_0 AS JSONB), CAST('null' AS JSONB))", own)
    return own


def _read(writer: Writer, column: Column) -> exp.Expr:
    own = raw_column(writer, column)
    limits = LIMITS.get(column.type.kind)
    if limits is None or (column.type.kind is Kind.DECIMAL and column.type.precision == 0):
        return own
    return writer.fill(f"CASE WHEN _0 {limits[0]} AND _0 {limits[1]} THEN _0 END", own)


_SYMBOLS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "is_distinct": "IS DISTINCT FROM"}
_ORDERING = frozenset({"lt", "le", "gt", "ge"})


def _compare(writer: Writer, call: Call) -> exp.Expr:
    return writer.fill(comparison(call), *writer.values(call.args))


def comparison(call: Call) -> str:
    """Return the template of a comparison; order of text is by code point, equality needs no collation."""
    collate = ' COLLATE "C"' if call.name in _ORDERING and call.args[0].type.kind is Kind.STRING else ""
    return f"_0{collate} {_SYMBOLS[call.name]} _1"


def condition_on_column(writer: Writer, call: Call) -> exp.Expr | None:
    """Return a comparison of a column with a constant in a form that an index serves; for conditions only."""
    column, constant = call.args
    if isinstance(constant, Column | Call) or call.name not in _SYMBOLS:
        return None
    if isinstance(column, Call):
        return _rounded_column(writer, call, column)
    if not isinstance(column, Column):
        return None
    limits = LIMITS.get(column.type.kind)
    if limits is None or call.name in {"is_distinct", "ne"}:
        return None
    own, value = raw_column(writer, column), writer.value(constant)
    limit = {"lt": limits[0], "le": limits[0], "gt": limits[1], "ge": limits[1]}.get(call.name)
    text = f"_0 {_SYMBOLS[call.name]} _1"
    return writer.fill(text if limit is None else f"{text} AND _0 {limit}", own, value)


def _rounded_column(writer: Writer, call: Call, cast: Call) -> exp.Expr | None:
    """Add to a comparison of a rounded column what an index can find: it lies within half a unit of its rounding."""
    column = cast.args[0] if cast.name == "cast" else None
    symbols = {"eq": ("<=", ">="), "lt": ("<=",), "le": ("<=",), "gt": (">=",), "ge": (">=",)}.get(call.name, ())
    if not isinstance(column, Column) or (column.type.kind, cast.type.kind) != (Kind.DECIMAL, Kind.DECIMAL):
        return None
    half = f"0.{'0' * (cast.type.scale or 0)}5"
    near = [f"_2 {symbol} _1 {'+' if symbol == '<=' else '-'} {half}" for symbol in symbols]
    text = " AND ".join([comparison(call), *near])
    return writer.fill(text, *writer.values(call.args), raw_column(writer, column)) if near else None


def _joined(word: str) -> WriteCall:
    def write(writer: Writer, call: Call) -> exp.Expr:
        return writer.fill(f" {word} ".join(f"_{i}" for i in range(len(call.args))), *writer.values(call.args))

    return write


def _in(writer: Writer, call: Call) -> exp.Expr:
    items = ", ".join(f"_{i}" for i in range(1, len(call.args)))
    return writer.fill(f"_0 IN ({items})", *writer.values(call.args))


def case(writer: Writer, call: Call) -> exp.Expr:
    """Write CASE; any engine's is the same."""
    count = len(call.args)
    branches = " ".join(f"WHEN _{i} THEN _{i + 1}" for i in range(0, count - 1, 2))
    otherwise = f" ELSE _{count - 1}" if count % 2 else ""
    return writer.fill(f"CASE {branches}{otherwise} END", *writer.values(call.args))


def _extreme(name: str) -> WriteCall:
    def write(writer: Writer, call: Call) -> exp.Expr:
        values = list(writer.values(call.args))
        if call.type.kind is not Kind.STRING:
            return exp.Anonymous(this=name, expressions=values)
        # A collation would spread to whatever is done with the result, so it stays inside a condition.
        symbol = ">=" if name == "GREATEST" else "<="
        text = f'CASE WHEN _0 COLLATE "C" {symbol} _1 OR _1 IS NULL THEN _0 ELSE _1 END'
        return reduce(lambda one, other: writer.fill(text, one, other), values)

    return write


_BOUNDS = {Kind.INT: "-2147483648 AND 2147483647", Kind.LONG: "-9223372036854775808 AND 9223372036854775807"}
_WIDER = {Kind.INT: "BIGINT", Kind.LONG: "NUMERIC"}


def _sum(symbol: str) -> WriteCall:
    def write(writer: Writer, call: Call) -> exp.Expr:
        kind = call.type.kind
        text = f"_0 {symbol} _1"
        if kind in _BOUNDS and overflows(call):
            text = f"CASE WHEN CAST(_0 AS {_WIDER[kind]}) {symbol} _1 BETWEEN {_BOUNDS[kind]} THEN {text} END"
        elif kind is Kind.FLOAT:
            text = _FLOAT[symbol]
        return writer.fill(text, *writer.values(call.args))

    return write


# Double precision raises on overflow and underflow. Each guard computes the same operation scaled by a power of two,
# which is exact, and compares it with the border between what rounds to a finite number, or not to zero, and the rest.
_HALF = "CAST(0.5 AS DOUBLE PRECISION)"
_2_1023 = "CAST('8.98846567431157953864652595394512e307' AS DOUBLE PRECISION)"
_DOWN = "CAST('7.458340731200206743290965315462933837376471534600406894271518333e-155' AS DOUBLE PRECISION)"  # 2^-512
_UP = "CAST('1.3407807929942597099574024998205846127479365820592393377723561444e154' AS DOUBLE PRECISION)"  # 2^512
_2_M51 = "CAST('4.44089209850062616169452667236328125e-16' AS DOUBLE PRECISION)"
_2_M52 = "CAST('2.220446049250313080847263336181640625e-16' AS DOUBLE PRECISION)"
_2_M538 = "CAST('1.1113793747425387e-162' AS DOUBLE PRECISION)"
_BIG = "ABS(_0) > 1 AND ABS(_1) > 1"
_FLOAT: dict[str, str] = {
    **{
        sign: f"CASE WHEN CASE WHEN {_BIG} THEN ABS(_0 * {_HALF} {sign} _1 * {_HALF}) >= {_2_1023} ELSE FALSE END "
        f"THEN NULL ELSE _0 {sign} _1 END"
        for sign in "+-"
    },
    "*": f"CASE WHEN CASE WHEN {_BIG} THEN ABS((_0 * {_DOWN}) * (_1 * {_DOWN})) >= 1 "
    f"WHEN ABS(_0) < 1 AND ABS(_1) < 1 AND _0 <> 0 AND _1 <> 0 THEN "
    f"CASE WHEN ABS(_0) < {_2_M538} AND ABS(_1) < {_2_M538} THEN TRUE "
    f"ELSE ABS((_0 * {_UP}) * (_1 * {_UP})) <= {_2_M51} END ELSE FALSE END THEN NULL ELSE _0 * _1 END",
    "/": "CASE WHEN _1 = 0 THEN NULL WHEN CASE "
    f"WHEN ABS(_1) < 1 AND ABS(_0) > ABS(_1) THEN ABS(_0) * {_HALF} >= ABS(_1) * {_2_1023} "
    f"WHEN _0 <> 0 AND ABS(_0) < 1 AND ABS(_1) > 1 THEN ABS(_0) * {_2_1023} <= ABS(_1) * {_2_M52} "
    "ELSE FALSE END THEN NULL ELSE _0 / _1 END",
}


def _div(writer: Writer, call: Call) -> exp.Expr:
    if call.type.kind is Kind.FLOAT:
        return writer.fill(_FLOAT["/"], *writer.values(call.args))
    text = "_0 / NULLIF(_1, 0)" if can_be_zero(call.args[1]) else "_0 / _1"
    low = _BOUNDS.get(call.type.kind)
    if low is not None and overflows(call):
        text = f"CASE WHEN _1 = -1 AND _0 = {low.split()[0]} THEN NULL ELSE {text} END"
    return writer.fill(text, *writer.values(call.args))


def _mod(writer: Writer, call: Call) -> exp.Expr:
    text = "MOD(_0, NULLIF(_1, 0))" if can_be_zero(call.args[1]) else "MOD(_0, _1)"
    return writer.fill(text, *writer.values(call.args))


def _signed(text: str) -> WriteCall:
    """Write negation or absolute value, which the least integer has not."""

    def write(writer: Writer, call: Call) -> exp.Expr:
        low = _BOUNDS.get(call.type.kind)
        guarded = f"CASE WHEN _0 > {low.split()[0]} THEN {text} END" if low is not None and overflows(call) else text
        return writer.fill(guarded, *writer.values(call.args))

    return write


# Wildcards are counted after escaped characters are taken out; what stays of a lone escape at the end is refused.
_BARE = r"REGEXP_REPLACE(_1, '\\.', '', 'g')"
_LIKE = (
    f"CASE WHEN LENGTH(_1) <= {MAX_PATTERN} AND POSITION('\\' IN {_BARE}) = 0 "
    f"AND LENGTH({_BARE}) - LENGTH(TRANSLATE({_BARE}, '%_', '')) <= {MAX_WILDCARDS} THEN _0 LIKE _1 END"
)


def _like(writer: Writer, call: Call) -> exp.Expr:
    text = "_0 LIKE _1" if isinstance(call.args[1], Literal) else _LIKE
    return writer.fill(text, *writer.values(call.args))


def _interval(writer: Writer, call: Call) -> exp.Expr:
    months, days, micros = (arg.value for arg in call.args[1:] if isinstance(arg, Literal))
    span = f"CAST('{months} months {days} days {micros} microseconds' AS INTERVAL)"
    low, high = LIMITS[Kind.TIMESTAMP]
    text = f"CASE WHEN _0 + {span} {low} AND _0 + {span} {high} THEN _0 + {span} END"
    return writer.fill(text, writer.value(call.args[0]))


def _field(expr: Expr) -> str:
    return str(expr.value) if isinstance(expr, Literal) else ""


def _date_trunc(writer: Writer, call: Call) -> exp.Expr:
    return writer.fill(f"DATE_TRUNC('{_field(call.args[0])}', _0, 'UTC')", writer.value(call.args[1]))


def _extract(writer: Writer, call: Call) -> exp.Expr:
    zone = " AT TIME ZONE 'UTC'" if call.args[1].type.kind is Kind.TIMESTAMP else ""
    return writer.fill(f"EXTRACT({_field(call.args[0])} FROM _0{zone})", writer.value(call.args[1]))


_MAKE_DATE = (
    "CASE WHEN _0 BETWEEN 1 AND 9999 AND _1 BETWEEN 1 AND 12 THEN CASE WHEN _2 BETWEEN 1 AND "
    "EXTRACT(DAY FROM MAKE_DATE(_0, _1, 1) + CAST('1 month -1 day' AS INTERVAL)) THEN MAKE_DATE(_0, _1, _2) END END"
)
_NO_JSON_NULL = "NULLIF({}, CAST('null' AS JSONB))"


def _json_get(operator: str, wrap: str) -> WriteCall:
    """Write access by key or index; jsonb takes a scalar for a list of one, which JSON has not."""

    def write(writer: Writer, call: Call) -> exp.Expr:
        found = wrap.format(f"(_0 {operator} _1)")
        by_index = call.args[1].type.kind is Kind.INT
        text = f"CASE WHEN JSONB_TYPEOF(_0) = 'array' THEN {found} END" if by_index else found
        return writer.fill(text, *writer.values(call.args))

    return write


def _json_path(operator: str, wrap: str) -> WriteCall:
    def write(writer: Writer, call: Call) -> exp.Expr:
        steps = ", ".join(f"_{i}" for i in range(1, len(call.args)))
        path = f"ARRAY[{steps}]" if steps else "CAST('{}' AS TEXT[])"
        return writer.fill(wrap.format(f"(_0 {operator} {path})"), *writer.values(call.args))

    return write


def not_here(reason: str) -> Callable[[Writer, Call], exp.Expr]:
    """Return the refusal of a call, with the reason that `plan` shows."""

    def refuse(_writer: Writer, _call: Call) -> exp.Expr:
        raise NotPushable(reason)

    return refuse


_DAYS = "BETWEEN CAST('0001-01-01' AS DATE) - _0 AND CAST('9999-12-31' AS DATE) - _0"

CALLS: dict[str, WriteCall] = {
    **dict.fromkeys(_SYMBOLS, _compare),
    "and": _joined("AND"),
    "or": _joined("OR"),
    "not": template("NOT (_0)"),
    "is_null": template("_0 IS NULL"),
    "is_true": template("_0 IS TRUE"),
    "is_false": template("_0 IS FALSE"),
    "in": _in,
    "any_eq": template("_0 = ANY(_1)"),
    "case": case,
    "coalesce": function("COALESCE"),
    "nullif": template("NULLIF(_0, _1)"),
    "greatest": _extreme("GREATEST"),
    "least": _extreme("LEAST"),
    "concat": function("CONCAT"),
    "cast": write_cast,
    "add": _sum("+"),
    "sub": _sum("-"),
    "mul": _sum("*"),
    "div": _div,
    "mod": _mod,
    "neg": _signed("- _0"),
    "abs": _signed("ABS(_0)"),
    "add_days": template(f"CASE WHEN CAST(_1 AS BIGINT) {_DAYS} THEN _0 + _1 END"),
    "sub_days": template(f"CASE WHEN - CAST(_1 AS BIGINT) {_DAYS} THEN _0 - _1 END"),
    "days_between": template("_0 - _1"),
    "add_interval": _interval,
    "append": template("_0 || _1"),
    "like": _like,
    "lower": function("LOWER"),
    "upper": function("UPPER"),
    "md5": function("MD5"),
    "initcap": not_here("PostgreSQL's locale decides what a word is for initcap"),
    "length": function("LENGTH"),
    "trim": by_count("BTRIM(_0)", "BTRIM(_0, _1)"),
    "ltrim": function("LTRIM"),
    "rtrim": function("RTRIM"),
    "substring": by_count("SUBSTR(_0, _1)", "CASE WHEN _2 >= 0 THEN SUBSTR(_0, _1, _2) END"),
    "left": function("LEFT"),
    "right": template("CASE WHEN _1 > -2147483648 THEN RIGHT(_0, _1) WHEN _1 IS NOT NULL THEN LEFT(_0, 0) END"),
    "replace": function("REPLACE"),
    "position": function("STRPOS"),
    "split_part": template("SPLIT_PART(_0, _1, NULLIF(_2, 0))"),
    "starts_with": function("STARTS_WITH"),
    "lpad": by_count(*(f"CASE WHEN _1 <= {MAX_TEXT_RESULT} THEN LPAD({a}) END" for a in ("_0, _1", "_0, _1, _2"))),
    "rpad": by_count(*(f"CASE WHEN _1 <= {MAX_TEXT_RESULT} THEN RPAD({a}) END" for a in ("_0, _1", "_0, _1, _2"))),
    "repeat": template(
        f"CASE WHEN _0 = '' THEN LEFT(_0, _1) "  # PostgreSQL would repeat nothing two thousand million times
        f"WHEN CAST(LENGTH(_0) AS BIGINT) * GREATEST(_1, 0) <= {MAX_TEXT_RESULT} THEN REPEAT(_0, _1) END"
    ),
    "reverse": function("REVERSE"),
    "round": function("ROUND"),
    "trunc": function("TRUNC"),
    "ceil": function("CEIL"),
    "floor": function("FLOOR"),
    "sign": function("SIGN"),
    "sqrt": template("CASE WHEN _0 >= 0 THEN SQRT(_0) END"),
    "power": not_here("PostgreSQL raises an error where a power overflows"),
    "date_trunc": _date_trunc,
    "extract": _extract,
    "make_date": template(_MAKE_DATE),
    "json_get": _json_get("->", _NO_JSON_NULL),
    "json_get_text": _json_get("->>", "{}"),
    "json_path": _json_path("#>", _NO_JSON_NULL),
    "json_path_text": _json_path("#>>", "{}"),
    "json_typeof": function("JSONB_TYPEOF"),
    "json_array_length": template("CASE WHEN JSONB_TYPEOF(_0) = 'array' THEN JSONB_ARRAY_LENGTH(_0) END"),
}


def by_code_point(value: exp.Expr) -> exp.Expr:
    """Return a text that sorts by code point."""
    return exp.Collate(this=value, expression=exp.to_identifier("C", quoted=True))

# SPDX-License-Identifier: Apache-2.0
"""How DuckDB writes each call of the table; what can fail there is guarded to give NULL (S5).

Only functions of the core and of the JSON extension that is linked into the wheel are used. Timestamps are without time
zone, in UTC.
"""

from sqlglot import exp

from dictamesh.specs.expressions import sql_postgres
from dictamesh.specs.expressions.bounds import can_be_zero, overflows
from dictamesh.specs.expressions.casts_duckdb import write_cast
from dictamesh.specs.expressions.decimals import as_decimal, needs_one_scale, shape, type_name
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

_LIMITS: dict[Kind, str] = {
    Kind.FLOAT: "ISFINITE(_0)",
    Kind.DATE: "_0 BETWEEN CAST('0001-01-01' AS DATE) AND CAST('9999-12-31' AS DATE)",
    Kind.TIMESTAMP: "_0 >= CAST('0001-01-01' AS TIMESTAMP) AND _0 < CAST('10000-01-01' AS TIMESTAMP)",
}


def writer(binds: Binds, column: ColumnOf) -> Writer:
    """Return what writes expressions for DuckDB."""
    return Writer(Engine.DUCKDB, binds, column, CALLS, _read, _bound)


def _bound(type_: Type, value: exp.Expr) -> exp.Expr:
    return exp.cast(value, type_name(type_), dialect="duckdb")


def _read(writer: Writer, column: Column) -> exp.Expr:
    own: exp.Expr = exp.TryCast(
        this=writer.column(column), to=exp.DataType.build(type_name(column.type), dialect="duckdb")
    )
    kind = column.type.kind
    if kind in {Kind.JSON, Kind.OBJECT}:
        return writer.fill("CASE WHEN JSON_TYPE(_0) <> 'NULL' THEN _0 END", own)
    limit = _LIMITS.get(kind)
    return own if limit is None else writer.fill(f"CASE WHEN {limit} THEN _0 END", own)


_SYMBOLS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "is_distinct": "IS DISTINCT FROM"}


def _values(writer: Writer, exprs: tuple[Expr, ...]) -> tuple[exp.Expr, ...]:
    """Write operands that meet; decimals of different scales are brought to one, if it exists."""
    if exprs[0].type.kind is not Kind.DECIMAL:
        return writer.values(exprs)
    return needs_one_scale(writer, exprs)


def _compare(writer: Writer, call: Call) -> exp.Expr:
    return writer.fill(f"_0 {_SYMBOLS[call.name]} _1", *_values(writer, call.args))


def _joined(word: str) -> WriteCall:
    def write(writer: Writer, call: Call) -> exp.Expr:
        return writer.fill(f" {word} ".join(f"_{i}" for i in range(len(call.args))), *writer.values(call.args))

    return write


def _in(writer: Writer, call: Call) -> exp.Expr:
    items = ", ".join(f"_{i}" for i in range(1, len(call.args)))
    return writer.fill(f"_0 IN ({items})", *_values(writer, call.args))


def _case(writer: Writer, call: Call) -> exp.Expr:
    if call.type.kind is not Kind.DECIMAL:
        return sql_postgres.case(writer, call)
    last = (len(call.args) - 1,) if len(call.args) % 2 else ()
    places = (*range(1, len(call.args), 2), *last)
    values = dict(zip(places, needs_one_scale(writer, tuple(call.args[i] for i in places)), strict=True))
    parts = [values[i] if i in values else writer.value(arg) for i, arg in enumerate(call.args)]
    branches = " ".join(f"WHEN _{i} THEN _{i + 1}" for i in range(0, len(parts) - 1, 2))
    return writer.fill(f"CASE {branches}{f' ELSE _{len(parts) - 1}' if last else ''} END", *parts)


def _alike(name: str) -> WriteCall:
    return lambda writer, call: exp.Anonymous(this=name, expressions=list(_values(writer, call.args)))


def _nullif(writer: Writer, call: Call) -> exp.Expr:
    if call.type.kind is Kind.DECIMAL:
        first, second = needs_one_scale(writer, call.args)
        return writer.fill("CASE WHEN _1 = _2 THEN NULL ELSE _0 END", writer.value(call.args[0]), first, second)
    return writer.fill("NULLIF(_0, _1)", *writer.values(call.args))


_FINITE = "CASE WHEN ISFINITE({0}) AND ({0} <> 0 OR {1}) THEN {0} END"
_FLOAT = {
    "add": _FINITE.format("(_0 + _1)", "TRUE"),
    "sub": _FINITE.format("(_0 - _1)", "TRUE"),
    "mul": _FINITE.format("(_0 * _1)", "_0 = 0 OR _1 = 0"),
    "div": f"CASE WHEN _1 <> 0 THEN {_FINITE.format('(_0 / _1)', '_0 = 0')} END",
}
_SIGNS = {"add": "+", "sub": "-", "mul": "*"}


def _sum(writer: Writer, call: Call) -> exp.Expr:
    kind = call.type.kind
    if kind is Kind.DECIMAL:
        # From 19 digits on DuckDB computes in 128 bits, where 38 digits cannot overflow.
        wide = 19 if sum(shape(call)) > 18 else 0
        left, right = as_decimal(writer, call.args[0], wide), as_decimal(writer, call.args[1])
        return writer.fill(f"_0 {_SIGNS[call.name]} _1", left, right)
    if kind is Kind.FLOAT:
        return writer.fill(_FLOAT[call.name], *writer.values(call.args))
    text = f"_0 {_SIGNS[call.name]} _1"
    return writer.fill(f"TRY({text})" if overflows(call) else text, *writer.values(call.args))


def _div(writer: Writer, call: Call) -> exp.Expr:
    if call.type.kind is Kind.DECIMAL:
        raise NotPushable("DuckDB divides decimals as floats")
    if call.type.kind is Kind.FLOAT:
        return writer.fill(_FLOAT["div"], *writer.values(call.args))
    text = "_0 // NULLIF(_1, 0)" if can_be_zero(call.args[1]) else "_0 // _1"
    return writer.fill(f"TRY({text})" if overflows(call) else text, *writer.values(call.args))


def _mod(writer: Writer, call: Call) -> exp.Expr:
    if call.type.kind is Kind.DECIMAL:
        shape(call)
        return writer.fill("_0 % NULLIF(_1, 0)", *needs_one_scale(writer, call.args))
    return writer.fill("CASE WHEN _1 = -1 THEN 0 * _0 ELSE _0 % NULLIF(_1, 0) END", *writer.values(call.args))


def _signed(text: str) -> WriteCall:
    def write(writer: Writer, call: Call) -> exp.Expr:
        name = type_name(call.type) if call.type.kind in {Kind.INT, Kind.LONG} else None
        guarded = f"TRY(CAST({text} AS {name}))" if name is not None and overflows(call) else text
        return writer.fill(guarded, *writer.values(call.args))

    return write


_BARE = r"REGEXP_REPLACE(_1, '\\.', '', 'gs')"
_LIKE = (
    f"CASE WHEN LENGTH(_1) <= {MAX_PATTERN} AND NOT CONTAINS({_BARE}, '\\') "
    f"AND LENGTH({_BARE}) - LENGTH(REPLACE(REPLACE({_BARE}, '%', ''), '_', '')) <= {MAX_WILDCARDS} "
    "THEN _0 LIKE _1 ESCAPE '\\' END"
)


def _like(writer: Writer, call: Call) -> exp.Expr:
    text = "_0 LIKE _1 ESCAPE '\\'" if isinstance(call.args[1], Literal) else _LIKE
    return writer.fill(text, *writer.values(call.args))


def _interval(writer: Writer, call: Call) -> exp.Expr:
    months, days, micros = (arg.value for arg in call.args[1:] if isinstance(arg, Literal))
    moved = f"_0 + TO_MONTHS({months}) + TO_DAYS({days}) + TO_MICROSECONDS({micros})"
    limit = _LIMITS[Kind.TIMESTAMP].replace("_0", f"({moved})")
    return writer.fill(f"CASE WHEN {limit} THEN {moved} END", writer.value(call.args[0]))


def _constant(expr: Expr) -> str:
    return str(expr.value) if isinstance(expr, Literal) else ""


def _date_trunc(writer: Writer, call: Call) -> exp.Expr:
    return writer.fill(f"CAST(DATE_TRUNC('{_constant(call.args[0])}', _0) AS TIMESTAMP)", writer.value(call.args[1]))


_MICRO = "CAST('0.000001' AS DECIMAL(7, 6))"
_EPOCH = {
    Kind.DATE: "CAST((_0 - CAST('1970-01-01' AS DATE)) * 86400 AS DECIMAL(14, 0))",
    Kind.TIME: f"CAST(EPOCH_US(_0) AS DECIMAL(20, 0)) * {_MICRO}",
    Kind.TIMESTAMP: f"CAST(EPOCH_US(_0) AS DECIMAL(20, 0)) * {_MICRO}",
}


def _extract(writer: Writer, call: Call) -> exp.Expr:
    field = _constant(call.args[0])
    if field == "epoch":
        text = _EPOCH[call.args[1].type.kind]
    elif field == "second":
        text = f"CAST(EXTRACT(MICROSECONDS FROM _0) AS DECIMAL(10, 0)) * {_MICRO}"
    else:
        text = f"CAST(EXTRACT({field} FROM _0) AS DECIMAL(10, 0))"
    return writer.fill(text, writer.value(call.args[1]))


def _rounded(name: str) -> WriteCall:
    """Write round and trunc: to the nearest even float, or by digits that are a constant."""

    def write(writer: Writer, call: Call) -> exp.Expr:
        if call.type.kind is Kind.DECIMAL:
            shape(call)
            digits = _constant(call.args[1]) if len(call.args) == 2 else "0"
            return writer.fill(f"{name}(_0, {digits})", as_decimal(writer, call.args[0]))
        even = "CASE WHEN ABS(_0 - TRUNC(_0)) = 0.5 THEN 2 * ROUND(_0 / 2) ELSE ROUND(_0) END"
        return writer.fill(even if name == "ROUND" else "TRUNC(_0)", writer.value(call.args[0]))

    return write


def _integral(name: str) -> WriteCall:
    def write(writer: Writer, call: Call) -> exp.Expr:
        if call.type.kind is Kind.DECIMAL:
            shape(call)
        text = f"CAST(SIGN(_0) AS {'DOUBLE' if call.type.kind is Kind.FLOAT else 'DECIMAL(1, 0)'})"
        return writer.fill(text if name == "SIGN" else f"{name}(_0)", writer.value(call.args[0]))

    return write


def _sqrt(writer: Writer, call: Call) -> exp.Expr:
    if call.type.kind is Kind.DECIMAL:
        raise NotPushable("DuckDB takes the root of a decimal as a float")
    return writer.fill("CASE WHEN _0 >= 0 THEN SQRT(_0) END", writer.value(call.args[0]))


_POWER = (
    "CASE WHEN (_0 = 0 AND _1 < 0) OR (_0 < 0 AND _1 <> FLOOR(_1)) THEN NULL "
    f"ELSE {_FINITE.format('POWER(_0, _1)', '_0 = 0')} END"
)
_SUBSTRING = (
    "CASE WHEN _2 >= 0 AND _1 IS NOT NULL THEN SUBSTRING(_0, GREATEST(_1, 1), "
    "LEAST(GREATEST(CAST(_1 AS BIGINT) + _2 - GREATEST(_1, 1), 0), 2147483647)) END"
)
_SPLIT = (
    "CASE WHEN _1 = '' THEN CASE WHEN _2 IN (1, -1) THEN _0 WHEN _2 <> 0 THEN LEFT(_0, 0) END "
    "ELSE SPLIT_PART(_0, _1, NULLIF(_2, 0)) END"
)
_DAYS = "BETWEEN CAST('0001-01-01' AS DATE) - _0 AND CAST('9999-12-31' AS DATE) - _0"


def _padded(name: str) -> WriteCall:
    whole = "LEFT(_0, GREATEST(_1, 0))"
    return by_count(
        f"CASE WHEN _1 <= {MAX_TEXT_RESULT} THEN {name}(_0, GREATEST(_1, 0), ' ') END",
        f"CASE WHEN _1 <= {MAX_TEXT_RESULT} THEN CASE WHEN _2 = '' THEN {whole} "
        f"WHEN _2 IS NOT NULL THEN {name}(_0, GREATEST(_1, 0), _2) END END",
    )


def _json_steps(call: Call) -> str:
    key = call.args[1]
    value = key.value if isinstance(key, Literal) else None
    if isinstance(value, int):
        return f"$[{value}]" if value >= 0 else f"$[#{value}]"
    if value is None or '"' in value or "\\" in value:
        raise NotPushable("DuckDB cannot name this JSON key")
    return f'$."{value}"'


def _json_get(writer: Writer, call: Call) -> exp.Expr:
    path = exp.Literal.string(_json_steps(call))
    found = writer.fill("JSON_EXTRACT(_0, _1)", writer.value(call.args[0]), path)
    return writer.fill("CASE WHEN JSON_TYPE(_0) <> 'NULL' THEN _0 END", found)


_JSON_KIND = (
    "CASE JSON_TYPE(_0) WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'array' WHEN 'VARCHAR' THEN 'string' "
    "WHEN 'BOOLEAN' THEN 'boolean' WHEN 'UBIGINT' THEN 'number' WHEN 'BIGINT' THEN 'number' "
    "WHEN 'DOUBLE' THEN 'number' WHEN 'HUGEINT' THEN 'number' WHEN 'UHUGEINT' THEN 'number' END"
)
_TEXT_OF_JSON = sql_postgres.not_here("DuckDB writes JSON in another form")

CALLS: dict[str, WriteCall] = {
    **dict.fromkeys(_SYMBOLS, _compare),
    "and": _joined("AND"),
    "or": _joined("OR"),
    "not": template("NOT (_0)"),
    "is_null": template("_0 IS NULL"),
    "is_true": template("_0 IS NOT DISTINCT FROM TRUE"),
    "is_false": template("_0 IS NOT DISTINCT FROM FALSE"),
    "in": _in,
    "any_eq": template("CASE WHEN _1 IS NULL THEN NULL WHEN LEN(_1) = 0 THEN FALSE ELSE _0 = ANY(_1) END"),
    "case": _case,
    "coalesce": _alike("COALESCE"),
    "nullif": _nullif,
    "greatest": _alike("GREATEST"),
    "least": _alike("LEAST"),
    "concat": function("CONCAT"),
    "cast": write_cast,
    "add": _sum,
    "sub": _sum,
    "mul": _sum,
    "div": _div,
    "mod": _mod,
    "neg": _signed("- _0"),
    "abs": _signed("ABS(_0)"),
    "add_days": template(f"CASE WHEN CAST(_1 AS BIGINT) {_DAYS} THEN _0 + _1 END"),
    "sub_days": template(f"CASE WHEN - CAST(_1 AS BIGINT) {_DAYS} THEN _0 - _1 END"),
    "days_between": template("CAST(_0 - _1 AS INTEGER)"),
    "add_interval": _interval,
    "append": template("_0 || _1"),
    "like": _like,
    "lower": function("LOWER"),
    # DuckDB gives ß a capital letter, which the simple mapping of Unicode does not.
    "upper": template("ARRAY_TO_STRING(LIST_TRANSFORM(STRING_SPLIT(_0, 'ß'), LAMBDA x : UPPER(x)), 'ß')"),
    "md5": function("MD5"),
    "initcap": sql_postgres.not_here("DuckDB has no initcap"),
    "length": template("CAST(LENGTH(_0) AS INTEGER)"),
    "trim": by_count("TRIM(_0, ' ')", "TRIM(_0, _1)"),
    "ltrim": by_count("LTRIM(_0, ' ')", "LTRIM(_0, _1)"),
    "rtrim": by_count("RTRIM(_0, ' ')", "RTRIM(_0, _1)"),
    "substring": by_count("SUBSTRING(_0, CASE WHEN _1 < 1 THEN 1 ELSE _1 END)", _SUBSTRING),
    "left": function("LEFT"),
    "right": function("RIGHT"),
    "replace": function("REPLACE"),
    "position": template("CAST(STRPOS(_0, _1) AS INTEGER)"),
    "split_part": template(_SPLIT),
    "starts_with": function("STARTS_WITH"),
    "lpad": _padded("LPAD"),
    "rpad": _padded("RPAD"),
    "repeat": template(
        f"CASE WHEN _0 = '' THEN LEFT(_0, _1) "
        f"WHEN LENGTH(_0) * GREATEST(CAST(_1 AS BIGINT), 0) <= {MAX_TEXT_RESULT} THEN REPEAT(_0, _1) END"
    ),
    "reverse": template("ARRAY_TO_STRING(LIST_REVERSE(STRING_SPLIT(_0, '')), '')"),
    "round": _rounded("ROUND"),
    "trunc": _rounded("TRUNC"),
    "ceil": _integral("CEIL"),
    "floor": _integral("FLOOR"),
    "sign": _integral("SIGN"),
    "sqrt": _sqrt,
    "power": template(_POWER),
    "date_trunc": _date_trunc,
    "extract": _extract,
    "make_date": template("CASE WHEN _0 BETWEEN 1 AND 9999 THEN TRY(MAKE_DATE(_0, _1, _2)) END"),
    "json_get": _json_get,
    "json_get_text": _TEXT_OF_JSON,
    "json_path": sql_postgres.not_here("DuckDB reads a path of texts otherwise"),
    "json_path_text": _TEXT_OF_JSON,
    "json_typeof": template(_JSON_KIND),
    "json_array_length": template("CASE WHEN JSON_TYPE(_0) = 'ARRAY' THEN CAST(JSON_ARRAY_LENGTH(_0) AS INTEGER) END"),
}

# SPDX-License-Identifier: Apache-2.0
"""Casts in PostgreSQL, guarded where a value may not fit: text is looked at before it is converted."""

from decimal import Decimal, localcontext
from typing import Any

from sqlglot import exp

from dictamesh.specs.expressions.casts import (
    FALSE_TEXT,
    MAX_NUMBER_TEXT,
    NUMBER_WORD,
    SPACE,
    TRUE_TEXT,
    conversion_can_fail,
)
from dictamesh.specs.expressions.engines import NotPushable, Writer, placeholder
from dictamesh.specs.expressions.tree import Call, Literal
from dictamesh.specs.types import DECIMAL, STRING, Kind, Type

_SPACES = r"[ \t\n\r\f\v]*"
_LEAP = "(?:[0-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DAY = (
    f"(?!0000)(?:[0-9]{{4}}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP}-02-29)"
)
CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,6})?)?"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)"
INTEGER_PATTERN = f"^{_SPACES}[+-]?[0-9]+{_SPACES}$"
NUMBER_PATTERN = f"^{_SPACES}{NUMBER_WORD}{_SPACES}$"
DATE_PATTERN = f"^{_SPACES}{_DAY}{_SPACES}$"
TIME_PATTERN = f"^{_SPACES}{CLOCK}{_SPACES}$"
TIMESTAMP_PATTERN = f"^{_SPACES}{_DAY}(?:[ T]{CLOCK}{_OFFSET}?)?{_SPACES}$"
ZONED_PATTERN = f":[0-9.]+{_OFFSET}{_SPACES}$"

_RANGE = {
    Kind.INT: "BETWEEN -2147483648 AND 2147483647",
    Kind.LONG: "BETWEEN -9223372036854775808 AND 9223372036854775807",
}
_NAME = {Kind.INT: "INTEGER", Kind.LONG: "BIGINT", Kind.FLOAT: "DOUBLE PRECISION", Kind.DECIMAL: "NUMERIC"}
_NUMERIC = f"LENGTH(_0) <= {MAX_NUMBER_TEXT} AND _0 ~ _1"
_AT_LEAST = "CAST('0001-01-01 00:00:00+00' AS TIMESTAMPTZ)"
_BELOW = "CAST('10000-01-01 00:00:00+00' AS TIMESTAMPTZ)"


def float_limits() -> tuple[Decimal, Decimal]:
    """Return the least magnitude that rounds to infinity and the greatest that rounds to zero, both exactly."""
    with localcontext() as context:
        context.prec = 1200
        return Decimal(2) ** 1024 - Decimal(2) ** 970, Decimal(2) ** -1075


def text_constant(writer: Writer, value: str) -> exp.Expr:
    return placeholder(writer.binds.add(Literal(value, STRING)))


def _decimal_constant(writer: Writer, value: Decimal) -> exp.Expr:
    return writer.constant(Literal(value, DECIMAL))


def write_cast(writer: Writer, call: Call) -> exp.Expr:
    """Write a cast of PostgreSQL; raises NotPushable for text to JSON, which only newer servers can check."""
    source, target = call.args[0].type, call.type
    value = writer.value(call.args[0])
    if target.kind is Kind.STRING:
        return _to_text(writer, source.kind, value)
    if source.kind is Kind.STRING:
        return _from_text(writer, target, value)
    return _other(writer, source, target, value)


def _to_text(writer: Writer, kind: Kind, value: exp.Expr) -> exp.Expr:
    if kind is Kind.TIMESTAMP:
        return writer.fill("CAST(CAST(_0 AT TIME ZONE 'UTC' AS TIMESTAMP) AS TEXT) || '+00'", value)
    return writer.fill("CAST(_0 AS TEXT)", value)


def _from_text(writer: Writer, target: Type, value: exp.Expr) -> exp.Expr:
    kind = target.kind
    if kind in _RANGE:
        text = f"CASE WHEN {_NUMERIC} THEN CASE WHEN CAST(_0 AS NUMERIC) {_RANGE[kind]} "
        text += f"THEN CAST(_0 AS {_NAME[kind]}) END END"
        return writer.fill(text, value, text_constant(writer, INTEGER_PATTERN))
    if kind in {Kind.DECIMAL, Kind.FLOAT}:
        number = writer.fill(
            f"CASE WHEN {_NUMERIC} THEN CAST(_0 AS NUMERIC) END", value, text_constant(writer, NUMBER_PATTERN)
        )
        return _other(writer, DECIMAL, target, number)
    if kind is Kind.BOOLEAN:
        return _boolean(writer, value)
    if kind is Kind.TIMESTAMP:
        return _timestamp(writer, value)
    pattern = {Kind.DATE: DATE_PATTERN, Kind.TIME: TIME_PATTERN}.get(kind)
    if pattern is None:
        raise NotPushable(f"PostgreSQL before version 16 cannot tell whether a text is a {kind}")
    return writer.fill(f"CASE WHEN _0 ~ _1 THEN CAST(_0 AS {kind.upper()}) END", value, text_constant(writer, pattern))


def _boolean(writer: Writer, value: exp.Expr) -> exp.Expr:
    words = [", ".join(f"'{word}'" for word in sorted(known)) for known in (TRUE_TEXT, FALSE_TEXT)]
    text = f"CASE WHEN LOWER(BTRIM(_0, _1)) IN ({words[0]}) THEN TRUE "
    text += f"WHEN LOWER(BTRIM(_0, _1)) IN ({words[1]}) THEN FALSE END"
    return writer.fill(text, value, text_constant(writer, SPACE))


def _timestamp(writer: Writer, value: exp.Expr) -> exp.Expr:
    read = "CASE WHEN _0 ~ _2 THEN CAST(_0 AS TIMESTAMPTZ) ELSE CAST(_0 AS TIMESTAMP) AT TIME ZONE 'UTC' END"
    text = f"CASE WHEN _0 ~ _1 THEN CASE WHEN {read} >= {_AT_LEAST} AND {read} < {_BELOW} THEN {read} END END"
    return writer.fill(text, value, text_constant(writer, TIMESTAMP_PATTERN), text_constant(writer, ZONED_PATTERN))


def _other(writer: Writer, source: Type, target: Type, value: exp.Expr) -> exp.Expr:
    pair = (source.kind, target.kind)
    if target.kind is Kind.DECIMAL and target.precision is not None:
        return _fitted(writer, source, target, value)
    if pair == (Kind.DECIMAL, Kind.FLOAT) and conversion_can_fail(source, target):
        high, low = float_limits()
        text = "CASE WHEN ABS(_0) < _1 AND (_0 = 0 OR ABS(_0) > _2) THEN CAST(_0 AS DOUBLE PRECISION) END"
        return writer.fill(text, value, _decimal_constant(writer, high), _decimal_constant(writer, low))
    return writer.fill(_OTHER.get(pair, "CAST(_0 AS {})").format(_type(target)), value)


def _fitted(writer: Writer, source: Type, target: Type, value: exp.Expr) -> exp.Expr:
    number = value if source.kind is Kind.DECIMAL else writer.fill("CAST(_0 AS NUMERIC)", value)
    precision, scale = target.precision or 0, target.scale or 0
    limit: Any = _decimal_constant(writer, Decimal(10) ** (precision - scale))
    text = f"CASE WHEN ABS(ROUND(_0, {scale})) < _1 THEN CAST(_0 AS NUMERIC({precision}, {scale})) END"
    return writer.fill(text, number, limit)


def _type(target: Type) -> str:
    return {**_NAME, Kind.BOOLEAN: "BOOLEAN", Kind.DATE: "DATE", Kind.TIME: "TIME", Kind.JSON: "JSONB"}.get(
        target.kind, ""
    )


_OTHER: dict[tuple[Kind, Kind], str] = {
    (Kind.LONG, Kind.INT): f"CASE WHEN _0 {_RANGE[Kind.INT]} THEN CAST(_0 AS INTEGER) END",
    (Kind.DECIMAL, Kind.INT): f"CASE WHEN ROUND(_0) {_RANGE[Kind.INT]} THEN CAST(_0 AS INTEGER) END",
    (Kind.DECIMAL, Kind.LONG): f"CASE WHEN ROUND(_0) {_RANGE[Kind.LONG]} THEN CAST(_0 AS BIGINT) END",
    (Kind.FLOAT, Kind.INT): f"CASE WHEN ROUND(_0) {_RANGE[Kind.INT]} THEN CAST(_0 AS INTEGER) END",
    (
        Kind.FLOAT,
        Kind.LONG,
    ): "CASE WHEN _0 >= -9223372036854775808 AND _0 < 9223372036854775808 THEN CAST(_0 AS BIGINT) END",
    (Kind.INT, Kind.BOOLEAN): "_0 <> 0",
    (Kind.DATE, Kind.TIMESTAMP): "CAST(_0 AS TIMESTAMP) AT TIME ZONE 'UTC'",
    (Kind.TIMESTAMP, Kind.DATE): "CAST(_0 AT TIME ZONE 'UTC' AS DATE)",
    (Kind.TIMESTAMP, Kind.TIME): "CAST(_0 AT TIME ZONE 'UTC' AS TIME)",
}

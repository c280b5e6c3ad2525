# SPDX-License-Identifier: Apache-2.0
"""Casts in DuckDB: text is looked at before it is converted, and TRY_CAST gives NULL where a value does not fit."""

from sqlglot import exp

from dictamesh.specs.expressions.casts import FALSE_TEXT, MAX_NUMBER_TEXT, NUMBER_WORD, SPACE, TRUE_TEXT
from dictamesh.specs.expressions.casts_postgres import CLOCK, text_constant
from dictamesh.specs.expressions.decimals import as_decimal, same_scale, shape, type_name
from dictamesh.specs.expressions.engines import NotPushable, Writer
from dictamesh.specs.expressions.tree import Call, Column, Expr
from dictamesh.specs.types import DECIMAL, Kind, Type

_SPACES = r"[ \t\n\r\f\v]*"
_PATTERNS = {
    Kind.INT: f"{_SPACES}[+-]?[0-9]+{_SPACES}",
    Kind.LONG: f"{_SPACES}[+-]?[0-9]+{_SPACES}",
    Kind.FLOAT: f"{_SPACES}{NUMBER_WORD}{_SPACES}",
    Kind.DATE: f"{_SPACES}[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_SPACES}",
    Kind.TIME: f"{_SPACES}{CLOCK}{_SPACES}",
}
_ZERO = r"[^1-9]*(?:[eE].*)?"  # only zeros before the exponent


def write_cast(writer: Writer, call: Call) -> exp.Expr:
    """Write a cast of DuckDB; raises NotPushable where its reading or writing of values is another."""
    source, target = call.args[0], call.type
    pair = (source.type.kind, target.kind)
    if pair in _REFUSED:
        raise NotPushable(_REFUSED[pair])
    if source.type.kind is Kind.DECIMAL or target.kind is Kind.DECIMAL:
        return _decimal(writer, source, target)
    value = writer.value(source)
    if source.type.kind is Kind.STRING:
        return _from_text(writer, target.kind, value)
    return writer.fill(_OTHER.get(pair, f"TRY_CAST(_0 AS {type_name(target)})"), value)


_REFUSED = {
    (Kind.FLOAT, Kind.STRING): "DuckDB writes floats in another form",
    (Kind.JSON, Kind.STRING): "DuckDB writes JSON in another form",
    (Kind.OBJECT, Kind.STRING): "DuckDB writes JSON in another form",
    (Kind.ARRAY, Kind.STRING): "DuckDB writes lists in another form",
    (Kind.STRING, Kind.TIMESTAMP): "DuckDB reads no offset of a timestamp without its ICU extension",
    (Kind.STRING, Kind.JSON): "DuckDB takes more texts for JSON",
    (Kind.FLOAT, Kind.DECIMAL): "DuckDB rounds the binary value of a float, not its decimal digits",
}
_OTHER = {
    (Kind.TIMESTAMP, Kind.STRING): "CAST(_0 AS VARCHAR) || '+00'",
    (Kind.ARRAY, Kind.JSON): "TO_JSON(_0)",
}


def _from_text(writer: Writer, kind: Kind, value: exp.Expr) -> exp.Expr:
    if kind is Kind.BOOLEAN:
        words = [", ".join(f"'{word}'" for word in sorted(known)) for known in (TRUE_TEXT, FALSE_TEXT)]
        text = f"CASE WHEN LOWER(TRIM(_0, _1)) IN ({words[0]}) THEN TRUE "
        text += f"WHEN LOWER(TRIM(_0, _1)) IN ({words[1]}) THEN FALSE END"
        return writer.fill(text, value, text_constant(writer, SPACE))
    read = f"TRY_CAST(TRIM(_0, _2) AS {type_name(Type(kind))})"
    if kind is Kind.FLOAT:
        zero = "REGEXP_FULL_MATCH(TRIM(_0, _2), _3)"
        read = f"CASE WHEN ISFINITE({read}) AND ({read} <> 0 OR {zero}) THEN {read} END"
    elif kind is Kind.DATE:
        read = f"CASE WHEN {read} >= CAST('0001-01-01' AS DATE) THEN {read} END"
    constants = (_PATTERNS[kind], SPACE, *([_ZERO] if kind is Kind.FLOAT else []))
    text = f"CASE WHEN LENGTH(_0) <= {MAX_NUMBER_TEXT} AND REGEXP_FULL_MATCH(_0, _1) THEN {read} END"
    return writer.fill(text, value, *(text_constant(writer, constant) for constant in constants))


def _decimal(writer: Writer, source: Expr, target: Type) -> exp.Expr:
    kind = source.type.kind
    if kind is Kind.STRING:
        raise NotPushable("DuckDB cannot tell the digits of a text")
    if isinstance(source, Column) and target.precision is not None and source.type == DECIMAL:
        return writer.fill(f"TRY_CAST(_0 AS {type_name(target)})", writer.column(source))  # rounds what is there, once
    if target.kind is not Kind.DECIMAL:
        value = as_decimal(writer, source)
        if target.kind is Kind.STRING and not same_scale(source):
            raise NotPushable("DuckDB shows all decimals of an expression with one scale")
        if target.kind is Kind.FLOAT:
            return writer.fill("CAST(CAST(_0 AS VARCHAR) AS DOUBLE)", value)
        return writer.fill(f"TRY_CAST(_0 AS {type_name(target)})", value)
    value = as_decimal(writer, source) if kind is Kind.DECIMAL else writer.value(source)
    if target.precision is not None:
        return writer.fill(f"TRY_CAST(_0 AS {type_name(target)})", value)
    whole, part = (10, 0) if kind is Kind.INT else (19, 0) if kind is Kind.LONG else shape(source)
    return writer.fill(f"CAST(_0 AS DECIMAL({whole + part}, {part}))", value)

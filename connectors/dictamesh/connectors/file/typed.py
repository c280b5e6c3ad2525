# SPDX-License-Identifier: Apache-2.0
"""What a cell is to an expression: its value of the declared type, NULL where it does not fit.

The guards say the same as the runtime's conversion of the served value (S4), so that a filter meets what is shown.
"""

from collections.abc import Callable, Mapping

from dictamesh.specs.types import Kind, Type

_WHOLE = "[+-]?[0-9]{1,40}"
_WHOLE_NUMBER = r"[+-]?[0-9]{1,40}(\.0*)?"
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?"
_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DATE = f"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
_MOMENT = rf"{_DATE}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]+)?)?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)?"
_YES, _NO = "('true', 't', '1', 'yes')", "('false', 'f', '0', 'no')"

_INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
)
_FRACTIONS = frozenset({"FLOAT", "DOUBLE", "DECIMAL"})
_TEXTS = frozenset({"VARCHAR", "ENUM", "UUID"})
_MOMENTS = frozenset({"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"})
WITH_ZONE = "TIMESTAMP WITH TIME ZONE"


def _guarded(pattern: str, text: str, value: str) -> str:
    return f"CASE WHEN regexp_full_match({text}, '{pattern}') THEN {value} END"


def _finite(value: str) -> str:
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def decimal_name(type_: Type) -> str:
    """Return the engine's name of a decimal type."""
    return "DECIMAL(38, 15)" if type_.precision is None else f"DECIMAL({type_.precision}, {type_.scale or 0})"


def moment(value: str) -> str:
    """Return a timestamp with a zone as one in UTC without."""
    return f"make_timestamp(epoch_us({value}))"


def from_text(text: str, type_: Type) -> str:
    """Return the value of a text cell, as in CSV."""
    trimmed = f"trim({text})"
    match type_.kind:
        case Kind.STRING:
            return text
        case Kind.INT:
            return _guarded(_WHOLE, trimmed, f"TRY_CAST({trimmed} AS INTEGER)")
        case Kind.LONG:
            return _guarded(_WHOLE, trimmed, f"TRY_CAST({trimmed} AS BIGINT)")
        case Kind.FLOAT:
            return _guarded(_NUMBER, trimmed, _finite(f"TRY_CAST({trimmed} AS DOUBLE)"))
        case Kind.DECIMAL:
            return _guarded(_NUMBER, trimmed, f"TRY_CAST({trimmed} AS {decimal_name(type_)})")
        case Kind.BOOLEAN:
            lowered = f"lower({trimmed})"
            return f"CASE WHEN {lowered} IN {_YES} THEN true WHEN {lowered} IN {_NO} THEN false END"
        case Kind.BYTES:
            return f"TRY(from_base64({text}))"
        case _:
            return _moment_from_text(text, type_)


def _moment_from_text(text: str, type_: Type) -> str:
    match type_.kind:
        case Kind.DATE:
            return _guarded(_DATE, text, f"TRY_CAST({text} AS DATE)")
        case Kind.TIME:
            return _guarded(_TIME, text, f"TRY_CAST({text} AS TIME)")
        case Kind.TIMESTAMP:
            raised = f"upper({text})"
            return _guarded(_MOMENT, raised, moment(f"TRY_CAST({raised} AS TIMESTAMPTZ)"))
        case _:
            return f"TRY_CAST({text} AS JSON)"


_JSON_KINDS: Mapping[Kind, str] = {
    Kind.INT: "('UBIGINT', 'BIGINT', 'DOUBLE')",
    Kind.LONG: "('UBIGINT', 'BIGINT', 'DOUBLE', 'VARCHAR')",
    Kind.FLOAT: "('UBIGINT', 'BIGINT', 'DOUBLE')",
    Kind.DECIMAL: "('UBIGINT', 'BIGINT', 'DOUBLE', 'VARCHAR')",
    Kind.BOOLEAN: "('BOOLEAN')",
}


def from_json(value: str, type_: Type) -> str:
    """Return the value of a JSON cell; `value` is JSON."""
    if type_.kind in {Kind.JSON, Kind.OBJECT, Kind.ARRAY}:
        return value
    text = f"({value} ->> '$')"
    kinds = _JSON_KINDS.get(type_.kind, "('VARCHAR')")
    inner = from_text(text, type_)
    if type_.kind in {Kind.INT, Kind.LONG}:
        name = "INTEGER" if type_.kind is Kind.INT else "BIGINT"
        inner = _guarded(_WHOLE_NUMBER, text, f"TRY_CAST(split_part({text}, '.', 1) AS {name})")
    return f"CASE WHEN json_type({value}) IN {kinds} THEN {inner} END"


def from_native(value: str, native: str, type_: Type) -> str:
    """Return the value of a Parquet cell of the engine's type `native`; NULL where the types do not meet."""
    name = native.split("(", 1)[0]
    made = _NATIVE[type_.kind](value, name, type_) if type_.kind in _NATIVE else value
    return made if made is not None else "NULL"


def _native_whole(value: str, native: str, type_: Type) -> str | None:
    name = "INTEGER" if type_.kind is Kind.INT else "BIGINT"
    if native in _INTEGERS:
        return f"TRY_CAST({value} AS {name})"
    if native in _FRACTIONS:
        return f"CASE WHEN {value} = floor({value}) THEN TRY_CAST({value} AS {name}) END"
    return from_text(value, type_) if native == "VARCHAR" and type_.kind is Kind.LONG else None


def _native_float(value: str, native: str, _type: Type) -> str | None:
    return _finite(f"TRY_CAST({value} AS DOUBLE)") if native in _INTEGERS | _FRACTIONS else None


def _native_decimal(value: str, native: str, type_: Type) -> str | None:
    if native in {"FLOAT", "DOUBLE", "VARCHAR"}:
        return from_text(f"CAST({value} AS VARCHAR)", type_)
    return f"TRY_CAST({value} AS {decimal_name(type_)})" if native in _INTEGERS | _FRACTIONS else None


def _native_moment(value: str, native: str, type_: Type) -> str | None:
    if native == WITH_ZONE:
        return moment(value)
    if native in _MOMENTS:
        return f"CAST({value} AS TIMESTAMP)"
    return from_text(value, type_) if native == "VARCHAR" else None


def _native_text(value: str, native: str, _type: Type) -> str | None:
    return f"CAST({value} AS VARCHAR)" if native in _TEXTS else None


def _native_same(value: str, native: str, type_: Type) -> str | None:
    if native == type_.kind.value.upper():
        return value
    return from_text(value, type_) if native == "VARCHAR" and type_.kind in {Kind.DATE, Kind.TIME} else None


_NATIVE: Mapping[Kind, Callable[[str, str, Type], str | None]] = {
    Kind.STRING: _native_text,
    Kind.INT: _native_whole,
    Kind.LONG: _native_whole,
    Kind.FLOAT: _native_float,
    Kind.DECIMAL: _native_decimal,
    Kind.BOOLEAN: _native_same,
    Kind.DATE: _native_same,
    Kind.TIME: _native_same,
    Kind.TIMESTAMP: _native_moment,
}

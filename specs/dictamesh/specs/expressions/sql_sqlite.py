# SPDX-License-Identifier: Apache-2.0
"""How SQLite writes expressions: its own operators where they agree, else one call of a registered Python function.

Text is compared with COLLATE BINARY, so that indexes of the default collation serve. Whatever SQLite means otherwise
(integer overflow, LIKE, decimals, dates, ...) goes with its arguments into `dm_eval`, which runs the Python back end.
"""

from collections.abc import Callable

from sqlglot import exp

from dictamesh.specs.expressions.bounds import overflows
from dictamesh.specs.expressions.engines import Binds, ColumnOf, Engine, WriteCall, Writer, template
from dictamesh.specs.expressions.nulls import failure_is_null
from dictamesh.specs.expressions.sql_postgres import case
from dictamesh.specs.expressions.sqlite import program
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, Parameter
from dictamesh.specs.types import STRING, Kind, Type

_NATIVE = frozenset(
    {Kind.STRING, Kind.INT, Kind.LONG, Kind.FLOAT, Kind.BOOLEAN, Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.BYTES}
)
_READ = {
    Kind.TIMESTAMP: "dm_timestamp(_0)",
    Kind.TIME: "dm_time(_0)",
    Kind.FLOAT: "NULLIF(NULLIF(_0, 9e999), -9e999)",
}


def writer(binds: Binds, column: ColumnOf) -> Writer:
    """Return what writes expressions for SQLite."""
    return _SQLiteWriter(Engine.SQLITE, binds, column, {}, _read, lambda _type, value: value)


class _SQLiteWriter(Writer):
    """Writes a call natively where that agrees, else as one function call over all columns and parameters below it."""

    def value(self, expr: Expr) -> exp.Expr:
        if not isinstance(expr, Call):
            return Writer.value(self, expr)
        write = _CALLS.get(expr.name)
        native = write is not None and _agrees(expr) and failure_is_null(expr, condition=False)
        return write(self, expr) if write is not None and native else _evaluated(self, expr)


def _read(writer: Writer, column: Column) -> exp.Expr:
    own = writer.column(column)
    kind = column.type.kind
    if kind is Kind.DECIMAL or not column.type.scalar:
        return _evaluated(writer, column)
    text = _READ.get(kind)
    return own if text is None else writer.fill(text, own)


def _evaluated(writer: Writer, expr: Expr) -> exp.Expr:
    text, leaves = program(expr)
    args = [writer.column(leaf) if isinstance(leaf, Column) else writer.constant(leaf) for leaf in leaves]
    return exp.Anonymous(this="dm_eval", expressions=[writer.constant(Literal(text, STRING)), *args])


def _agrees(call: Call) -> bool:
    """Return whether SQLite's own operator has PostgreSQL's meaning on operands of these types."""
    kinds = {arg.type.kind for arg in call.args}
    if call.name in {"add", "sub", "mul"}:
        return call.type.kind in {Kind.INT, Kind.LONG} and not overflows(call)
    if call.name == "cast":
        return (call.args[0].type.kind, call.type.kind) in _CASTS
    if call.name == "any_eq":
        item = call.args[1].type.item or STRING
        return isinstance(call.args[1], Parameter) and item.kind in _NATIVE
    return call.name == "is_null" or kinds <= _NATIVE


_CASTS = {
    (Kind.INT, Kind.LONG): "_0",
    (Kind.INT, Kind.FLOAT): "CAST(_0 AS REAL)",
    (Kind.LONG, Kind.FLOAT): "CAST(_0 AS REAL)",
}
_SYMBOLS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "is_distinct": "IS NOT"}


def _collated(type_: Type) -> str:
    return " COLLATE BINARY" if type_.kind in {Kind.STRING, Kind.DATE, Kind.TIME, Kind.TIMESTAMP} else ""


def _compare(writer: Writer, call: Call) -> exp.Expr:
    collate = _collated(call.args[0].type)
    return writer.fill(f"_0{collate} {_SYMBOLS[call.name]} _1", *writer.values(call.args))


def _joined(word: str) -> WriteCall:
    def write(writer: Writer, call: Call) -> exp.Expr:
        return writer.fill(f" {word} ".join(f"_{i}" for i in range(len(call.args))), *writer.values(call.args))

    return write


def _in(writer: Writer, call: Call) -> exp.Expr:
    items = ", ".join(f"_{i}" for i in range(1, len(call.args)))
    return writer.fill(f"_0{_collated(call.args[0].type)} IN ({items})", *writer.values(call.args))


_LISTED = "_0{} IN (SELECT value FROM JSON_EACH(_1))"


def _any_eq(writer: Writer, call: Call) -> exp.Expr:
    listed = _LISTED.format(_collated(call.args[0].type))
    return writer.fill(f"CASE WHEN _1 IS NULL THEN NULL ELSE {listed} END", *writer.values(call.args))


def condition_on_list(writer: Writer, call: Call) -> exp.Expr | None:
    """Return `= ANY(parameter)` in a form that an index serves, right where false is as good as NULL."""
    if call.name != "any_eq" or not _agrees(call):
        return None
    return writer.fill(_LISTED.format(_collated(call.args[0].type)), *writer.values(call.args))


def _cast(writer: Writer, call: Call) -> exp.Expr:
    return writer.fill(_CASTS[call.args[0].type.kind, call.type.kind], writer.value(call.args[0]))


def _coalesce(writer: Writer, call: Call) -> exp.Expr:
    return exp.Anonymous(this="COALESCE", expressions=list(writer.values(call.args)))


def _nullif(writer: Writer, call: Call) -> exp.Expr:
    return writer.fill(f"NULLIF(_0{_collated(call.type)}, _1)", *writer.values(call.args))


_CALLS: dict[str, Callable[[Writer, Call], exp.Expr]] = {
    **dict.fromkeys(_SYMBOLS, _compare),
    "and": _joined("AND"),
    "or": _joined("OR"),
    "not": template("NOT (_0)"),
    "is_null": template("_0 IS NULL"),
    "is_true": template("_0 IS 1"),
    "is_false": template("_0 IS 0"),
    "in": _in,
    "any_eq": _any_eq,
    "case": case,
    "coalesce": _coalesce,
    "nullif": _nullif,
    "cast": _cast,
    "add": template("_0 + _1"),
    "sub": template("_0 - _1"),
    "mul": template("_0 * _1"),
}


def sort_key(type_: Type, value: exp.Expr) -> exp.Expr:
    """Return what sorts as values of `type_` do."""
    if type_.kind is Kind.DECIMAL:
        return exp.Anonymous(this="dm_decimal_key", expressions=[value])
    if not _collated(type_):
        return value
    return exp.Collate(this=value, expression=exp.to_identifier("BINARY"))

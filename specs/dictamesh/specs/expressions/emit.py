# SPDX-License-Identifier: Apache-2.0
"""The SQL back ends: a tree becomes SQL of an engine, or the reason why it cannot (S5)."""

from sqlglot import exp

from dictamesh.specs.expressions import sql_duckdb, sql_postgres, sql_sqlite
from dictamesh.specs.expressions.engines import (
    Binds,
    ColumnOf,
    Emitted,
    Engine,
    NotPushable,
    Writer,
    own_columns,
)
from dictamesh.specs.expressions.nulls import failure_is_null
from dictamesh.specs.expressions.tree import Call, Expr
from dictamesh.specs.types import Kind

_WRITERS = {
    Engine.POSTGRES: sql_postgres.writer,
    Engine.DUCKDB: sql_duckdb.writer,
    Engine.SQLITE: sql_sqlite.writer,
}


def emit(
    expr: Expr,
    engine: Engine,
    binds: Binds | None = None,
    *,
    column: ColumnOf = own_columns,
    condition: bool = False,
) -> Emitted:
    """Write `expr` in the SQL of `engine`; raises NotPushable.

    Constants and parameters are bound, never written: pass one `binds` to all parts of a statement. `column` says how
    a column is read (see `by_alias`). The value is NULL where the expression fails, so a projection for which
    `can_fail` holds tells failure from NULL only by evaluating again. With `condition` the SQL is for WHERE: it may be
    false where it would be NULL, and uses forms that indexes serve.
    """
    binds = Binds(engine) if binds is None else binds
    if engine is not Engine.SQLITE and not failure_is_null(expr, condition=condition):
        raise NotPushable("a part that can fail lies where NULL is handled")
    writer = _WRITERS[engine](binds, column)
    return Emitted(_condition(writer, expr) if condition else writer.value(expr), binds)


def _condition(writer: Writer, expr: Expr) -> exp.Expr:
    if isinstance(expr, Call) and expr.name in {"and", "or"} and _spreads(writer, expr):
        parts = [_condition(writer, arg) for arg in expr.args]
        return writer.fill(f" {expr.name.upper()} ".join(f"_{i}" for i in range(len(parts))), *parts)
    if isinstance(expr, Call):
        found = _indexed(writer, expr)
        if found is not None:
            return found
    return writer.value(expr)


def _spreads(writer: Writer, expr: Call) -> bool:
    return writer.engine is not Engine.SQLITE or failure_is_null(expr, condition=True)


def _indexed(writer: Writer, call: Call) -> exp.Expr | None:
    if writer.engine is Engine.POSTGRES and len(call.args) == 2:
        return sql_postgres.condition_on_column(writer, call)
    return sql_sqlite.condition_on_list(writer, call) if writer.engine is Engine.SQLITE else None


def pushable(expr: Expr, engine: Engine, *, condition: bool = False, column: ColumnOf = own_columns) -> str | None:
    """Return None when `emit` can write `expr` for `engine`, else the reason, for `plan` to show."""
    try:
        emit(expr, engine, column=column, condition=condition)
    except NotPushable as refusal:
        return refusal.reason
    return None


def order_key(
    expr: Expr,
    engine: Engine,
    binds: Binds | None = None,
    *,
    column: ColumnOf = own_columns,
    descending: bool = False,
) -> exp.Ordered:
    """Write an entry of ORDER BY: NULLs last, text by code point, decimals by value; raises NotPushable."""
    key = emit(expr, engine, binds, column=column).sql
    if engine is Engine.POSTGRES and expr.type.kind is Kind.STRING:
        key = sql_postgres.by_code_point(key)
    elif engine is Engine.SQLITE:
        key = sql_sqlite.sort_key(expr.type, key)
    return exp.Ordered(this=key, desc=descending, nulls_first=False)

# SPDX-License-Identifier: Apache-2.0
"""What the SQL connectors say of themselves: nearly everything is pushed down (S9)."""

from collections.abc import Callable
from functools import lru_cache

from sqlglot import exp

from dictamesh.connectors.sql.relation import query_problem
from dictamesh.specs.expressions import Engine, can_fail, pushable
from dictamesh.specs.expressions.tree import Column, Expr
from dictamesh.specs.manifest import Capabilities, Reason, Source

Judge = Callable[[Source, Expr], Reason]
Finding = tuple[tuple[str, ...], str, str]


def capabilities(*, integer_booleans: bool = False, json_text: bool = False) -> Callable[[Source], Capabilities]:
    """Return the capability record of a connector whose statements `sql.statement` builds."""
    record = Capabilities(
        batch_size=100,
        lookups=None,
        count=True,
        limit_per_key=True,
        related=True,
        ordered_by_key=True,
        integer_booleans=integer_booleans,
        json_text=json_text,
    )
    return lambda _source: record


def filters(engine: Engine) -> Judge:
    """Return the judge of conditions: what the engine evaluates as PostgreSQL does (S5)."""
    return lambda _source, expr: _reason(expr, engine, condition=True)


def orders(engine: Engine) -> Judge:
    """Return the judge of orders."""
    return lambda _source, expr: _reason(expr, engine, condition=False)


def outputs(engine: Engine) -> Judge:
    """Return the judge of outputs: what can fail on a row is computed by the runtime, which reports it (S5)."""

    def judge(_source: Source, expr: Expr) -> Reason:
        if isinstance(expr, Column) and len(expr.path) == 1:
            return None
        if can_fail(expr):
            return "it can fail on a row, and only the runtime reports that"
        return _reason(expr, engine, condition=False)

    return judge


def _reason(expr: Expr, engine: Engine, *, condition: bool) -> Reason:
    try:
        return _judged(expr, engine, condition=condition)
    except TypeError:  # a literal that cannot be hashed
        return pushable(expr, engine, condition=condition, column=_any_column)


@lru_cache(maxsize=4096)
def _judged(expr: Expr, engine: Engine, *, condition: bool) -> Reason:
    return pushable(expr, engine, condition=condition, column=_any_column)


def _any_column(node: Column) -> exp.Expr:
    return exp.column(node.path[-1], table="t0", quoted=True)


def checks(engine: Engine) -> Callable[[Source], tuple[Finding, ...]]:
    """Return the check of an entity's `query`."""

    def check(source: Source) -> tuple[Finding, ...]:
        query = source.options.query
        problem = query_problem(query, engine.value) if query is not None else None
        return ((("query",), problem, "write a single SELECT that only reads"),) if problem is not None else ()

    return check

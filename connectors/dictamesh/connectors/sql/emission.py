# SPDX-License-Identifier: Apache-2.0
"""Expressions as SQL of one engine, inside a statement."""

from sqlglot import exp

from dictamesh.connectors.sdk.errors import Fault, Terminal
from dictamesh.connectors.sdk.protocol import Order
from dictamesh.connectors.sql.binds import Values
from dictamesh.specs.expressions import NotPushable, emit, order_key
from dictamesh.specs.expressions.engines import ColumnOf
from dictamesh.specs.expressions.tree import Expr


def emitted(expr: Expr, values: Values, column: ColumnOf, *, condition: bool) -> exp.Expr:
    """Render an expression that the manifest accepted; `Terminal(NOT_SUPPORTED)` for another one."""
    try:
        return emit(expr, values.engine, values.expressions, column=column, condition=condition).sql
    except NotPushable:
        raise Terminal(Fault.NOT_SUPPORTED) from None


def order_keys(key: Order, values: Values, column: ColumnOf) -> exp.Expr:
    """Render one key of an order: NULLs last, text by code point."""
    try:
        return order_key(key.expr, values.engine, values.expressions, column=column, descending=key.descending)
    except NotPushable:
        raise Terminal(Fault.NOT_SUPPORTED) from None

# SPDX-License-Identifier: Apache-2.0
"""The one expression language: SQL text in; a checked tree, a Python function and SQL of three engines out (S1, S5)."""

from dictamesh.specs.expressions.build import call
from dictamesh.specs.expressions.check import check
from dictamesh.specs.expressions.coerce import Misfit
from dictamesh.specs.expressions.emit import emit, order_key, pushable
from dictamesh.specs.expressions.engines import Binds, ColumnOf, Emitted, Engine, NotPushable, by_alias, render
from dictamesh.specs.expressions.functions import can_fail
from dictamesh.specs.expressions.page import reference
from dictamesh.specs.expressions.printing import text
from dictamesh.specs.expressions.problems import ExpressionFailed, Problem, Problems
from dictamesh.specs.expressions.python import compile_filter, compile_python
from dictamesh.specs.expressions.scope import Missing, Scope
from dictamesh.specs.expressions.sqlite import decoder as sqlite_decoder
from dictamesh.specs.expressions.sqlite import sqlite_functions
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, Parameter, columns, substitute, walk

__all__ = [
    "Binds",
    "Call",
    "Column",
    "ColumnOf",
    "Emitted",
    "Engine",
    "Expr",
    "ExpressionFailed",
    "Literal",
    "Misfit",
    "Missing",
    "NotPushable",
    "Parameter",
    "Problem",
    "Problems",
    "Scope",
    "by_alias",
    "call",
    "can_fail",
    "check",
    "columns",
    "compile_filter",
    "compile_python",
    "emit",
    "order_key",
    "pushable",
    "reference",
    "render",
    "sqlite_decoder",
    "sqlite_functions",
    "substitute",
    "text",
    "walk",
]

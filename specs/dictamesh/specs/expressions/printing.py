# SPDX-License-Identifier: Apache-2.0
"""The canonical text of a tree, for plan hashes and for people."""

from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, Parameter
from dictamesh.specs.types import Kind

_INFIX = {
    "eq": "=",
    "ne": "<>",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "mod": "%",
    "append": "||",
    "add_days": "+",
    "sub_days": "-",
    "days_between": "-",
    "like": "LIKE",
    "is_distinct": "IS DISTINCT FROM",
    "json_get": "->",
    "json_get_text": "->>",
}
_POSTFIX = {"is_null": "IS NULL", "is_true": "IS TRUE", "is_false": "IS FALSE"}


def text(expr: Expr) -> str:
    """Return SQL-like text of `expr`: equal trees give equal texts, different trees different ones."""
    if isinstance(expr, Column):
        return ".".join(_quoted(part) for part in expr.path)
    if isinstance(expr, Parameter):
        return f":{expr.name}"
    if isinstance(expr, Literal):
        return _literal(expr)
    return _call(expr)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(literal: Literal) -> str:
    if literal.value is None:
        return f"NULL::{literal.type}"
    if literal.type.kind in {Kind.INT, Kind.BOOLEAN}:
        return str(literal.value).upper() if literal.type.kind is Kind.BOOLEAN else str(literal.value)
    shown = "'" + str(literal.value).replace("'", "''") + "'"
    return shown if literal.type.kind is Kind.STRING else f"{shown}::{literal.type}"


def _call(call: Call) -> str:
    parts = [text(arg) for arg in call.args]
    if call.name in _INFIX:
        return f"({parts[0]} {_INFIX[call.name]} {parts[1]})"
    if call.name in _POSTFIX:
        return f"({parts[0]} {_POSTFIX[call.name]})"
    if call.name in {"and", "or"}:
        return "(" + f" {call.name.upper()} ".join(parts) + ")"
    if call.name == "not":
        return f"(NOT {parts[0]})"
    if call.name == "neg":
        return f"(- {parts[0]})"
    if call.name == "cast":
        return f"CAST({parts[0]} AS {call.type})"
    if call.name == "in":
        return f"({parts[0]} IN ({', '.join(parts[1:])}))"
    if call.name == "any_eq":
        return f"({parts[0]} = ANY({parts[1]}))"
    return _case(parts) if call.name == "case" else f"{call.name}({', '.join(parts)})"


def _case(parts: list[str]) -> str:
    branches = " ".join(f"WHEN {parts[i]} THEN {parts[i + 1]}" for i in range(0, len(parts) - 1, 2))
    return f"CASE {branches}{f' ELSE {parts[-1]}' if len(parts) % 2 else ''} END"

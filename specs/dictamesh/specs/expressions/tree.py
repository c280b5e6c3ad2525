# SPDX-License-Identifier: Apache-2.0
"""The checked form of an expression: small typed nodes that every back end reads.

A tree is closed: names are resolved, types known, coercions explicit as `Call("cast", ...)`. Two trees are equal when
they mean the same text after parsing. Trees come from SQL text (`check`), from GraphQL filters and from policies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dictamesh.specs.types import Type


@dataclass(frozen=True, slots=True)
class Column:
    """A value of the row at hand.

    `path` is one name for an own column or field, and relation names before it where the value is read over to-one
    relations (`("customer", "storeId")`).
    """

    path: tuple[str, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value bound once per operation: `principal.<claim>`, `principal.roles`, `request.purpose`, `now`, `today`."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; `value` is a Python value of `type`, or None."""

    value: Any
    type: Type


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function by its canonical lower-case name, arguments in order, and the type of its result."""

    name: str
    args: tuple["Expr", ...]
    type: Type


Expr = Column | Parameter | Literal | Call


def walk(expr: Expr) -> Iterator[Expr]:
    """Yield `expr` and everything below it, parents first."""
    yield expr
    if isinstance(expr, Call):
        for arg in expr.args:
            yield from walk(arg)


def columns(expr: Expr) -> frozenset[tuple[str, ...]]:
    """Return the paths of all columns that `expr` reads."""
    return frozenset(node.path for node in walk(expr) if isinstance(node, Column))


def substitute(expr: Expr, by_path: dict[tuple[str, ...], Expr]) -> Expr:
    """Replace each column whose path is a key of `by_path`; other nodes stay as they are."""
    if isinstance(expr, Column):
        return by_path.get(expr.path, expr)
    if isinstance(expr, Call):
        return Call(expr.name, tuple(substitute(arg, by_path) for arg in expr.args), expr.type)
    return expr


def extent(expr: Expr) -> tuple[int, int]:
    """Return depth and number of nodes of `expr`, where a part that stands in several places counts each time."""
    known: dict[int, tuple[int, int]] = {}
    waiting: list[Expr] = [expr]
    while waiting:
        node = waiting[-1]
        args = node.args if isinstance(node, Call) else ()
        missing = [arg for arg in args if id(arg) not in known]
        if missing:
            waiting += missing
            continue
        below = [known[id(arg)] for arg in args]
        known[id(node)] = 1 + max((depth for depth, _ in below), default=0), 1 + sum(size for _, size in below)
        waiting.pop()
    return known[id(expr)]

# SPDX-License-Identifier: Apache-2.0
"""What an expression of the language reads, and how each column goes into its value."""

from collections.abc import Iterator

from dictamesh.runtime.lineage.model import Subtype
from dictamesh.specs.expressions.tree import Call, Column, Expr

Path = tuple[str, ...]

_HANDED_ON = frozenset({"coalesce", "greatest", "least"})  # one of the arguments is the value


def reads(expr: Expr) -> dict[Path, frozenset[Subtype]]:
    """Return the ways in which each column goes into the value of `expr`, by path.

    A column is missing only if no change of it can change the value. IDENTITY: the value may be the column's own;
    CONDITIONAL: it decides between other values; TRANSFORMATION: everything else.
    """
    found: dict[Path, set[Subtype]] = {}
    for path, subtype in _walk(expr):
        found.setdefault(path, set()).add(subtype)
    return {path: frozenset(found[path]) for path in sorted(found)}


def _walk(root: Expr) -> Iterator[tuple[Path, Subtype]]:
    # A part that `self.` puts into several places is one object: visited once for each way it is used.
    waiting: list[tuple[Expr, Subtype]] = [(root, Subtype.IDENTITY)]
    seen: set[tuple[int, Subtype]] = set()
    while waiting:
        expr, subtype = waiting.pop()
        if (id(expr), subtype) in seen:
            continue
        seen.add((id(expr), subtype))
        if isinstance(expr, Column):
            yield expr.path, subtype
        elif isinstance(expr, Call):
            waiting.extend(_arguments(expr, subtype))


def _arguments(call: Call, subtype: Subtype) -> Iterator[tuple[Expr, Subtype]]:
    if subtype is Subtype.CONDITIONAL or call.name in _HANDED_ON:
        yield from ((arg, subtype) for arg in call.args)
    elif call.name == "case":
        last = len(call.args) - len(call.args) % 2
        for index, arg in enumerate(call.args):
            yield arg, Subtype.CONDITIONAL if index < last and index % 2 == 0 else subtype
    elif call.name == "nullif":
        yield call.args[0], subtype
        yield call.args[1], Subtype.CONDITIONAL
    else:
        yield from ((arg, Subtype.TRANSFORMATION) for arg in call.args)

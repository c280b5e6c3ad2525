# SPDX-License-Identifier: Apache-2.0
"""The parts of an SQL expression, and how each goes into its value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from dictamesh.runtime.lineage.model import Subtype
from dictamesh.runtime.lineage.statements.flows import Way
from dictamesh.runtime.lineage.statements.scope import Fold

HANDED_ON = (exp.Coalesce, exp.Greatest, exp.Least, exp.Paren, exp.Alias, exp.Distinct, exp.Tuple)
OF_ANOTHER_ROW = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
HASHES = (exp.MD5, exp.MD5Digest, exp.SHA, exp.SHA2)
_SHAS = ("sha1", "sha224", "sha256", "sha384", "sha512", "sha2", "sha1digest", "sha2digest")
HASH_NAMES = frozenset({"md5", "digest", "hmac", "crypt", *_SHAS})


@dataclass(frozen=True, slots=True)
class Operand:
    """A part of an expression and the way from its value to that of the whole."""

    node: exp.Expr
    way: Way


def operands(at: Operand, windows: Mapping[str, exp.Window], fold: Fold) -> Iterator[Operand]:
    """Return the parts of an expression that is neither a column nor a query."""
    node, way = at.node, at.way
    if isinstance(node, HANDED_ON):
        yield from _each(node, way)
    elif isinstance(node, exp.Case | exp.If):
        yield from _branches(node, way)
    elif isinstance(node, exp.Nullif):
        yield Operand(node.this, way)
        yield Operand(node.expression, way.below(Subtype.CONDITIONAL))
    elif isinstance(node, exp.Window):
        yield from _window(node, way, windows, fold)
    elif isinstance(node, exp.Filter):
        yield Operand(node.this, way)
        yield Operand(node.expression.this, way.below(Subtype.FILTER))
    elif isinstance(node, exp.WithinGroup):
        yield Operand(node.this, way)
        yield from (Operand(each, way.below(Subtype.AGGREGATION)) for each in _ordered(node.expression))
    elif isinstance(node, exp.Order):
        if node.args.get("this") is not None:
            yield Operand(node.this, way)
        yield from (Operand(each, way.below(Subtype.SORT)) for each in _ordered(node))
    else:
        yield from _each(node, _operation(node, way))


def _operation(node: exp.Expr, way: Way) -> Way:
    """The way of all operands of a function or operator."""
    if isinstance(node, exp.AggFunc) and type(node) not in OF_ANOTHER_ROW:
        return way.below(Subtype.AGGREGATION, masking=isinstance(node, exp.Count | exp.CountIf | exp.ApproxDistinct))
    return way.below(Subtype.TRANSFORMATION, masking=_hashes(node))


def _each(node: exp.Expr, way: Way) -> Iterator[Operand]:
    yield from (Operand(child, way) for child in node.iter_expressions() if not isinstance(child, exp.DataType))


def _branches(node: exp.Expr, way: Way) -> Iterator[Operand]:
    condition = way.below(Subtype.CONDITIONAL)
    if isinstance(node, exp.If):
        yield Operand(node.this, condition)
        yield from (Operand(node.args[key], way) for key in ("true", "false") if node.args.get(key) is not None)
        return
    if node.args.get("this") is not None:
        yield Operand(node.this, condition)
    for branch in node.args.get("ifs") or ():
        yield Operand(branch.this, condition)
        yield Operand(branch.args["true"], way)
    if node.args.get("default") is not None:
        yield Operand(node.args["default"], way)


def _window(node: exp.Window, way: Way, windows: Mapping[str, exp.Window], fold: Fold) -> Iterator[Operand]:
    if node.args.get("this") is not None and not isinstance(node.this, exp.Identifier):
        yield Operand(node.this, way.below(Subtype.TRANSFORMATION))
    around = way.below(Subtype.WINDOW)
    yield from (Operand(each, around) for each in node.args.get("partition_by") or ())
    if node.args.get("order") is not None:
        yield from (Operand(each, around) for each in _ordered(node.args["order"]))
    named = node.args.get("alias")
    if isinstance(named, exp.Identifier) and (found := windows.get(fold(named))) is not None and found is not node:
        yield from _window(found, way, windows, fold)


def _ordered(order: exp.Expr) -> Iterator[exp.Expr]:
    for each in order.expressions:
        yield each.this if isinstance(each, exp.Ordered) else each


def _hashes(node: exp.Expr) -> bool:
    if isinstance(node, HASHES):
        return True
    name = node.name if isinstance(node, exp.Anonymous) else node.key
    return isinstance(node, exp.Func) and name.lower() in HASH_NAMES

# SPDX-License-Identifier: Apache-2.0
"""What a REST source is asked to do itself: filters, orders and fields that the spec maps to query parameters (S9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import orjson

from dictamesh.connectors.rest.addresses import Query, fits_csv, text
from dictamesh.connectors.rest.options import ListCall, Operator, RestEntity
from dictamesh.connectors.sdk.errors import Fault, Terminal
from dictamesh.connectors.sdk.protocol import Order
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, Parameter
from dictamesh.specs.manifest import Reason, Source

_COMPARISONS: Mapping[str, Operator] = {
    "eq": "eq",
    "ne": "ne",
    "lt": "lt",
    "le": "lte",
    "gt": "gt",
    "ge": "gte",
    "like": "like",
}
_TURNED: Mapping[str, Operator] = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "gte", "gt": "lt", "ge": "lte"}

MAX_LIST = 4_000  # characters of values in one address: many servers end at 8 kB


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of a conjunction: `values` are literals or parameters."""

    column: str
    operator: Operator
    values: tuple[Literal | Parameter, ...]


class Impossible(Exception):  # noqa: N818  (an outcome, not an error)
    """The condition holds for no row, whatever the source has."""


def filter_reason(source: Source, expr: Expr) -> Reason:
    """Say why a condition is not pushed down; None when it is."""
    listing = _listing(source)
    if listing is None:
        return "the entity has no `list`"
    taken: set[str] = set()
    for part in _conjuncts(expr):
        term = _term(part)
        if isinstance(term, str):
            return term
        param = listing.filters.get(term.column, {}).get(term.operator)
        if param is None:
            return f"`list.filters` maps no `{term.operator}` for `{term.column}`"
        if term.operator == "in" and not all(isinstance(v, Literal) and fits_csv(v.value) for v in term.values):
            return "a value of `in` could contain a comma"
        if sum(len(text(v.value)) + 1 for v in term.values if isinstance(v, Literal)) > MAX_LIST:
            return "the values would make the address too long"
        if param in taken and term.operator in {"ne", "like", "isNull"}:
            return f"`{param}` would be needed twice"
        taken.add(param)
    return None


def order_reason(source: Source, expr: Expr) -> Reason:
    """Say why an order is not pushed down; None when it is."""
    listing = _listing(source)
    if listing is None or listing.sort is None:
        return "`list.sort` is not set"
    if not plain(expr):
        return "only columns can be sorted by"
    name = expr.path[0]
    if listing.sort.columns is not None and name not in listing.sort.columns:
        return f"`list.sort.columns` has no `{name}`"
    return None


def output_reason(_source: Source, expr: Expr) -> Reason:
    """Say why an output is computed by the runtime; None for a plain column."""
    return None if plain(expr) else "a REST source computes nothing"


def _listing(source: Source) -> ListCall | None:
    options: RestEntity = source.options
    return options.list


def plain(expr: Expr) -> TypeGuard[Column]:
    """Whether an expression is a column of the row itself."""
    return isinstance(expr, Column) and len(expr.path) == 1


def _conjuncts(expr: Expr) -> list[Expr]:
    if isinstance(expr, Call) and expr.name == "and":
        return [part for arg in expr.args for part in _conjuncts(arg)]
    return [expr]


def _term(expr: Expr) -> Term | str:
    if not isinstance(expr, Call):
        return "only comparisons of a column are sent to a REST source"
    match expr.name, expr.args:
        case "is_null", (Column(path=(name,)),):
            return Term(name, "isNull", (Literal(True, expr.type),))
        case "not", (Call(name="is_null", args=(Column(path=(name,)),)),):
            return Term(name, "isNull", (Literal(False, expr.type),))
        case "in", (Column(path=(name,)), *values):
            return _with_values(name, "in", values)
        case "any_eq", (Column(path=(name,)), Literal(value=tuple() | list() as values, type=type_)):
            return _with_values(name, "in", [Literal(value, type_.item or type_) for value in values])
        case operator, (Column(path=(name,)), value) if operator in _COMPARISONS:
            return _with_values(name, _COMPARISONS[operator], [value])
        case operator, (value, Column(path=(name,))) if operator in _TURNED:
            return _with_values(name, _TURNED[operator], [value])
        case _:
            return "only comparisons of a column with a value are sent to a REST source"


def _with_values(column: str, operator: Operator, values: Sequence[Expr]) -> Term | str:
    kept = tuple(value for value in values if isinstance(value, (Literal, Parameter)))
    if len(kept) != len(values):
        return "only comparisons of a column with a value are sent to a REST source"
    return Term(column, operator, kept)


def filter_query(listing: ListCall, where: Expr | None, parameters: Mapping[str, Any]) -> Query:
    """Render a condition that `filter_reason` accepted.

    `Impossible` where no row can meet it; `Terminal(NOT_SUPPORTED)` where the source cannot be asked, e.g. two patterns
    in one parameter.
    """
    chosen: dict[str, tuple[Operator, Any]] = {}
    for part in _conjuncts(where) if where is not None else ():
        term = _term(part)
        param = None if isinstance(term, str) else listing.filters.get(term.column, {}).get(term.operator)
        if isinstance(term, str) or param is None:
            raise Terminal(Fault.NOT_SUPPORTED)
        value = _value(term, parameters)
        if param in chosen:
            value = _narrowed(term.operator, chosen[param], value)
        chosen[param] = (term.operator, value)
    return [(param, _written(operator, value)) for param, (operator, value) in chosen.items()]


def _value(term: Term, parameters: Mapping[str, Any]) -> Any:
    found = [parameters[v.name] if isinstance(v, Parameter) else v.value for v in term.values]
    if term.operator == "in":
        kept = [value for value in found if value is not None]
        if not kept:
            raise Impossible
        return kept
    if found[0] is None:
        raise Impossible
    return found[0]


def _narrowed(operator: Operator, before: tuple[Operator, Any], value: Any) -> Any:
    if before == (operator, value):
        return value
    match before[0], operator:
        case "eq", "eq":
            raise Impossible
        case "in", "in":
            both = [item for item in value if item in before[1]]
            if not both:
                raise Impossible
            return both
        case ("gt", "gt") | ("gte", "gte"):
            return max(before[1], value)
        case ("lt", "lt") | ("lte", "lte"):
            return min(before[1], value)
        case _:
            raise Terminal(Fault.NOT_SUPPORTED)


def _written(operator: Operator, value: Any) -> str:
    if operator != "in":
        return text(value)
    if not all(map(fits_csv, value)):
        raise Terminal(Fault.REFUSED)
    return ",".join(map(text, value))


def sort_query(listing: ListCall, order: Sequence[Order]) -> Query:
    """Render an order that `order_reason` accepted."""
    if not order:
        return []
    if listing.sort is None:
        raise Terminal(Fault.NOT_SUPPORTED)
    sort = listing.sort
    keys: list[str] = []
    for key in order:
        if not plain(key.expr):
            raise Terminal(Fault.NOT_SUPPORTED)
        keys.append((sort.desc if key.descending else sort.asc).replace("{column}", key.expr.path[0]))
    return [(sort.param, sort.separator.join(keys))]


def fields_query(listing: ListCall | None, names: Sequence[str]) -> Query:
    """Render a selection of fields, where the spec maps it."""
    if listing is None or listing.fields is None:
        return []
    fields = listing.fields
    if fields.style == "repeat":
        return [(fields.param, name) for name in names]
    if fields.style == "csv":
        return [(fields.param, ",".join(names))]
    return [(fields.param, orjson.dumps(list(names)).decode())]

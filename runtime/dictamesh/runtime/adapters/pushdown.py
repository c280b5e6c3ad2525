# SPDX-License-Identifier: Apache-2.0
"""Which part of a question the source answers itself, and which is left to Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dictamesh.connectors.sdk import Manifest, Order, Related
from dictamesh.runtime.adapters.ask import Ask, Operation, Shown, both, conjuncts
from dictamesh.runtime.adapters.veil import veil
from dictamesh.runtime.compile.plan import EntityPlan, LinkPlan
from dictamesh.specs.expressions import call
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, Parameter, columns, substitute, walk
from dictamesh.specs.types import BOOLEAN, Kind

Entities = Mapping[str, EntityPlan]

_NESTING = 5  # relations over relations that are sent in one question


@dataclass(frozen=True, slots=True)
class Split:
    """A condition in two parts: `where` and `related` go to the source, `local` and `must` are evaluated here."""

    where: Expr | None
    related: tuple[Related, ...]
    local: Expr | None
    must: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the source does all of it."""
        return self.local is None and not self.must


def split(
    entity: EntityPlan,
    manifest: Manifest,
    entities: Entities,
    ask: Ask,
    operation: Operation,
    beside: Expr | None = None,
) -> Split:
    """Send to the source what it accepts of `ask.where` and `ask.must`, together with `beside`, which it accepts."""
    pushing = _Pushing(manifest, entities, operation)
    links: dict[str, Related] = {}
    local_must = [name for name in ask.must if not pushing.demand(entity, name, links)]
    pushed: Expr | None = None
    local: list[Expr] = []
    for part in conjuncts(ask.where) if ask.where is not None else ():
        known = dict(links)
        sent = pushing.condition(entity, part, known)
        joined = both(beside, pushed, sent)
        if sent is None or joined is None or manifest.filters(entity.source, joined) is not None:
            local.append(part)
        else:
            pushed, links = both(pushed, sent), known
    return Split(pushed, tuple(links.values()), both(*local), tuple(local_must))


def orders(entity: EntityPlan, manifest: Manifest, ask: Ask, salt: str) -> tuple[Order, ...] | None:
    """Return the order to send, with the key or its digest appended; None where it has to be made here.

    Without an order in `ask` rows come by key where the source lists them so, else as it gives them (S9).
    """
    if not ask.order and not entity.capabilities.ordered_by_key:
        return ()
    named = {key.field for key in ask.order}
    rest = [entity.field(name).expr for name in entity.key if name not in named]
    keys = tuple(Order(entity.field(key.field).expr, key.descending) for key in ask.order)
    keys += tuple(Order(veil(expr, salt) if ask.veiled else expr) for expr in rest)
    if all(tells_time(entity, key.expr) and manifest.orders(entity.source, key.expr) is None for key in keys):
        return keys
    return None if ask.order or ask.veiled else ()


@dataclass(frozen=True, slots=True)
class _Pushing:
    manifest: Manifest
    entities: Entities
    operation: Operation

    def condition(self, entity: EntityPlan, part: Expr, links: dict[str, Related]) -> Expr | None:
        """Translate a condition from fields to columns, adding relations it reads to `links`; None: not possible."""
        by_path: dict[tuple[str, ...], Expr] = {}
        for path in columns(part):
            found = self._column(entity, path, links)
            if found is None:
                return None
            by_path[path] = found
        return bound(substitute(part, by_path), self.operation.parameters)

    def demand(self, entity: EntityPlan, name: str, links: dict[str, Related]) -> bool:
        """Require a related row; False where the source cannot."""
        link = entity.link(name)
        made = self._related(entity, link, _NESTING) if link is not None else None
        if made is None:
            return False
        links[name] = Related(made.name, made.source, made.on, made.where, required=True, related=made.related)
        return True

    def _column(self, entity: EntityPlan, path: tuple[str, ...], links: dict[str, Related]) -> Expr | None:
        if len(path) == 1:
            expr = entity.field(path[0]).expr
            return expr if tells_time(entity, expr) else None
        link = entity.link(path[0])
        if link is None or len(path) > 2:
            return None
        if path[0] not in links:
            made = self._related(entity, link, _NESTING)
            if made is None:
                return None
            links[path[0]] = made
        target = self.entities[link.target]
        expr = target.field(path[1]).expr
        if not tells_time(target, expr):
            return None
        return substitute(expr, {(name,): Column((path[0], name), _type_at(expr, name)) for (name,) in columns(expr)})

    def _related(self, entity: EntityPlan, link: LinkPlan, depth: int) -> Related | None:
        target = self.entities[link.target]
        if link.many or not (link.by_key and link.same_server and entity.capabilities.related and depth):
            return None
        on = _on(entity, target, link)
        shown = self.operation.shown(link.target)
        if on is None:
            return None
        below: dict[str, Related] = {}
        where = self._visible(target, shown, below, depth - 1)
        if where is None and (shown.keep is not None or shown.nothing):
            return None
        if not all(self._demanded(target, name, below, depth - 1) for name in shown.must):
            return None
        return Related(link.name, target.source, on, where, related=tuple(below.values()))

    def _demanded(self, entity: EntityPlan, name: str, below: dict[str, Related], depth: int) -> bool:
        link = entity.link(name)
        made = self._related(entity, link, depth) if link is not None and depth > 0 else None
        if made is None:
            return False
        below[name] = Related(made.name, made.source, made.on, made.where, required=True, related=made.related)
        return True

    def _visible(self, target: EntityPlan, shown: Shown, below: dict[str, Related], depth: int) -> Expr | None:
        if shown.nothing:
            return Literal(False, BOOLEAN)
        if shown.keep is None or not depth or any(len(path) > 1 for path in columns(shown.keep)):
            return None  # a filter that reads on over relations is evaluated here
        sent = self.condition(target, shown.keep, below)
        if sent is None or self.manifest.filters(target.source, sent) is not None:
            return None
        return sent


def bound(expr: Expr, parameters: Mapping[str, Any]) -> Expr:
    """Put the values of parameters in their place, so that a source may take a list for its own `in`."""
    if isinstance(expr, Parameter):
        return Literal(parameters.get(expr.name), expr.type)
    if not isinstance(expr, Call):
        return expr
    if expr.name == "any_eq" and isinstance(expr.args[1], Parameter):
        return _among(bound(expr.args[0], parameters), expr.args[1], parameters.get(expr.args[1].name))
    return Call(expr.name, tuple(bound(arg, parameters) for arg in expr.args), expr.type)


def _among(value: Expr, items: Parameter, bound_to: Any) -> Expr:
    """`= ANY(list)`: unknown without a list, false for an empty one (S5)."""
    if bound_to is None:
        return Literal(None, BOOLEAN)
    return call("in", value, *(Literal(item, items.type.item or value.type) for item in bound_to))


def _on(entity: EntityPlan, target: EntityPlan, link: LinkPlan) -> tuple[tuple[str, str], ...] | None:
    pairs = [
        (entity.field(own).column, target.field(other).column) for own, other in zip(link.own, link.theirs, strict=True)
    ]
    whole = tuple((own, other) for own, other in pairs if own is not None and other is not None)
    return whole if len(whole) == len(pairs) else None


def _type_at(expr: Expr, name: str) -> Any:
    return next(node.type for node in walk(expr) if isinstance(node, Column) and node.path == (name,))


@lru_cache(maxsize=4096)
def _reads_moments(expr: Expr) -> bool:
    return any(isinstance(node, Column) and node.type.kind is Kind.TIMESTAMP for node in walk(expr))


def tells_time(entity: EntityPlan, expr: Expr) -> bool:
    """Whether timestamps mean to the source what they mean here: naive ones of another zone do not (S3)."""
    return entity.timezone == "UTC" or not _reads_moments(expr)

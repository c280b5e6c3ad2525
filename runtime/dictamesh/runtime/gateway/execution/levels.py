# SPDX-License-Identifier: Apache-2.0
"""Level-wise execution: all that a level needs is fetched together, then comes the next level (S10, S11, DL-1..3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dictamesh.connectors.concurrency import gathered
from dictamesh.runtime.adapters.adapters import Adapters, own_values
from dictamesh.runtime.adapters.ask import Ask, Found, Operation, ReadFailed, Sort
from dictamesh.runtime.adapters.cells import Key, Row
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.gateway.contract import FieldError, Node
from dictamesh.runtime.gateway.execution.filters import condition
from dictamesh.runtime.gateway.execution.picks import EntityPick, LinkPick, Page, Path, RootPick
from dictamesh.runtime.gateway.execution.serve import Values, View, values_of
from dictamesh.specs.expressions.tree import Expr, Literal
from dictamesh.specs.model.mesh import Limits

_FORBIDDEN = FieldError("FORBIDDEN")
_AMBIGUOUS = FieldError("CONTRACT_VIOLATION")
_ENOUGH_TO_TELL = 2  # rows that show a to-one end to meet several


@dataclass(frozen=True, slots=True)
class Context:
    """What the levels of one operation share."""

    adapters: Adapters
    view: View
    operation: Operation
    limits: Limits
    truncated: dict[Path, int] = field(default_factory=dict)
    served: dict[str, dict[Key, None]] = field(default_factory=dict)  # keys of served rows by entity address
    values: dict[int, Values] = field(default_factory=dict)  # by identity of the selection


@dataclass(frozen=True, slots=True)
class Branch:
    """A relation of one selection with the rows that it starts from."""

    pick: LinkPick
    parents: list[tuple[Row, Node]]


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One fetch for all branches of a level that want the same rows."""

    address: str
    names: tuple[str, ...]
    ask: Ask
    branches: list[Branch]


async def execute(roots: tuple[RootPick, ...], context: Context) -> Node:
    """Fetch everything that `roots` select and return the root of the answer."""
    root = Node()
    branches = [each for found in await gathered(_root_tasks(roots, context, root)) for each in found]
    while branches:
        fetches = _merged(branches, context)
        branches = [each for found in await gathered([partial(_run, f, context) for f in fetches]) for each in found]
    return root


def _root_tasks(roots: tuple[RootPick, ...], context: Context, root: Node) -> list[Any]:
    tasks = []
    by_key: dict[str, list[RootPick]] = {}
    for pick in roots:
        if pick.kind == "one":
            by_key.setdefault(pick.entity.address, []).append(pick)
        else:
            tasks.append(partial(_root_list if pick.kind == "list" else _root_count, pick, context, root))
    return [*tasks, *(partial(_root_rows, picks, context, root) for picks in by_key.values())]


async def _root_count(pick: RootPick, context: Context, root: Node) -> list[Branch]:
    where = _where(pick.page, pick.entity.address, context)
    try:
        if _never(where):
            root.values[pick.key] = 0
        else:
            ask = Ask(frozenset(), where)
            root.values[pick.key] = await context.adapters.count(pick.entity.address, ask, context.operation)
    except ReadFailed as failure:
        root.values[pick.key] = FieldError(failure.code)
    return []


async def _root_list(pick: RootPick, context: Context, root: Node) -> list[Branch]:
    below = pick.below
    if below is None or not _allowed(below, context):
        root.values[pick.key] = _FORBIDDEN
        return []
    ask, limit = _paged(pick.page, below, context, context.limits.limit)
    try:
        rows = [] if _never(ask.where) else await context.adapters.rows(pick.entity.address, ask, context.operation)
        nodes = await _nodes(below, _cut(rows, limit, pick.page, pick.path, context), context)
    except ReadFailed as failure:
        root.values[pick.key] = FieldError(failure.code)
        return []
    root.values[pick.key] = [node for _, node in nodes]
    return _branches(below, nodes)


async def _root_rows(picks: list[RootPick], context: Context, root: Node) -> list[Branch]:
    """Fetch the rows that root fields of one entity name by key, together."""
    entity = picks[0].entity
    fields = frozenset(name for pick in picks if pick.below for name in _fields(pick.below, context))
    allowed = all(_allowed(pick.below, context) for pick in picks if pick.below)
    found = Found()
    if allowed:
        found = await _keyed(entity, [pick.id for pick in picks], fields, context)
    branches: list[Branch] = []
    for pick in picks:
        if pick.below is None or not allowed:
            root.values[pick.key] = _FORBIDDEN
            continue
        branches += await _placed_one(pick.below, found, [(pick.id, root)], pick.key, context)
    return branches


async def _keyed(entity: EntityPlan, keys: list[Key], fields: frozenset[str], context: Context) -> Found:
    if entity.surrogate is None:
        return await _by_values(entity.address, entity.key, keys, Ask(fields), context)
    try:
        return await context.view.surrogates.find(entity, keys, fields, context.adapters, context.operation)
    except ReadFailed as failure:
        found = Found()
        found.fail(keys, failure)
        return found


async def _by_values(address: str, names: tuple[str, ...], values: list[Key], ask: Ask, context: Context) -> Found:
    try:
        return await context.adapters.by_values(address, names, values, ask, context.operation)
    except ReadFailed as failure:
        found = Found()
        found.fail(values, failure)
        return found


async def _placed_one(
    below: EntityPick, found: Found, ends: list[tuple[Key | None, Node]], key: str, context: Context
) -> list[Branch]:
    """Put the one row of each value in its place; rows that several places share become one node."""
    wanted = {
        value: found.rows[value][0] for value, _ in ends if value is not None and len(found.rows.get(value, ())) == 1
    }
    try:
        nodes = await _nodes(below, list(wanted.values()), context)
    except ReadFailed as failure:
        for _, place in ends:
            place.values[key] = FieldError(failure.code)
        return []
    by_value = dict(zip(wanted, (node for _, node in nodes), strict=True))
    for value, place in ends:
        if value in found.failed:
            place.values[key] = FieldError(found.failed[value])
        elif value is not None and len(found.rows.get(value, ())) > 1:
            place.values[key] = _AMBIGUOUS
        else:
            place.values[key] = by_value.get(value) if value is not None else None
    return _branches(below, nodes)


async def _placed_many(
    pick: LinkPick, found: Found, ends: list[tuple[Key | None, Node]], limit: int, context: Context
) -> list[Branch]:
    page = pick.page or Page()
    groups = {value: _cut(rows, limit, page, pick.path, context) for value, rows in found.rows.items()}
    reached = [value for value in dict.fromkeys(value for value, _ in ends) if value in groups]
    rows = [row for value in reached for row in groups[value]]
    try:
        nodes = await _nodes(pick.below, rows, context)
    except ReadFailed as failure:
        for _, place in ends:
            place.values[pick.key] = FieldError(failure.code)
        return []
    made = iter(nodes)
    lists = {value: [next(made)[1] for _ in groups[value]] for value in reached}
    for value, place in ends:
        failed = found.failed.get(value) if value is not None else None
        place.values[pick.key] = FieldError(failed) if failed else lists.get(value, []) if value is not None else []
    return _branches(pick.below, nodes)


def _merged(branches: list[Branch], context: Context) -> list[_Fetch]:
    """Join branches that ask one entity the same question; forbidden ones are answered at once."""
    merged: dict[tuple[Any, ...], _Fetch] = {}
    for branch in branches:
        pick = branch.pick
        if not _allowed(pick.below, context):
            for _, node in branch.parents:
                node.values[pick.key] = _FORBIDDEN
            continue
        ask = Ask(_fields(pick.below, context), limit=None if pick.link.by_key else _ENOUGH_TO_TELL)
        if pick.page is not None:
            ask, _ = _paged(pick.page, pick.below, context, context.limits.relation_limit)
        shape = (pick.link.target, pick.link.theirs, ask.where, ask.order, ask.limit, ask.offset)
        known = merged.get(shape)
        if known is None:
            merged[shape] = _Fetch(pick.link.target, pick.link.theirs, ask, [branch])
        else:
            joined = Ask(known.ask.fields | ask.fields, ask.where, (), ask.order, ask.limit, ask.offset)
            merged[shape] = _Fetch(known.address, known.names, joined, [*known.branches, branch])
    return list(merged.values())


async def _run(fetch: _Fetch, context: Context) -> list[Branch]:
    ends = [[(own_values(row, branch.pick.link), node) for row, node in branch.parents] for branch in fetch.branches]
    values = list(dict.fromkeys(value for each in ends for value, _ in each if value is not None))
    found = Found()
    if values and not _never(fetch.ask.where):
        found = await _by_values(fetch.address, fetch.names, values, fetch.ask, context)
    below: list[Branch] = []
    for branch, places in zip(fetch.branches, ends, strict=True):
        pick = branch.pick
        if pick.page is None:
            below += await _placed_one(pick.below, found, places, pick.key, context)
        else:
            _, limit = _paged(pick.page, pick.below, context, context.limits.relation_limit)
            below += await _placed_many(pick, found, places, limit, context)
    return below


async def _nodes(below: EntityPick, rows: Sequence[Row], context: Context) -> list[tuple[Row, Node]]:
    """Make a node of each row; conditions of masks may read rows that theirs lead to."""
    if not rows:
        return []
    values = context.values.get(id(below))
    if values is None:
        values = context.values[id(below)] = values_of(below, context.view)
    entity = below.entity
    paths = {path for pick in below.fields for path in context.view.access.needs(pick.field.address)}
    read: Sequence[Row] = rows
    if paths:
        read = await context.adapters.joined(entity, rows, paths, context.operation)
    served = context.served.setdefault(entity.address, {})
    for row in rows:
        served[tuple(row[name] for name in entity.key)] = None
    return [(row, Node(values(row, seen))) for row, seen in zip(rows, read, strict=True)]


def _branches(below: EntityPick, nodes: list[tuple[Row, Node]]) -> list[Branch]:
    return [Branch(pick, nodes) for pick in below.links] if nodes else []


def _fields(below: EntityPick, context: Context) -> frozenset[str]:
    """Return what has to be read of each row: what is shown, followed, asked by masks, and the key for the audit."""
    entity = below.entity
    wanted = {pick.field.name for pick in below.fields} | set(entity.key)
    wanted.update(name for pick in below.links for name in pick.link.own)
    for pick in below.fields:
        for path in context.view.access.needs(pick.field.address):
            link = entity.link(path[0]) if len(path) > 1 else None
            wanted.update(link.own if link is not None else path[:1])
    return frozenset(wanted)


def _allowed(below: EntityPick, context: Context) -> bool:
    """Whether the caller may see the key, without which there is no entity to show (S19)."""
    return below.entity.surrogate is not None or context.view.access.key_visible(below.entity.address)


def _paged(page: Page, below: EntityPick, context: Context, default: int) -> tuple[Ask, int]:
    """Return what to ask for a list, and its limit; one row more than a default limit shows whether that one cut."""
    limit = default if page.limit is None else page.limit
    ask = Ask(
        _fields(below, context),
        _where(page, below.entity.address, context),
        order=tuple(Sort(name, descending) for name, descending in page.order),
        limit=limit + 1 if page.limit is None else limit,
        offset=page.offset,
    )
    return ask, limit


def _where(page: Page, address: str, context: Context) -> Expr | None:
    entities = context.adapters.plan.entities
    where = condition(entities[address], page.filter, entities) if page.filter is not None else None
    return None if isinstance(where, Literal) and where.value is True else where


def _never(where: Expr | None) -> bool:
    return isinstance(where, Literal)


def _cut(rows: list[Row], limit: int, page: Page, path: Path, context: Context) -> list[Row]:
    if page.limit is None and len(rows) > limit:
        context.truncated[path] = limit
        return rows[:limit]
    return rows

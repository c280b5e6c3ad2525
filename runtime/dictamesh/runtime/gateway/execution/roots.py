# SPDX-License-Identifier: Apache-2.0
"""The first level: root fields, those that ask the same question together."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from dictamesh.runtime.adapters.ask import Ask, Found, ReadFailed
from dictamesh.runtime.adapters.cells import Key
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.gateway.contract import FieldError, Node
from dictamesh.runtime.gateway.execution.context import (
    Branch,
    Context,
    allowed,
    condition_of,
    cut_default,
    fields_of,
    never,
    paged,
)
from dictamesh.runtime.gateway.execution.picks import EntityPick, RootPick
from dictamesh.runtime.gateway.execution.placing import FORBIDDEN, branches_of, nodes_of, place_one, rows_by_values

Task = Callable[[], Awaitable[list[Branch]]]
Lists = list[tuple[RootPick, EntityPick]]


def root_tasks(roots: tuple[RootPick, ...], context: Context, root: Node) -> list[Task]:
    """Return what has to run for the root fields, side by side; what is forbidden is answered at once."""
    tasks: list[Task] = []
    by_key: dict[str, list[RootPick]] = {}
    lists: dict[tuple[str, Ask], Lists] = {}
    for pick in roots:
        if pick.kind == "one":
            by_key.setdefault(pick.entity.address, []).append(pick)
        elif pick.below is None:
            tasks.append(partial(_count, pick, context, root))
        elif not allowed(pick.below, context):
            root.values[pick.key] = FORBIDDEN
        else:
            ask, _ = paged(pick.page, pick.below, context, context.limits.limit)
            lists.setdefault((pick.entity.address, replace(ask, fields=frozenset())), []).append((pick, pick.below))
    tasks += [partial(_list, ask, picks, context, root) for (_, ask), picks in lists.items()]
    return [*tasks, *(partial(_rows, picks, context, root) for picks in by_key.values())]


async def _count(pick: RootPick, context: Context, root: Node) -> list[Branch]:
    where = condition_of(pick.page, pick.entity.address, context)
    try:
        if never(where):
            root.values[pick.key] = 0
        else:
            ask = Ask(frozenset(), where)
            root.values[pick.key] = await context.adapters.count(pick.entity.address, ask, context.operation)
    except ReadFailed as failure:
        root.values[pick.key] = FieldError(failure.code)
    return []


async def _list(ask: Ask, picks: Lists, context: Context, root: Node) -> list[Branch]:
    """Fetch one list for all root fields that ask for it."""
    ask = replace(ask, fields=frozenset(name for _, below in picks for name in fields_of(below, context)))
    address = picks[0][0].entity.address
    branches: list[Branch] = []
    try:
        rows = [] if never(ask.where) else await context.adapters.rows(address, ask, context.operation)
        for pick, below in picks:
            limit = context.limits.limit if pick.page.limit is None else pick.page.limit
            nodes = await nodes_of(below, cut_default(rows, limit, pick.page, pick.path, context), context)
            root.values[pick.key] = [node for _, node in nodes]
            branches += branches_of(below, nodes)
    except ReadFailed as failure:
        for pick, _ in picks:
            root.values[pick.key] = FieldError(failure.code)
        return []
    return branches


async def _rows(picks: list[RootPick], context: Context, root: Node) -> list[Branch]:
    """Fetch the rows that root fields of one entity name by key, together."""
    entity = picks[0].entity
    fields = frozenset(name for pick in picks if pick.below for name in fields_of(pick.below, context))
    may = all(allowed(pick.below, context) for pick in picks if pick.below)
    found = Found()
    if may:
        found = await keyed(entity, [pick.id for pick in picks], Ask(fields), context)
    branches: list[Branch] = []
    for pick in picks:
        if pick.below is None or not may:
            root.values[pick.key] = FORBIDDEN
            continue
        branches += await place_one(pick.below, found, [(pick.id, root)], pick.key, context)
    return branches


async def keyed(entity: EntityPlan, keys: list[Key], ask: Ask, context: Context) -> Found:
    """Return the rows by what is shown as their keys; never raises `ReadFailed`."""
    if entity.surrogate is None:
        return await rows_by_values(entity.address, entity.key, keys, ask, context)
    try:
        return await context.view.surrogates.find(entity, keys, ask, context.adapters, context.operation)
    except ReadFailed as failure:
        found = Found()
        found.fail(keys, failure)
        return found

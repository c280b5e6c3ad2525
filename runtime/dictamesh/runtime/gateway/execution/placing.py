# SPDX-License-Identifier: Apache-2.0
"""Rows put in their places: nodes made of them, lists cut, failures told where they matter."""

from collections.abc import Sequence

from dictamesh.runtime.adapters.ask import Ask, Found, ReadFailed
from dictamesh.runtime.adapters.cells import Key, Row
from dictamesh.runtime.gateway.contract import FieldError, Node
from dictamesh.runtime.gateway.execution.context import Branch, Context, cut_default
from dictamesh.runtime.gateway.execution.picks import EntityPick, LinkPick, Page
from dictamesh.runtime.gateway.execution.serve import values_of

FORBIDDEN = FieldError("FORBIDDEN")
AMBIGUOUS = FieldError("CONTRACT_VIOLATION")


async def rows_by_values(address: str, names: tuple[str, ...], values: list[Key], ask: Ask, context: Context) -> Found:
    """Return rows that exist for the caller by values of some fields; never raises `ReadFailed`."""
    try:
        return await context.adapters.by_values(address, names, values, ask, context.operation)
    except ReadFailed as failure:
        found = Found()
        found.fail(values, failure)
        return found


async def nodes_of(below: EntityPick, rows: Sequence[Row], context: Context) -> list[tuple[Row, Node]]:
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


async def place_one(
    below: EntityPick, found: Found, ends: list[tuple[Key | None, Node]], key: str, context: Context
) -> list[Branch]:
    """Put the one row of each value in its place; rows that several places share become one node."""
    wanted = {
        value: found.rows[value][0] for value, _ in ends if value is not None and len(found.rows.get(value, ())) == 1
    }
    try:
        nodes = await nodes_of(below, list(wanted.values()), context)
    except ReadFailed as failure:
        for _, place in ends:
            place.values[key] = FieldError(failure.code)
        return []
    by_value = dict(zip(wanted, (node for _, node in nodes), strict=True))
    for value, place in ends:
        if value in found.failed:
            place.values[key] = FieldError(found.failed[value])
        elif value is not None and len(found.rows.get(value, ())) > 1:
            place.values[key] = AMBIGUOUS
        else:
            place.values[key] = by_value.get(value) if value is not None else None
    return branches_of(below, nodes)


async def place_many(
    pick: LinkPick, found: Found, ends: list[tuple[Key | None, Node]], limit: int, context: Context
) -> list[Branch]:
    """Put the list of each value in its place; `limit` is the one that was asked for, or the default."""
    page = pick.page or Page()
    groups = {value: cut_default(rows, limit, page, pick.path, context) for value, rows in found.rows.items()}
    reached = [value for value in dict.fromkeys(value for value, _ in ends) if value in groups]
    rows = [row for value in reached for row in groups[value]]
    try:
        nodes = await nodes_of(pick.below, rows, context)
    except ReadFailed as failure:
        for _, place in ends:
            place.values[pick.key] = FieldError(failure.code)
        return []
    made = iter(nodes)
    lists = {value: [next(made)[1] for _ in groups[value]] for value in reached}
    for value, place in ends:
        failed = found.failed.get(value) if value is not None else None
        place.values[pick.key] = FieldError(failed) if failed else lists.get(value, []) if value is not None else []
    return branches_of(pick.below, nodes)


def branches_of(below: EntityPick, nodes: list[tuple[Row, Node]]) -> list[Branch]:
    """Return what is to be fetched below `nodes`."""
    return [Branch(pick, nodes) for pick in below.links] if nodes else []

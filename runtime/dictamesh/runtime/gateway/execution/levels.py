# SPDX-License-Identifier: Apache-2.0
"""Level-wise execution: all that a level needs is fetched together, then comes the next level (S10, S11, DL-1..3)."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dictamesh.connectors.concurrency import gathered
from dictamesh.runtime.adapters.adapters import own_values
from dictamesh.runtime.adapters.ask import Ask, Found
from dictamesh.runtime.gateway.contract import Node
from dictamesh.runtime.gateway.execution.context import Branch, Context, allowed, fields_of, never, paged
from dictamesh.runtime.gateway.execution.picks import RootPick
from dictamesh.runtime.gateway.execution.placing import FORBIDDEN, place_many, place_one, rows_by_values
from dictamesh.runtime.gateway.execution.roots import root_tasks
from dictamesh.runtime.gateway.execution.telling import Follower

_ENOUGH_TO_TELL = 2  # rows that show a to-one end to meet several


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
    await descend([each for found in await gathered(root_tasks(roots, context, root)) for each in found], context)
    return root


async def descend(branches: list[Branch], context: Context) -> None:
    """Fetch what lies below rows that are there."""
    while branches:
        fetches = _merged(branches, context)
        branches = [each for found in await gathered([partial(_run, f, context) for f in fetches]) for each in found]


def _merged(branches: list[Branch], context: Context) -> list[_Fetch]:
    """Join branches that ask one entity the same question; forbidden ones are answered at once."""
    merged: dict[tuple[Any, ...], _Fetch] = {}
    for branch in branches:
        pick = branch.pick
        if not allowed(pick.below, context):
            for _, node in branch.parents:
                node.values[pick.key] = FORBIDDEN
            continue
        ask = Ask(fields_of(pick.below, context), limit=None if pick.link.by_key else _ENOUGH_TO_TELL)
        if pick.page is not None:
            ask, _ = paged(pick.page, pick.below, context, context.limits.relation_limit)
        shape = (pick.link.target, pick.link.theirs, replace(ask, fields=frozenset()))
        known = merged.get(shape)
        if known is None:
            merged[shape] = _Fetch(pick.link.target, pick.link.theirs, ask, [branch])
        else:
            joined = replace(known.ask, fields=known.ask.fields | ask.fields)
            merged[shape] = _Fetch(known.address, known.names, joined, [*known.branches, branch])
    return list(merged.values())


async def _run(fetch: _Fetch, context: Context) -> list[Branch]:
    ends = [[(own_values(row, branch.pick.link), node) for row, node in branch.parents] for branch in fetch.branches]
    values = list(dict.fromkeys(value for each in ends for value, _ in each if value is not None))
    found = Found()
    if values and not never(fetch.ask.where):
        found = await rows_by_values(fetch.address, fetch.names, values, fetch.ask, context)
    below: list[Branch] = []
    for branch, places in zip(fetch.branches, ends, strict=True):
        pick = branch.pick
        if context.follower is not None:
            _tell(context.follower, branch, found)
        if pick.page is None:
            below += await place_one(pick.below, found, places, pick.key, context)
        else:
            _, limit = paged(pick.page, pick.below, context, context.limits.relation_limit)
            below += await place_many(pick, found, places, limit, context)
    return below


def _tell(follower: Follower, branch: Branch, found: Found) -> None:
    """Tell which rows a relation joined."""
    holder, link, target = branch.pick.holder, branch.pick.link, branch.pick.below.entity
    ends = ((row, own_values(row, link)) for row, _ in branch.parents)
    pairs = [
        (tuple(row[name] for name in holder.key), tuple(far[name] for name in target.key))
        for row, value in ends
        if value is not None
        for far in found.rows.get(value, ())
    ]
    if pairs:
        follower(holder, link, target, pairs)

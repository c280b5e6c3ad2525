# SPDX-License-Identifier: Apache-2.0
"""How rows are found by values of some fields: as cheaply as the source allows (S9, S11)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from dictamesh.connectors.concurrency import gathered
from dictamesh.connectors.sdk import Keys, Manifest, Request
from dictamesh.runtime.adapters.ask import both
from dictamesh.runtime.adapters.cells import Key
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan
from dictamesh.specs.expressions import call
from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.expressions.tree import Literal as Constant

BATCH = 100  # values of one call at most (DL-1)
PARENTS_AT_MOST = 20  # calls of one level where each value costs one (S11)
_AT_A_TIME = 10  # calls under way for one read, so that a wide level does not fill the queue of a source


@dataclass(frozen=True, slots=True)
class Way:
    """`keys`: the source finds rows by these columns. `in`, `each`: by a filter for many values, or for one.

    `scan`: it does not. `size` values go into one call.
    """

    kind: Literal["keys", "in", "each", "scan"]
    size: int = BATCH


def way_to(entity: EntityPlan, manifest: Manifest, names: tuple[str, ...], values: Sequence[Key]) -> Way:
    """Choose how rows are found by the fields `names`."""
    fields = tuple(entity.field(name) for name in names)
    columns = tuple(field.column for field in fields)
    offers = entity.capabilities
    is_key = names == entity.key
    if is_key and offers.get:
        return Way("keys", max(1, min(BATCH, offers.batch_size)))
    if None not in columns and (offers.lookups is None or columns in offers.lookups):
        return Way("keys")
    if not offers.list:
        return Way("scan")
    if len(fields) == 1 and manifest.filters(entity.source, one_of(fields[0], values)) is None:
        return Way("in")
    if manifest.filters(entity.source, equal(fields, values[0])) is None and not (
        is_key and len(values) > PARENTS_AT_MOST
    ):
        return Way("each", 1)
    return Way("scan")


def one_of(field: FieldPlan, values: Sequence[Key]) -> Expr:
    """Return the condition that a field holds one of `values`."""
    return call("in", field.expr, *(Constant(value[0], field.type) for value in values))


def equal(fields: Sequence[FieldPlan], value: Key) -> Expr:
    """Return the condition that fields hold the parts of `value`."""
    return call("and", *(call("eq", f.expr, Constant(part, f.type)) for f, part in zip(fields, value, strict=True)))


def condition(way: Way, fields: Sequence[FieldPlan], values: Sequence[Key]) -> Expr | None:
    """Return the condition over columns by which `way` finds `values`; None where it needs none."""
    match way.kind:
        case "in":
            return one_of(fields[0], values)
        case "each":
            return equal(fields, values[0])
        case _:
            return None


def aimed(
    way: Way, fields: Sequence[FieldPlan], values: Sequence[Key], request: Request, *, per_key: bool = False
) -> Request:
    """Return `request` narrowed to rows that hold one of `values`; with `per_key` its limit counts for each."""
    if way.kind == "keys":
        columns = tuple(field.column or field.name for field in fields)
        return replace(request, keys=Keys(columns, tuple(values)), per_key=per_key)
    return replace(request, where=both(condition(way, fields, values), request.where))


async def in_batches(read: Callable[[Sequence[Any]], Awaitable[None]], values: Sequence[Any], size: int) -> None:
    """Run `read` for batches of `values`, several side by side."""
    slots = asyncio.Semaphore(_AT_A_TIME)

    async def one(batch: Sequence[Any]) -> None:
        async with slots:
            await read(batch)

    batches = [values[at : at + size] for at in range(0, len(values), size)]
    await gathered([partial(one, batch) for batch in batches])

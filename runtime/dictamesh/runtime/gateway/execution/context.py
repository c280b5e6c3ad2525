# SPDX-License-Identifier: Apache-2.0
"""What the levels of one operation share, and what they ask for."""

from dataclasses import dataclass, field

from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.ask import Ask, Operation, Sort
from dictamesh.runtime.adapters.cells import Key, Row
from dictamesh.runtime.gateway.contract import Node
from dictamesh.runtime.gateway.execution.filters import condition
from dictamesh.runtime.gateway.execution.picks import EntityPick, LinkPick, Page, Path
from dictamesh.runtime.gateway.execution.serve import Values, View
from dictamesh.runtime.gateway.execution.telling import Follower
from dictamesh.specs.expressions.tree import Expr, Literal
from dictamesh.specs.model.mesh import Limits


@dataclass(frozen=True, slots=True)
class Context:
    """What the levels of one operation share."""

    adapters: Adapters
    view: View
    operation: Operation
    limits: Limits
    follower: Follower | None = None
    truncated: dict[Path, int] = field(default_factory=dict)
    served: dict[str, dict[Key, None]] = field(default_factory=dict)  # keys of served rows by entity address
    values: dict[int, Values] = field(default_factory=dict)  # by identity of the selection


@dataclass(frozen=True, slots=True)
class Branch:
    """A relation of one selection with the rows that it starts from."""

    pick: LinkPick
    parents: list[tuple[Row, Node]]


def allowed(below: EntityPick, context: Context) -> bool:
    """Whether the caller may see the key, without which there is no entity to show (S19)."""
    return below.entity.surrogate is not None or context.view.access.key_visible(below.entity.address)


def fields_of(below: EntityPick, context: Context) -> frozenset[str]:
    """Return what has to be read of each row: what is shown, followed, asked by masks, and the key for the audit."""
    entity = below.entity
    wanted = {pick.field.name for pick in below.fields} | set(entity.key)
    wanted.update(name for pick in below.links for name in pick.link.own)
    for pick in below.fields:
        for path in context.view.access.needs(pick.field.address):
            link = entity.link(path[0]) if len(path) > 1 else None
            wanted.update(link.own if link is not None else path[:1])
    return frozenset(wanted)


def paged(page: Page, below: EntityPick, context: Context, default: int) -> tuple[Ask, int]:
    """Return what to ask for a list, and its limit; one row more than a default limit shows whether that one cut."""
    limit = default if page.limit is None else page.limit
    ask = Ask(
        fields_of(below, context),
        condition_of(page, below.entity.address, context),
        order=tuple(Sort(name, descending) for name, descending in page.order),
        limit=limit + 1 if page.limit is None else limit,
        offset=page.offset,
        veiled=context.view.key_hidden(below.entity),
    )
    return ask, limit


def condition_of(page: Page, address: str, context: Context) -> Expr | None:
    """Return the condition of a page's filter; None where it has none, or one that always holds."""
    entities = context.adapters.plan.entities
    where = condition(entities[address], page.filter, entities) if page.filter is not None else None
    return None if isinstance(where, Literal) and where.value is True else where


def never(where: Expr | None) -> bool:
    """Whether a condition holds for no row, so that no source need be asked."""
    return isinstance(where, Literal)


def cut_default(rows: list[Row], limit: int, page: Page, path: Path, context: Context) -> list[Row]:
    """Cut what a default limit cuts, and note it (S10); a limit that was given is applied already."""
    if page.limit is None and len(rows) > limit:
        context.truncated[path] = limit
        return rows[:limit]
    return rows

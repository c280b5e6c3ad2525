# SPDX-License-Identifier: Apache-2.0
"""Every decision that an operation rests on, with its reasons: what it shows, which rows, and how it uses fields."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.execution.picks import EntityPick, FieldPick, RootPick, entity_picks
from dictamesh.runtime.gateway.execution.uses import all_uses
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.explain import Explanation, explain_all
from dictamesh.runtime.governance.principal import Principal


def explained(
    roots: tuple[RootPick, ...], plan: Plan, principal: Principal, day: date
) -> tuple[tuple[Explanation, ...], list[dict[str, Any]]]:
    """Return the explanations of the rows and fields that an operation reads, and its uses of fields.

    A use is `{"field", "use", "permitted"}`, `use` one of filter, lookup, sort, group, relation, cursor. Nothing in it
    depends on a value of a source.
    """
    access = Access(plan, principal, {}, today=day)
    picks = list(entity_picks(roots))
    entities = dict.fromkeys([*(root.entity.address for root in roots), *(pick.entity.address for pick in picks)])
    fields = dict.fromkeys(address for pick in picks for address in _addresses(pick))
    uses = [
        {"field": field.address, "use": use, "permitted": permitted}
        for field, use, permitted in all_uses(roots, access, plan.entities)
    ]
    return explain_all(plan, principal, [*entities, *fields], day), uses


def _addresses(pick: EntityPick) -> Iterator[str]:
    for each in pick.fields:
        yield from _leaves(each)


def _leaves(pick: FieldPick) -> Iterator[str]:
    if not pick.members:
        yield pick.field.address
    for member in pick.members:
        yield from _leaves(member)

# SPDX-License-Identifier: Apache-2.0
"""What each kind of caller sees of a plan, found by trying: the check on `diff.weakening`, which reasons."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.conditions import condition
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.types import Kind

VALUES: Mapping[Kind, tuple[Any, ...]] = {
    Kind.STRING: ("DE", "FR", "open", None),
    Kind.INT: (0, 7, None),
    Kind.LONG: (0, 7, None),
    Kind.FLOAT: (0.0, 7.5, None),
    Kind.DECIMAL: (Decimal(0), Decimal(7), None),
    Kind.BOOLEAN: (True, False, None),
    Kind.DATE: (date(2000, 1, 1), None),
    Kind.TIME: (time(12), None),
    Kind.TIMESTAMP: (datetime(2000, 1, 1, tzinfo=UTC), None),
}
ROWS = 4


def callers(*plans: Plan) -> tuple[Principal, ...]:
    """Anonymous, and everyone with none, one or all of the roles, each purpose or none, and some claims or none."""
    roles = sorted({role for plan in plans for role in plan.mesh.roles})
    purposes = sorted({purpose for plan in plans for purpose in plan.mesh.purposes})
    sets = [(), *((role,) for role in roles), tuple(roles)]
    claims: tuple[dict[str, Any], ...] = ({}, {"countries": ("DE",)}, {"countries": ("FR", "open")})
    return (
        Principal(name="", authenticated=False),
        *(
            Principal(name="", authenticated=True, roles=frozenset(held), purpose=purpose, claims=given)
            for held in sets
            for purpose in (None, *purposes)
            for given in claims
        ),
    )


def exposed(plan: Plan, who: Principal) -> dict[tuple[str, int], int]:
    """By address and number of a sample row: 0 for a row or value that is clear, more the less is shown.

    Rows are under the entity's address: 0 where the row exists, 1 where it does not.
    """
    keys = dict.fromkeys(plan.mesh.security.keys if plan.mesh.security else {}, b"k")
    access = Access(plan, who, keys)
    seen: dict[tuple[str, int], int] = {}
    for entity in plan.entities.values():
        kept = access.rows(entity.address)
        holds = condition(kept) if not isinstance(kept, bool) else None
        for number, row in enumerate(samples(entity)):
            exists = holds(row, access.parameters) if holds else kept
            seen[entity.address, number] = 0 if exists else 1
            for field in below(entity.fields):
                if not field.members:
                    seen[field.address, number] = access.outcome(field.address)(row, access.parameters).rank
    return seen


def samples(entity: EntityPlan) -> Iterator[Mapping[str, Any]]:
    """A few rows of an entity that differ in every field."""
    for number in range(ROWS):
        yield {field.name: _value(field, number) for field in entity.fields}


def _value(field: FieldPlan, number: int) -> Any:
    values = VALUES.get(field.type.kind, (None,))
    return values[number % len(values)]


def below(fields: tuple[FieldPlan, ...]) -> Iterator[FieldPlan]:
    """Fields and the members of objects."""
    for field in fields:
        yield field
        yield from below(field.members)


def loosened(old: Plan, new: Plan) -> Iterator[str]:
    """Everything that some caller sees more of in `new` than in `old`, by addresses that both plans have."""
    for who in callers(old, new):
        before, after = exposed(old, who), exposed(new, who)
        for place in sorted(before.keys() & after.keys()):
            if after[place] < before[place]:
                yield f"{place[0]} for {sorted(who.roles)}, {who.purpose}, {dict(who.claims)}"

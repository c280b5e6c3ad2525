# SPDX-License-Identifier: Apache-2.0
"""Which reads and denials go into the audit log: one row per operation and entity type (S30)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dictamesh.runtime.adapters.cells import CellError, Key
from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan
from dictamesh.runtime.gateway.execution.picks import EntityPick, FieldPick
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.audit import LARGEST_TOKEN_LIST, AuditRow
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.subjects import record_token
from dictamesh.specs.rules import Effect


@dataclass(frozen=True, slots=True)
class Occasion:
    """What all audit rows of one operation share; `key` hashes subjects."""

    principal: Principal
    plan_hash: str
    trace_id: str
    duration_ms: float
    key: bytes


def reads(
    picks: Iterable[EntityPick], served: Mapping[str, Mapping[Key, None]], access: Access, occasion: Occasion
) -> list[AuditRow]:
    """Return the rows for what an operation read: where pii was shown in clear, or a field denied."""
    clear: dict[str, set[str]] = {}
    denied: dict[str, set[str]] = {}
    entities: dict[str, EntityPlan] = {}
    for pick in picks:
        address = pick.entity.address
        entities[address] = pick.entity
        for leaf in _leaves(pick.fields):
            name = leaf.address.removeprefix(f"{address}.")
            if _denied(leaf, access):
                denied.setdefault(address, set()).add(name)
            elif leaf.pii and served.get(address) and _may_be_clear(leaf, access):
                clear.setdefault(address, set()).add(name)
        if pick.entity.surrogate is None and not access.key_visible(address):
            denied.setdefault(address, set()).update(pick.entity.key)
    return [
        _row(
            entities[address], clear.get(address, set()), denied.get(address, set()), served.get(address, {}), occasion
        )
        for address in sorted({*clear, *denied})
    ]


def refusals(fields: Iterable[FieldPlan], entities: Mapping[str, EntityPlan], occasion: Occasion) -> list[AuditRow]:
    """Return the rows for an operation that was refused because of how it uses `fields`."""
    by_entity: dict[str, set[str]] = {}
    for field in fields:
        by_entity.setdefault(field.address.rpartition(".")[0], set()).add(field.name)
    return [
        AuditRow(
            principal=_name(occasion),
            product=entities[address].product,
            entity_type=entities[address].name,
            plan_hash=occasion.plan_hash,
            purpose=occasion.principal.purpose,
            denied_fields=tuple(sorted(names)),
            success=False,
            error_code="FORBIDDEN",
            trace_id=occasion.trace_id,
            duration_ms=occasion.duration_ms,
        )
        for address, names in sorted(by_entity.items())
    ]


def _row(
    entity: EntityPlan, clear: set[str], denied: set[str], served: Mapping[Key, None], occasion: Occasion
) -> AuditRow:
    keys = [key for key in served if not any(isinstance(part, CellError) for part in key)]
    return AuditRow(
        principal=_name(occasion),
        product=entity.product,
        entity_type=entity.name,
        plan_hash=occasion.plan_hash,
        purpose=occasion.principal.purpose,
        fields=tuple(sorted(clear)),
        denied_fields=tuple(sorted(denied)),
        subject_tokens=tuple(
            record_token(occasion.key, entity.address, canonical(key)) for key in keys[:LARGEST_TOKEN_LIST]
        ),
        subject_count=len(keys),
        trace_id=occasion.trace_id,
        duration_ms=occasion.duration_ms,
    )


def _name(occasion: Occasion) -> str | None:
    return occasion.principal.name if occasion.principal.authenticated else None


def _leaves(picks: Iterable[FieldPick]) -> Iterable[FieldPlan]:
    for pick in picks:
        if pick.members:
            yield from _leaves(pick.members)
        else:
            yield pick.field


def _denied(field: FieldPlan, access: Access) -> bool:
    constant = access.field(field.address).constant
    return constant is not None and constant.effect is Effect.DENY


def _may_be_clear(field: FieldPlan, access: Access) -> bool:
    """Whether some row shows the value in clear; what depends on the row counts as read."""
    constant = access.field(field.address).constant
    return constant is None or constant.effect is Effect.ALLOW

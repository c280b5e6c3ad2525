# SPDX-License-Identifier: Apache-2.0
"""What a new plan would show to whom that the old one did not (S29). Pure.

What cannot be proved to be at least as strict counts as weaker: a condition that changed, a mask with other parameters.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan
from dictamesh.runtime.diff.classes import heard_by, kept_by, situations
from dictamesh.runtime.diff.readers import moved, twins
from dictamesh.runtime.diff.strictness import (
    Side,
    conditions,
    effect,
    looser,
    outcomes,
    parts,
    side,
    told,
)
from dictamesh.runtime.governance.decide import Decision, row_filter
from dictamesh.specs.resolve.sensitivity import rank
from dictamesh.specs.rules import RowPolicy


@dataclass(frozen=True, slots=True)
class Weaker:
    """One loosened thing: `what` is policy, tag, tier, field, rows, use or caller; texts are ours."""

    what: str
    address: str
    principal: str
    before: str
    after: str

    def __str__(self) -> str:
        who = f" for {self.principal}" if self.principal else ""
        return f"{self.what} {self.address}{who}: {self.before} → {self.after}"


def weaker(old: Plan, new: Plan) -> tuple[Weaker, ...]:
    """Return everything that `new` loosens against `old`; empty when nobody would see more."""
    found = [*_policies(old, new), *_callers(old, new), *_keys(old, new)]
    before, after = _fields(old), _fields(new)
    loosened = cache(_loosened_for)  # most fields of a mesh share few sets of rules
    for address in sorted(before.keys() & after.keys()):
        found += _labels(before[address], after[address])
        found += _named(address, loosened(side(old, before[address]), side(new, after[address])))
    for address in sorted(old.entities.keys() & new.entities.keys()):
        found += _rows(address, old.rules.rows.get(address, ()), new.rules.rows.get(address, ()))
    return tuple(dict.fromkeys([*found, *elsewhere(old, new)]))


def elsewhere(old: Plan, new: Plan) -> list[Weaker]:
    """Return what `new` loosens by showing the same data under another name."""
    loosened = cache(_loosened_for)
    found: list[Weaker] = []
    for leaf, earlier in moved(old, new):
        found += _moved(old, new, leaf, earlier, loosened)
    for entity, earlier_entities in twins(old, new):
        found += _twins(old, new, entity, earlier_entities)
    return found


def _policies(old: Plan, new: Plan) -> Iterator[Weaker]:
    for name in sorted(_policy_names(old) - _policy_names(new)):
        yield Weaker("policy", name, "", "present", "removed")
    for address, name, *_ in sorted(_restricts(old) - _restricts(new)):
        if address in new.entities:
            yield Weaker("rows", f"{address}.{name}", "", "restricted by the related row", "not restricted as before")


def _restricts(plan: Plan) -> set[tuple[str, str, str, tuple[str, ...], tuple[str, ...]]]:
    return {
        (entity.address, link.name, link.target, link.own, link.theirs)
        for entity in plan.entities.values()
        for link in entity.links
        if link.restrict
    }


def _policy_names(plan: Plan) -> set[str]:
    fields = {policy.policy for bound in plan.rules.fields.values() for policy in bound}
    rows = {policy.policy for bound in plan.rules.rows.values() for policy in bound}
    return fields | rows | {test.policy for test in plan.tests}


def _callers(old: Plan, new: Plan) -> Iterator[Weaker]:
    before = {key.name: key for key in old.mesh.security.api_keys} if old.mesh.security else {}
    for key in new.mesh.security.api_keys if new.mesh.security else ():
        earlier = before.get(key.name)
        if earlier is None:
            continue
        gained = sorted({*key.roles, *key.purposes} - {*earlier.roles, *earlier.purposes})
        if gained:
            yield Weaker("caller", key.name, "", f"without {', '.join(gained)}", "with")
        if key.claims != earlier.claims:
            yield Weaker("caller", key.name, "", "claims as before", "other claims")
    if old.mesh.security and old.mesh.security.anonymous is False:
        security = new.mesh.security
        if security is None or security.anonymous is not False:
            yield Weaker("caller", "anonymous", "", "refused", "allowed")


def _keys(old: Plan, new: Plan) -> Iterator[Weaker]:
    """Keys served as pseudonyms."""
    for address in sorted(old.entities.keys() & new.entities.keys()):
        before, after = old.entities[address].surrogate, new.entities[address].surrogate
        if before is not None and before != after:
            yield Weaker("field", address, "", f"key as pseudonym by {before}", after or "key in clear")


def _labels(before: FieldPlan, after: FieldPlan) -> Iterator[Weaker]:
    for tag in sorted(set(before.tags) - set(after.tags)):
        yield Weaker("tag", before.address, "", tag, "removed")
    if before.pii and not after.pii:
        yield Weaker("tag", before.address, "", "personal data", "not personal data")
    if rank(after.tier) < rank(before.tier):
        yield Weaker("tier", before.address, "", before.tier, after.tier)


Found = tuple[tuple[str, str, str, str], ...]


def _loosened_for(old: Side, new: Side) -> Found:
    """For whom `new` is looser: (what, principal, before, after)."""
    if old == new:
        return ()
    found: list[tuple[str, str, str, str]] = []
    for where in situations(heard_by((*old.policies, *new.policies))).all:
        before, after = old.for_(where), new.for_(where)
        if _loosened(before, after):
            found.append(("field", str(where), effect(before), effect(after)))
        if not after.clear:
            gained = sorted(after.uses - before.uses)
            found += [("use", str(where), f"{use} refused", f"{use} allowed") for use in gained]
    return tuple(found)


def _named(address: str, found: Found) -> list[Weaker]:
    return [Weaker(what, address, who, before, after) for what, who, before, after in found]


def _moved(
    old: Plan, new: Plan, leaf: FieldPlan, earlier: list[list[FieldPlan]], loosened: Callable[[Side, Side], Found]
) -> list[Weaker]:
    """Judge a field that reads what others read before: per column it must be as strict as one of them was."""
    found: list[Weaker] = []
    for fields in earlier:
        verdicts = [loosened(side(old, field), side(new, leaf)) for field in fields]
        if all(verdicts):
            found += _named(leaf.address, min(verdicts, key=len))
    return found


def _twins(old: Plan, new: Plan, entity: EntityPlan, earlier: list[EntityPlan]) -> list[Weaker]:
    now = new.rules.rows.get(entity.address, ())
    verdicts = [list(_rows(entity.address, old.rules.rows.get(twin.address, ()), now)) for twin in earlier]
    return min(verdicts, key=len)


def _loosened(before: Decision, after: Decision) -> bool:
    if before.constant is not None and after.constant is not None:
        return looser(before.constant, after.constant)
    if before.constant is None and after.constant is None:
        return conditions(before) != conditions(after) or looser(before.tier, after.tier)
    if before.constant is not None:  # now by row: no row may meet less than before
        return any(looser(before.constant, outcome) for outcome in outcomes(after))
    return after.constant is not None and looser(before.strictest, after.constant)


def _rows(address: str, was: tuple[RowPolicy, ...], now: tuple[RowPolicy, ...]) -> Iterator[Weaker]:
    if was == now:
        return
    for where in situations(kept_by((*was, *now))).all:
        before, after = (row_filter(policies, where.who, where.in_force) for policies in (was, now))
        if before is not True and after is not False and not parts(before) <= parts(after):
            yield Weaker("rows", address, str(where), told(before), told(after))


def _fields(plan: Plan) -> dict[str, FieldPlan]:
    return {field.address: field for entity in plan.entities.values() for field in _below(entity.fields)}


def _below(fields: Iterable[FieldPlan]) -> Iterator[FieldPlan]:
    for field in fields:
        yield field
        yield from _below(field.members)

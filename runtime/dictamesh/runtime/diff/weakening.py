# SPDX-License-Identifier: Apache-2.0
"""What a new plan would show to whom that the old one did not (S29). Pure.

Decisions are compared for classes of principals that the rules of either plan can tell apart: every role alone and in
pairs, no role, anonymous; every purpose and none; claims absent or holding every value that a rule names.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from dictamesh.runtime.compile.plan import FieldPlan, Plan
from dictamesh.runtime.governance.access import anonymous_sees
from dictamesh.runtime.governance.decide import Decision, decide, row_filter
from dictamesh.runtime.governance.principal import ANONYMOUS, Principal
from dictamesh.specs.expressions import text
from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.resolve.sensitivity import rank
from dictamesh.specs.rules import Audience


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
    found = [*_policies(old, new), *_callers(old, new)]
    people = principals(old, new)
    before, after = _fields(old), _fields(new)
    for address in sorted(before.keys() & after.keys()):
        found += _labels(before[address], after[address])
        found += _decisions(old, new, before[address], after[address], people)
    for address in sorted(old.entities.keys() & new.entities.keys()):
        found += _rows(old, new, address, people)
    return tuple(dict.fromkeys(found))


def _policies(old: Plan, new: Plan) -> Iterator[Weaker]:
    gone = _policy_names(old) - _policy_names(new)
    for name in sorted(gone):
        yield Weaker("policy", name, "", "present", "removed")
    restricting = {(link.address, link.name) for link in _restricts(old)}
    for missing in sorted(restricting - {(link.address, link.name) for link in _restricts(new)}):
        yield Weaker("rows", ".".join(missing), "", "restricted by the related row", "not restricted")


@dataclass(frozen=True, slots=True)
class _Restrict:
    address: str
    name: str


def _restricts(plan: Plan) -> Iterator[_Restrict]:
    for entity in plan.entities.values():
        for link in entity.links:
            if link.restrict:
                yield _Restrict(entity.address, link.name)


def _policy_names(plan: Plan) -> set[str]:
    fields = (policy.policy for bound in plan.rules.fields.values() for policy in bound)
    rows = (policy.policy for bound in plan.rules.rows.values() for policy in bound)
    return {*fields, *rows}


def _callers(old: Plan, new: Plan) -> Iterator[Weaker]:
    before = {key.name: key for key in old.mesh.security.api_keys} if old.mesh.security else {}
    for key in new.mesh.security.api_keys if new.mesh.security else ():
        earlier = before.get(key.name)
        gained = sorted({*key.roles, *key.purposes} - ({*earlier.roles, *earlier.purposes} if earlier else set()))
        if earlier is not None and (gained or key.claims != earlier.claims):
            yield Weaker(
                "caller", key.name, "", "without " + ", ".join(gained) if gained else "other claims", "with them"
            )
    if old.mesh.security and old.mesh.security.anonymous is False:
        security = new.mesh.security
        if security is None or security.anonymous is not False:
            yield Weaker("caller", "anonymous", "", "refused", "allowed")


def _labels(before: FieldPlan, after: FieldPlan) -> Iterator[Weaker]:
    for tag in sorted(set(before.tags) - set(after.tags)):
        yield Weaker("tag", before.address, "", tag, "removed")
    if rank(after.tier) < rank(before.tier):
        yield Weaker("tier", before.address, "", before.tier, after.tier)


def _decisions(
    old: Plan, new: Plan, before: FieldPlan, after: FieldPlan, people: tuple[Principal, ...]
) -> Iterator[Weaker]:
    address = before.address
    was, now = old.rules.fields.get(address, ()), new.rules.fields.get(address, ())
    seen_before, seen_after = anonymous_sees(old.mesh.security), anonymous_sees(new.mesh.security)
    if was == now and before.tier == after.tier and seen_before == seen_after and _keys(old) == _keys(new):
        return
    for who in people:
        earlier, later = decide(was, before.tier, who, seen_before), decide(now, after.tier, who, seen_after)
        if _loosened(earlier, later):
            yield Weaker("field", address, describe(who), _effect(earlier), _effect(later))
        for use in ("sort", "group", "relation"):
            if getattr(later, use) and not getattr(earlier, use) and not later.clear:
                yield Weaker("use", address, describe(who), f"{use} refused", f"{use} allowed")


def _loosened(before: Decision, after: Decision) -> bool:
    if before.constant is not None and after.constant is not None:
        return after.constant.rank < before.constant.rank
    if before.constant is None and after.constant is None:
        return before.speeches != after.speeches or before.tier != after.tier
    if before.constant is not None:  # now by row: no row may meet less than before
        return _loosest(after) < before.constant.rank
    return after.constant is not None and after.constant.rank < before.strictest.rank


def _loosest(decision: Decision) -> int:
    ranks = [outcome.rank for speech in decision.speeches for outcome in speech.possible]
    silent = all(speech.may_be_silent for speech in decision.speeches)
    return min([*ranks, *([decision.tier.rank] if silent else [])])


def _effect(decision: Decision) -> str:
    return decision.constant.kind if decision.constant is not None else f"up to {decision.strictest.kind}, by row"


def _rows(old: Plan, new: Plan, address: str, people: tuple[Principal, ...]) -> Iterator[Weaker]:
    was, now = old.rules.rows.get(address, ()), new.rules.rows.get(address, ())
    if was == now:
        return
    for who in people:
        before, after = row_filter(was, who), row_filter(now, who)
        if before != after and before is not True and after is not False:
            yield Weaker("rows", address, describe(who), _kept(before), _kept(after))


def _kept(keep: Expr | bool) -> str:
    if isinstance(keep, bool):
        return "all rows" if keep else "no rows"
    return text(keep)


def _keys(plan: Plan) -> Mapping[str, str]:
    return plan.mesh.security.keys if plan.mesh.security else {}


def _fields(plan: Plan) -> dict[str, FieldPlan]:
    return {field.address: field for entity in plan.entities.values() for field in _below(entity.fields)}


def _below(fields: Iterable[FieldPlan]) -> Iterator[FieldPlan]:
    for field in fields:
        yield field
        yield from _below(field.members)


def principals(*plans: Plan) -> tuple[Principal, ...]:
    """Return one principal for each class that the rules of these plans can tell apart; anonymous is the first."""
    roles = sorted({role for plan in plans for role in plan.mesh.roles})
    purposes = sorted({purpose for plan in plans for purpose in plan.mesh.purposes})
    claims = _claim_values(plans)
    sets = [(), *((role,) for role in roles), *combinations(roles, 2)]
    return (
        ANONYMOUS,
        *(
            Principal(
                name="",
                authenticated=True,
                roles=frozenset(held),
                purpose=purpose,
                purposes=tuple(purposes),
                claims=given,
            )
            for held in sets
            for purpose in (None, *purposes)
            for given in ({}, claims)[: 2 if claims else 1]
        ),
    )


def _claim_values(plans: Iterable[Plan]) -> dict[str, Any]:
    found: dict[str, dict[Any, None]] = {}
    for audience in (audience for plan in plans for audience in _audiences(plan)):
        for claim, values in audience.claims:
            found.setdefault(claim, {}).update(dict.fromkeys(values))
    return {claim: tuple(values) for claim, values in sorted(found.items())}


def _audiences(plan: Plan) -> Iterator[Audience]:
    for bound in plan.rules.fields.values():
        yield from (rule.audience for policy in bound for rule in policy.rules)
    for rows in plan.rules.rows.values():
        yield from (entry.audience for policy in rows for entry in policy.entries)


def describe(who: Principal) -> str:
    """Name a class of principals: `analyst for analytics`."""
    if not who.authenticated:
        return "anonymous"
    roles = "+".join(sorted(who.roles)) or "authenticated without roles"
    purpose = f" for {who.purpose}" if who.purpose else ""
    claims = " with claims" if who.claims else ""
    return roles + purpose + claims

# SPDX-License-Identifier: Apache-2.0
"""For whom a field is served in clear, told from the rules before any principal is known (S13..S16)."""

from collections.abc import Iterable
from dataclasses import dataclass

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan
from dictamesh.specs.rules import Audience, Effect, FieldPolicy, FieldRule

EVERYBODY = "everybody"
NOBODY = "nobody"
AUTHENTICATED = "authenticated callers"


@dataclass(frozen=True, slots=True)
class Clear:
    """`who` may see the value of a field; `masking` says that somebody may not.

    `who` names the rules' own audiences. It says who may at most: with several policies on one field a caller needs
    all that speak, and a condition on rows withholds single rows.
    """

    masking: bool
    who: str


_OPEN = Clear(masking=False, who=EVERYBODY)


def clear_for(plan: Plan, entity: EntityPlan, field: FieldPlan) -> Clear:
    """Return who sees a field in clear; for an object, who sees all that it holds."""
    if entity.surrogate is not None and field.name in entity.key and field in entity.fields:
        return Clear(masking=True, who=NOBODY)  # a pseudonym of the key is served (S6)
    if field.members:
        return _all(clear_for(plan, entity, member) for member in field.members)
    policies = plan.rules.fields.get(field.address, ())
    if not policies:
        return _by_tier(plan, field.tier)
    return _all(_of(policy, plan, field.tier) for policy in policies)


def _all(parts: Iterable[Clear]) -> Clear:
    found = list(dict.fromkeys(parts))
    hidden = [part.who for part in found if part.masking]
    if not hidden:
        return _OPEN
    return Clear(masking=True, who=NOBODY if NOBODY in hidden else " and ".join(sorted(set(hidden))))


def _by_tier(plan: Plan, tier: str) -> Clear:
    security = plan.mesh.security
    if tier == "public":
        return _OPEN
    if tier != "internal":
        return Clear(masking=True, who=NOBODY)
    if security is not None and (security.anonymous is False or security.anonymous.sees == "internal"):
        return _OPEN
    return Clear(masking=True, who=AUTHENTICATED)


def _of(policy: FieldPolicy, plan: Plan, tier: str) -> Clear:
    """What one policy leaves: the audiences that it allows, and where it may be silent those of the tier."""
    if policy.by is not None:
        return Clear(masking=True, who=f"whom policy {policy.policy} permits")
    allowed: list[str] = []
    withheld: list[str] = []
    for rule in policy.rules:
        opens = rule.effect is Effect.ALLOW
        if opens and not policy.allows and tier not in {"public", "internal"}:
            continue  # silence (S16)
        (allowed if opens else withheld).append(_told(rule))
        if rule.where is None and rule.audience == Audience():
            return _everybody_but(withheld) if opens else _only(allowed)
    silent = _by_tier(plan, tier)
    if not silent.masking:
        return _everybody_but(withheld)
    return _only([*allowed, silent.who] if silent.who != NOBODY else allowed)


def _everybody_but(withheld: list[str]) -> Clear:
    if not withheld:
        return _OPEN
    return Clear(masking=True, who=f"{EVERYBODY} but {' or '.join(dict.fromkeys(withheld))}")


def _only(allowed: list[str]) -> Clear:
    return Clear(masking=True, who=" or ".join(dict.fromkeys(allowed)) or NOBODY)


def _told(rule: FieldRule) -> str:
    audience = rule.audience
    parts = []
    if audience.roles is not None:
        parts.append(f"roles {', '.join(sorted(audience.roles))}")
    if audience.purposes is not None:
        parts.append(f"purposes {', '.join(sorted(audience.purposes))}")
    parts += [f"claim {claim}" for claim, _ in audience.claims]
    if audience.agreements is not None:
        parts.append(f"agreement {' or '.join(term.agreement for term in audience.agreements) or 'none'}")
    who = " with ".join(parts) if parts else EVERYBODY
    return f"{who} on some rows" if rule.where is not None else who

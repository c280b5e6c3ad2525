# SPDX-License-Identifier: Apache-2.0
"""Whether a rule is meant for a caller: roles, purpose, claims, and agreements in force (S13). Pure."""

from collections.abc import Callable, Iterable
from datetime import date
from itertools import chain
from typing import Any

from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.rules import Audience, RuleTable, Term

InForce = Callable[[Term], bool]
"""Whether an agreement is in force at the time of the operation; its parties are asked apart."""


def no_agreement(_term: Term) -> bool:
    """Say that no agreement is in force, which is what counts where the day is not known."""
    return False


def in_force_on(day: date) -> InForce:
    """Return the judgement of agreements by their dates."""
    return lambda term: term.covers(day)


def asks_for_agreements(rules: RuleTable) -> bool:
    """Whether the day makes a difference to any decision."""
    of_fields = (rule.audience for bound in rules.fields.values() for policy in bound for rule in policy.rules)
    of_rows = (entry.audience for bound in rules.rows.values() for policy in bound for entry in policy.entries)
    return any(audience.agreements is not None for audience in chain(of_fields, of_rows))


def holds(audience: Audience, principal: Principal, in_force: InForce = no_agreement) -> bool:
    """Whether a rule for `audience` is meant for `principal` (S13)."""
    if audience.roles is not None and audience.roles.isdisjoint(principal.roles):
        return False
    if audience.purposes is not None and principal.purpose not in audience.purposes:
        return False
    if audience.claims and not all(_has(principal.claims.get(name), values) for name, values in audience.claims):
        return False
    return audience.agreements is None or _agreed(audience.agreements, principal, in_force)


def _agreed(terms: tuple[Term, ...], principal: Principal, in_force: InForce) -> bool:
    return any(in_force(term) and holds(term.consumer, principal) for term in terms)


def misses(audience: Audience, principal: Principal, in_force: InForce = no_agreement) -> tuple[str, ...]:
    """Return what of `audience` fails: `roles`, `purposes`, `claims.<name>`, `agreements`; empty when it holds."""
    failed = []
    if audience.roles is not None and not audience.roles & principal.roles:
        failed.append("roles")
    if audience.purposes is not None and principal.purpose not in audience.purposes:
        failed.append("purposes")
    failed += [f"claims.{name}" for name, values in audience.claims if not _has(principal.claims.get(name), values)]
    if audience.agreements is not None and not _agreed(audience.agreements, principal, in_force):
        failed.append("agreements")
    return tuple(failed)


def _has(claim: Any, values: Iterable[Any]) -> bool:
    held = claim if isinstance(claim, tuple) else (claim,)
    # 1 equals True in Python; a claim of another type is another claim
    return any(type(one) is type(value) and one == value for one in held for value in values)

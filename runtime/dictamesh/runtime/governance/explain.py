# SPDX-License-Identifier: Apache-2.0
"""Why a principal gets what it gets: `policy explain` (S13..S18)."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dictamesh.runtime.compile.plan import FieldPlan, Plan
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.decide import Decision, is_silenced, misses
from dictamesh.runtime.governance.places import leaves, places
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.expressions.tree import Expr, columns
from dictamesh.specs.rules import Audience, FieldPolicy, FieldRule, RowPolicy, RowRule

State = Literal["speaks", "speaks-where", "silenced", "not-meant", "not-reached"]


@dataclass(frozen=True, slots=True)
class RuleAccount:
    """What became of one rule, and why."""

    rule: str
    says: str  # allow, deny, a kind of mask; for rows all, none or condition
    state: State
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyAccount:
    """One matching policy; `silent` when none of its rules says anything to this principal on any row."""

    policy: str
    silent: bool
    rules: tuple[RuleAccount, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a principal gets of a field or of the rows of an entity.

    `effect` is allow, mask or deny for a field; all, none or condition for rows. `by_row`: what is shown is the
    strictest that a row may meet. `below` explains the leaves of an object.
    """

    address: str
    caller: str
    effect: str
    policies: tuple[PolicyAccount, ...]
    tier: str | None = None
    mask: str | None = None
    policy: str | None = None
    rule: str | None = None
    by_row: bool = False
    below: tuple["Explanation", ...] = ()


def explain(plan: Plan, principal: Principal, address: str) -> Explanation:
    """Explain a field (`product#Entity.field`) or the rows of an entity (`product#Entity`).

    Raises KeyError for an address that the plan does not hold.
    """
    known = places(plan)
    access = Access(plan, principal, {}, known)
    if address in plan.entities:
        return _rows(plan, principal, access, address)
    return _field(plan, principal, access, known[address])


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation as values that JSON can hold."""
    return asdict(explanation)


def render(explanation: Explanation) -> str:
    """Return the explanation as lines of text."""
    return "\n".join(_lines(explanation))


def _field(plan: Plan, principal: Principal, access: Access, field: FieldPlan) -> Explanation:
    below = tuple(_field(plan, principal, access, member) for member in field.members)
    decisions = [access.field(leaf.address) for leaf in leaves(field)]
    worst: Decision = min(decisions, key=lambda decision: -decision.strictest.rank)
    outcome = worst.strictest
    policies = () if below else plan.rules.fields.get(field.address, ())
    return Explanation(
        address=field.address,
        caller=_caller(principal),
        effect=outcome.effect.value,
        policies=tuple(_account(policy, field.tier, principal) for policy in policies),
        tier=field.tier,
        mask=outcome.mask.kind if outcome.mask else None,
        policy=outcome.policy,
        rule=outcome.rule,
        by_row=any(decision.by_row for decision in decisions),
        below=below,
    )


def _rows(plan: Plan, principal: Principal, access: Access, address: str) -> Explanation:
    policies = plan.rules.rows.get(address, ())
    return Explanation(
        address=address,
        caller=_caller(principal),
        effect=_keeps(access.rows(address)),
        policies=tuple(_row_account(policy, principal) for policy in policies),
    )


def _account(policy: FieldPolicy, tier: str, principal: Principal) -> PolicyAccount:
    rules = []
    ended = False
    for rule in policy.rules:
        account = _rule(rule, policy, tier, principal, ended=ended)
        rules.append(account)
        ended = ended or (rule.where is None and account.state in {"speaks", "silenced"})
    silent = all(account.state not in {"speaks", "speaks-where"} for account in rules)
    return PolicyAccount(policy.policy, silent, tuple(rules))


def _rule(rule: FieldRule, policy: FieldPolicy, tier: str, principal: Principal, *, ended: bool) -> RuleAccount:
    says = rule.mask.kind if rule.mask else rule.effect.value
    failed = _reasons(rule.audience, principal)
    if failed:
        return RuleAccount(rule.name, says, "not-meant", failed)
    if ended:
        return RuleAccount(rule.name, says, "not-reached", ("a rule before it applies",))
    if is_silenced(rule, policy, tier):
        why = f"the policy names neither tag, tier nor field, so it cannot open what is {tier}"
        return RuleAccount(rule.name, says, "silenced", (why,))
    if rule.where is not None:
        return RuleAccount(
            rule.name, says, "speaks-where", (f"on rows that its condition on {_read(rule.where)} keeps",)
        )
    return RuleAccount(rule.name, says, "speaks")


def _row_account(policy: RowPolicy, principal: Principal) -> PolicyAccount:
    rules = []
    ended = False
    for entry in policy.entries:
        failed = _reasons(entry.audience, principal)
        rules.append(_entry(entry, failed, ended=ended))
        ended = ended or not failed
    return PolicyAccount(policy.policy, not ended, tuple(rules))


def _entry(entry: RowRule, failed: tuple[str, ...], *, ended: bool) -> RuleAccount:
    says = _keeps(entry.keep)
    if failed:
        return RuleAccount(entry.name, says, "not-meant", failed)
    if ended:
        return RuleAccount(entry.name, says, "not-reached", ("an entry before it applies",))
    if isinstance(entry.keep, bool):
        return RuleAccount(entry.name, says, "speaks")
    return RuleAccount(entry.name, says, "speaks", (f"its condition reads {_read(entry.keep)}",))


def _reasons(audience: Audience, principal: Principal) -> tuple[str, ...]:
    reasons = []
    claims = dict(audience.claims)
    for part in misses(audience, principal):
        if part == "roles":
            reasons.append(f"the caller has none of the roles {_list(audience.roles or ())}")
        elif part == "purposes":
            reasons.append(f"the purpose is none of {_list(audience.purposes or ())}")
        else:
            name = part.removeprefix("claims.")
            reasons.append(f"the claim {name} has none of {_list(map(str, claims[name]))}")
    return tuple(reasons)


def _keeps(keep: Expr | bool) -> str:
    if isinstance(keep, bool):
        return "all" if keep else "none"
    return "condition"


def _read(expr: Expr) -> str:
    return _list(".".join(path) for path in columns(expr)) or "no field"


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _caller(principal: Principal) -> str:
    if not principal.authenticated:
        return "anonymous"
    roles = _list(principal.roles)
    purpose = f", purpose {principal.purpose}" if principal.purpose else ", no purpose"
    return (f"roles {roles}" if roles else "authenticated, no roles") + purpose


def _lines(explanation: Explanation) -> Iterator[str]:
    what = explanation.mask or explanation.effect
    by = f"policy {explanation.policy}, rule {explanation.rule}" if explanation.policy else f"tier {explanation.tier}"
    source = f" ({by})" if explanation.tier else ""
    rows = ", the strictest that a row may meet" if explanation.by_row else ""
    yield f"{explanation.address} for {explanation.caller}: {what}{source}{rows}"
    if not explanation.policies and not explanation.below:
        yield "  no policy matches"
    for policy in explanation.policies:
        yield f"  {policy.policy}: {'silent' if policy.silent else 'speaks'}"
        for rule in policy.rules:
            because = f" - {'; '.join(rule.because)}" if rule.because else ""
            yield f"    {rule.rule} ({rule.says}): {rule.state.replace('-', ' ')}{because}"
    for below in explanation.below:
        yield from (f"  {line}" for line in _lines(below))

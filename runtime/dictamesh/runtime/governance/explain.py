# SPDX-License-Identifier: Apache-2.0
"""Why a principal gets what it gets: `policy explain` (S13..S18)."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

from dictamesh.runtime.compile.plan import FieldPlan, Plan
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.audiences import InForce, holds, in_force_on, misses, no_agreement
from dictamesh.runtime.governance.decide import Decision, allow_is_silence, is_silenced
from dictamesh.runtime.governance.engines import judge
from dictamesh.runtime.governance.places import leaves, places
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.expressions.tree import Expr, columns
from dictamesh.specs.rules import Audience, Effect, EngineRules, FieldPolicy, FieldRule, RowPolicy, RowRule, Term

_CANNOT_OPEN = "the policy names neither tag, tier nor field, so it cannot open what is {}"

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


@dataclass(frozen=True, slots=True)
class _Asked:
    """For whom a plan is explained, and on which day; None: without any agreement in force."""

    plan: Plan
    principal: Principal
    access: Access
    day: date | None

    @property
    def in_force(self) -> InForce:
        return no_agreement if self.day is None else in_force_on(self.day)


def explain(plan: Plan, principal: Principal, address: str, day: date | None = None) -> Explanation:
    """Explain a field (`product#Entity.field`) or the rows of an entity (`product#Entity`) on a day (UTC).

    Raises KeyError for an address that the plan does not hold.
    """
    return explain_all(plan, principal, (address,), day)[0]


def explain_all(
    plan: Plan, principal: Principal, addresses: Iterable[str], day: date | None = None
) -> tuple[Explanation, ...]:
    """Explain several fields and entities to one principal, in the order given; raises KeyError as `explain` does."""
    known = places(plan)
    asked = _Asked(plan, principal, Access(plan, principal, {}, known, day), day)
    return tuple(_rows(asked, each) if each in plan.entities else _field(asked, known[each]) for each in addresses)


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation as values that JSON can hold."""
    return asdict(explanation)


def render(explanation: Explanation) -> str:
    """Return the explanation as lines of text."""
    return "\n".join(_lines(explanation))


def _field(asked: _Asked, field: FieldPlan) -> Explanation:
    below = tuple(_field(asked, member) for member in field.members)
    decisions = [asked.access.field(leaf.address) for leaf in leaves(field)]
    worst: Decision = min(decisions, key=lambda decision: -decision.strictest.rank)
    outcome = worst.strictest
    policies = () if below else asked.plan.rules.fields.get(field.address, ())
    return Explanation(
        address=field.address,
        caller=_caller(asked.principal),
        effect=outcome.effect.value,
        policies=tuple(_account(policy, field.tier, asked) for policy in policies),
        tier=field.tier,
        mask=outcome.mask.kind if outcome.mask else None,
        policy=outcome.policy,
        rule=outcome.rule,
        by_row=any(decision.by_row for decision in decisions),
        below=below,
    )


def _rows(asked: _Asked, address: str) -> Explanation:
    policies = asked.plan.rules.rows.get(address, ())
    return Explanation(
        address=address,
        caller=_caller(asked.principal),
        effect=_keeps(asked.access.rows(address)),
        policies=tuple(_row_account(policy, asked) for policy in policies),
    )


def _account(policy: FieldPolicy, tier: str, asked: _Asked) -> PolicyAccount:
    if policy.by is not None:
        return _engine_account(policy, policy.by, tier, asked)
    rules = []
    ended = False
    for rule in policy.rules:
        account = _rule(rule, policy, tier, asked, ended=ended)
        rules.append(account)
        ended = ended or (rule.where is None and account.state in {"speaks", "silenced"})
    silent = all(account.state not in {"speaks", "speaks-where"} for account in rules)
    return PolicyAccount(policy.policy, silent, tuple(rules))


def _rule(rule: FieldRule, policy: FieldPolicy, tier: str, asked: _Asked, *, ended: bool) -> RuleAccount:
    says = rule.mask.kind if rule.mask else rule.effect.value
    failed = _reasons(rule.audience, asked)
    if failed:
        return RuleAccount(rule.name, says, "not-meant", failed)
    if ended:
        return RuleAccount(rule.name, says, "not-reached", ("a rule before it applies",))
    if is_silenced(rule, policy, tier):
        return RuleAccount(rule.name, says, "silenced", (_CANNOT_OPEN.format(tier),))
    if rule.where is not None:
        return RuleAccount(
            rule.name, says, "speaks-where", (f"on rows that its condition on {_read(rule.where)} keeps",)
        )
    return RuleAccount(rule.name, says, "speaks")


def _engine_account(policy: FieldPolicy, rules: EngineRules, tier: str, asked: _Asked) -> PolicyAccount:
    judgement = judge(rules, asked.principal)
    verdict = judgement.verdict
    if verdict is None:
        why = ("nothing in its text applies",)
        return PolicyAccount(policy.policy, True, (RuleAccount(rules.engine, "nothing", "not-meant", why),))
    silent = verdict.effect is Effect.ALLOW and allow_is_silence(policy, tier)
    state: State = "silenced" if silent else "speaks"
    because = (_CANNOT_OPEN.format(tier),) if silent else tuple(filter(None, [judgement.failure]))
    return PolicyAccount(policy.policy, silent, (RuleAccount(verdict.rule, verdict.effect.value, state, because),))


def _row_account(policy: RowPolicy, asked: _Asked) -> PolicyAccount:
    rules = []
    ended = False
    for entry in policy.entries:
        failed = _reasons(entry.audience, asked)
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


def _reasons(audience: Audience, asked: _Asked) -> tuple[str, ...]:
    reasons = []
    claims = dict(audience.claims)
    for part in misses(audience, asked.principal, asked.in_force):
        if part == "roles":
            reasons.append(f"the caller has none of the roles {_list(audience.roles or ())}")
        elif part == "purposes":
            reasons.append(f"the purpose is none of {_list(audience.purposes or ())}")
        elif part == "agreements":
            reasons.append(_unagreed(audience.agreements or (), asked))
        else:
            name = part.removeprefix("claims.")
            reasons.append(f"the claim {name} has none of {_list(map(str, claims[name]))}")
    return tuple(reasons)


def _unagreed(terms: tuple[Term, ...], asked: _Asked) -> str:
    """Why no agreement lets a rule speak."""
    if not terms:
        return "no approved agreement covers this product"
    told = []
    for term in terms:
        if not holds(term.consumer, asked.principal):
            told.append(f"the caller is no party to {term.agreement}")
        elif asked.day is None:
            told.append(f"no day is given on which {term.agreement} could be in force")
        elif term.end is not None and term.end < asked.day:
            told.append(f"{term.agreement} ended on {term.end}")
        else:
            told.append(f"{term.agreement} begins on {term.start}")
    return ", and ".join(told)


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

# SPDX-License-Identifier: Apache-2.0
"""What one principal gets of one field, and which rows of an entity exist for it (S13..S18). Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from dictamesh.runtime.governance.audiences import InForce, holds, no_agreement
from dictamesh.runtime.governance.conditions import Parameters, Row, condition
from dictamesh.runtime.governance.engines import judge
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.expressions.tree import Call, Expr, columns
from dictamesh.specs.rules import Effect, EngineRules, FieldPolicy, FieldRule, MaskRule, RowPolicy, RowRule
from dictamesh.specs.types import BOOLEAN

RowOutcome = Callable[[Row, Parameters], "Outcome"]

TIER_RULE = "tier"
REDACT = MaskRule("redact")

USES = frozenset({"sort", "group", "relation", "cursor"})
"""What `onUse` may permit; filtering and looking up it never does (S20)."""

STRICTNESS = ("allow", "partial", "truncate-date", "generalise", "token", "hmac", "redact", "nullify", "deny")
"""The order of S14, loosest first."""

_RANK = {kind: rank for rank, kind in enumerate(STRICTNESS)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happens to a value and which rule says so; `policy` is None where the tier decides (S15)."""

    effect: Effect
    mask: MaskRule | None
    policy: str | None
    rule: str

    @property
    def kind(self) -> str:
        """`allow`, `deny` or the kind of mask."""
        return self.mask.kind if self.mask is not None else self.effect.value

    @property
    def rank(self) -> int:
        """The place in `STRICTNESS`."""
        return _RANK[self.kind]


@dataclass(frozen=True, slots=True)
class Branch:
    """What a policy says on the rows of `where` (None: on all that are left); no outcome is silence (S16)."""

    where: Expr | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Speech:
    """What one policy says of one field to one principal: the first branch that holds on a row."""

    branches: tuple[Branch, ...]
    uses: frozenset[str]

    @property
    def possible(self) -> tuple[Outcome, ...]:
        """Every outcome that some row may meet."""
        return tuple(branch.outcome for branch in self.branches if branch.outcome is not None)

    @property
    def conditional(self) -> bool:
        return any(branch.where is not None for branch in self.branches)

    @property
    def may_be_silent(self) -> bool:
        """Whether some row may meet no outcome."""
        return (
            not self.branches
            or self.branches[-1].where is not None
            or any(branch.outcome is None for branch in self.branches)
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What one principal gets of one field.

    `constant` holds on every row; where it is None, `speeches` decide row by row, `tier` where all are silent.
    `clear`: allowed on all rows. `strictest`: the strictest outcome that a row may meet, for `extensions.policy`.
    `uses` are those permitted of sort, group, relation and cursor (S20), all of them for a clear field.
    """

    constant: Outcome | None
    speeches: tuple[Speech, ...]
    tier: Outcome
    clear: bool
    strictest: Outcome
    uses: frozenset[str]

    def per_row(self, row: Row, parameters: Parameters) -> Outcome:
        """Return the outcome on `row`; for many rows use `compile_outcome`."""
        return compile_outcome(self)(row, parameters)

    @property
    def by_row(self) -> bool:
        """Whether rows can differ in outcome."""
        return self.constant is None

    @property
    def spoken(self) -> tuple[Outcome, ...]:
        """Every outcome that some policy has for some row; empty when the decision is constant."""
        return tuple(outcome for speech in self.speeches for outcome in speech.possible)

    @property
    def columns(self) -> frozenset[tuple[str, ...]]:
        """Paths of the fields that a row must carry for this decision; empty when it is constant."""
        conditions = (branch.where for speech in self.speeches for branch in speech.branches)
        return frozenset(path for where in conditions if where is not None for path in columns(where))


def decide(
    policies: tuple[FieldPolicy, ...],
    tier: str,
    principal: Principal,
    anonymous_sees: str,
    in_force: InForce = no_agreement,
) -> Decision:
    """Decide for one field; the order of `policies` does not matter."""
    ordered = sorted(policies, key=lambda policy: policy.policy)
    heard = (_speech(policy, tier, principal, in_force) for policy in ordered)
    speeches = tuple(speech for speech in heard if speech.possible)
    by_tier = tier_outcome(tier, principal, anonymous_sees)
    constant = _constant(speeches, by_tier)
    strictest = constant or _strictest(speeches, by_tier)
    clear = strictest.effect is Effect.ALLOW
    uses = USES if clear else _permitted(_deciding(speeches, by_tier))
    return Decision(constant, () if constant else speeches, by_tier, clear=clear, strictest=strictest, uses=uses)


def _permitted(deciding: tuple[Speech, ...]) -> frozenset[str]:
    """The uses that every policy permits which keeps a field from being clear."""
    permitted = USES if deciding else frozenset[str]()
    for speech in deciding:
        permitted &= speech.uses
    return permitted


def tier_outcome(tier: str, principal: Principal, anonymous_sees: str) -> Outcome:
    """Return what the tier alone gives (S15); a tier not named there is served as `restricted`."""
    if tier == "public" or (tier == "internal" and (principal.authenticated or anonymous_sees == "internal")):
        return Outcome(Effect.ALLOW, None, None, TIER_RULE)
    if tier == "confidential":
        return Outcome(Effect.MASK, REDACT, None, TIER_RULE)
    return Outcome(Effect.DENY, None, None, TIER_RULE)


def combine(spoken: Sequence[Outcome]) -> Outcome:
    """Return the strictest of `spoken`, at least one (S14).

    Masks of one kind with different parameters count as one more `redact`, even where a third policy speaks a stricter
    kind than theirs: adding a policy must never loosen. Among equals the first policy by name gives the rule.
    """
    candidates = list(spoken)
    for kind in {outcome.kind for outcome in spoken if outcome.mask is not None}:
        alike = [outcome for outcome in spoken if outcome.kind == kind]
        if len({outcome.mask for outcome in alike}) > 1:
            candidates.append(replace(min(alike, key=_place), mask=REDACT))
    return min(candidates, key=_place)


def compile_outcome(decision: Decision) -> RowOutcome:
    """Return a function from a row and the operation's parameters to the outcome.

    Each condition is compiled once and asked once a row, however many policies have it.
    """
    if decision.constant is not None:
        constant = decision.constant
        return lambda _row, _parameters: constant
    wheres: list[Expr] = []
    for where in (branch.where for speech in decision.speeches for branch in speech.branches):
        if where is not None and where not in wheres:
            wheres.append(where)
    tests = tuple(condition(where) for where in wheres)
    known: dict[tuple[bool, ...], Outcome] = {}

    def outcome(row: Row, parameters: Parameters) -> Outcome:
        told = tuple([test(row, parameters) for test in tests])
        found = known.get(told)
        if found is None:
            holding = [where for where, holds in zip(wheres, told, strict=True) if holds]
            found = known[told] = _said_where(decision, holding)
        return found

    return outcome


def _said_where(decision: Decision, holding: Sequence[Expr]) -> Outcome:
    """What is said on rows for which exactly these conditions hold."""
    spoken = []
    for speech in decision.speeches:
        branch = next((each for each in speech.branches if each.where is None or each.where in holding), None)
        if branch is not None and branch.outcome is not None:
            spoken.append(branch.outcome)
    return combine(spoken) if spoken else decision.tier


def row_filter(policies: tuple[RowPolicy, ...], principal: Principal, in_force: InForce = no_agreement) -> Expr | bool:
    """Return which rows exist: True all, False none, else a condition over the entity's fields (S18)."""
    kept: list[Expr] = []
    for policy in sorted(policies, key=lambda policy: policy.policy):
        entry = first_entry(policy, principal, in_force)
        if entry is None or entry.keep is True:
            continue
        if entry.keep is False:
            return False
        if entry.keep not in kept:
            kept.append(entry.keep)
    if not kept:
        return True
    return kept[0] if len(kept) == 1 else Call("and", tuple(kept), BOOLEAN)


def first_entry(policy: RowPolicy, principal: Principal, in_force: InForce = no_agreement) -> RowRule | None:
    """Return the entry that speaks to `principal`; None when the policy is silent."""
    return next((entry for entry in policy.entries if holds(entry.audience, principal, in_force)), None)


def is_silenced(rule: FieldRule, policy: FieldPolicy, tier: str) -> bool:
    """Whether an `allow` counts as silence because its policy does not name the sensitive field (S16)."""
    return rule.effect is Effect.ALLOW and allow_is_silence(policy, tier)


def allow_is_silence(policy: FieldPolicy, tier: str) -> bool:
    """Whether a policy cannot open fields of a tier, since it names neither them nor their tags (S16)."""
    return not policy.allows and tier not in {"public", "internal"}


def _speech(policy: FieldPolicy, tier: str, principal: Principal, in_force: InForce) -> Speech:
    if policy.by is not None:
        return Speech(_by_engine(policy, policy.by, tier, principal), policy.uses)
    branches: list[Branch] = []
    for rule in policy.rules:
        if not holds(rule.audience, principal, in_force):
            continue
        silent = is_silenced(rule, policy, tier)
        branches.append(Branch(rule.where, None if silent else _outcome(policy.policy, rule)))
        if rule.where is None:
            break
    return Speech(tuple(branches), policy.uses)


def _by_engine(policy: FieldPolicy, rules: EngineRules, tier: str, principal: Principal) -> tuple[Branch, ...]:
    verdict = judge(rules, principal).verdict
    if verdict is None or (verdict.effect is Effect.ALLOW and allow_is_silence(policy, tier)):
        return ()
    return (Branch(None, Outcome(verdict.effect, None, policy.policy, verdict.rule)),)


def _outcome(policy: str, rule: FieldRule) -> Outcome:
    mask = (rule.mask or REDACT) if rule.effect is Effect.MASK else None
    return Outcome(rule.effect, mask, policy, rule.name)


def _place(outcome: Outcome) -> tuple[int, str, str]:
    return (-outcome.rank, outcome.policy or "", outcome.rule)


def _constant(speeches: tuple[Speech, ...], by_tier: Outcome) -> Outcome | None:
    always = [speech.possible[0] for speech in speeches if not speech.conditional]
    if any(outcome.effect is Effect.DENY for outcome in always):
        return combine(always)
    if any(speech.conditional for speech in speeches):
        return None
    return combine(always) if always else by_tier


def _strictest(speeches: tuple[Speech, ...], by_tier: Outcome) -> Outcome:
    worst = [combine([min(speech.possible, key=_place) for speech in speeches]), *_clashes(speeches)]
    return min([*worst, by_tier] if _tier_may_decide(speeches) else worst, key=_place)


def _clashes(speeches: tuple[Speech, ...]) -> list[Outcome]:
    """The redaction of rows on which two policies speak masks of one kind with different parameters (S14)."""
    found = []
    for one, other in combinations(speeches, 2):
        for outcome in one.possible:
            alike = (each.mask for each in other.possible if each.mask is not None and each.kind == outcome.kind)
            if any(mask != outcome.mask for mask in alike):
                found.append(replace(outcome, mask=REDACT))
    return found


def _tier_may_decide(speeches: tuple[Speech, ...]) -> bool:
    return all(speech.may_be_silent for speech in speeches)


def _deciding(speeches: tuple[Speech, ...], by_tier: Outcome) -> tuple[Speech, ...]:
    """The policies that keep a field from being clear; none where the tier may be what does, for it permits no use."""
    if by_tier.effect is not Effect.ALLOW and _tier_may_decide(speeches):
        return ()
    return tuple(s for s in speeches if any(outcome.effect is not Effect.ALLOW for outcome in s.possible))

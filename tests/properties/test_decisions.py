# SPDX-License-Identifier: Apache-2.0
"""What holds of every decision, whatever the policies (S13..S18, S20)."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dictamesh.runtime.governance.audiences import holds
from dictamesh.runtime.governance.decide import STRICTNESS, USES, Decision, compile_outcome, decide, row_filter
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.expressions import compile_filter
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal
from dictamesh.specs.rules import Audience, Effect, FieldPolicy, FieldRule, MaskRule, RowPolicy, RowRule
from dictamesh.specs.types import BOOLEAN, STRING

TIERS = ("public", "internal", "confidential", "restricted")
ROLES, PURPOSES = ("support", "analyst"), ("service", "analytics")
MASKS = (
    MaskRule("redact"),
    MaskRule("nullify"),
    MaskRule("hmac", key="a", scope="acme"),
    MaskRule("hmac", key="b", scope="acme"),
    MaskRule("partial", keep_first=0, keep_last=4, char="*"),
    MaskRule("partial", keep_first=1, keep_last=2, char="#"),
    MaskRule("token", key="a", scope="acme"),
    MaskRule("generalise", step=Decimal(10)),
    MaskRule("truncate-date", unit="year"),
)
VALUES = (None, "x", "y")
ALL_ROWS: list[Mapping[str, Any]] = [{"a": a, "b": b} for a, b in itertools.product(VALUES, VALUES)]

some = st.frozensets


def of(names: tuple[str, ...]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.none() | some(st.sampled_from(names), min_size=1)


audiences = st.builds(
    Audience,
    of(ROLES),
    of(PURPOSES),
    st.just(()) | st.lists(st.sampled_from([1, 2, True]), min_size=1, max_size=2).map(lambda v: (("level", tuple(v)),)),
)
principals = st.builds(
    Principal,
    st.just("someone"),
    st.booleans(),
    some(st.sampled_from(ROLES)),
    st.none() | st.sampled_from(PURPOSES),
    st.just(()),
    st.just({}) | st.sampled_from([1, 2, True, (1, 2)]).map(lambda value: {"level": value}),
)
conditions: st.SearchStrategy[Expr] = st.builds(
    lambda name, column, value: Call(name, (Column((column,), STRING), Literal(value, STRING)), BOOLEAN),
    st.sampled_from(["eq", "ne"]),
    st.sampled_from("ab"),
    st.sampled_from("xy"),
)
says = st.one_of(
    st.sampled_from([(Effect.ALLOW, None), (Effect.DENY, None)]),
    st.sampled_from(MASKS).map(lambda mask: (Effect.MASK, mask)),
)
closing = says.filter(lambda said: said[0] is not Effect.ALLOW)


def rules(said: st.SearchStrategy[tuple[Effect, MaskRule | None]]) -> st.SearchStrategy[tuple[FieldRule, ...]]:
    one = st.builds(
        lambda audience, spoken, where: FieldRule("r", audience, *spoken, where),
        audiences,
        said,
        st.none() | conditions,
    )
    named = st.lists(one, min_size=1, max_size=4)
    return named.map(lambda found: tuple(replace(rule, name=f"r{n}") for n, rule in enumerate(found)))


def policies(said: st.SearchStrategy[tuple[Effect, MaskRule | None]], name: str) -> st.SearchStrategy[FieldPolicy]:
    return st.builds(FieldPolicy, st.just(name), rules(said), st.booleans(), some(st.sampled_from(sorted(USES))))


many = st.lists(policies(says, ""), max_size=4).map(
    lambda found: tuple(replace(policy, policy=f"p{n}") for n, policy in enumerate(found))
)
added = st.sampled_from(["a-first", "p1-between", "z-last"])
tiers, sees = st.sampled_from(TIERS), st.sampled_from(["public", "internal"])


def rank(decision: Decision, row: Mapping[str, Any]) -> int:
    return decision.per_row(row, {}).rank


def spoken_by_hand(policy: FieldPolicy, tier: str, who: Principal, row: Mapping[str, Any]) -> FieldRule | None:
    for rule in policy.rules:
        if holds(rule.audience, who) and (rule.where is None or compile_filter(rule.where)(row, {})):
            quiet = rule.effect is Effect.ALLOW and not policy.allows and tier in {"confidential", "restricted"}
            return None if quiet else rule
    return None


def kind_by_hand(found: tuple[FieldPolicy, ...], tier: str, who: Principal, anonymous: str, row: Any) -> str:
    """The rules of SEMANTICS word for word, one row at a time."""
    heard = [rule for policy in found if (rule := spoken_by_hand(policy, tier, who, row))]
    if not heard:
        clear = tier == "public" or (tier == "internal" and (who.authenticated or anonymous == "internal"))
        return "allow" if clear else "redact" if tier == "confidential" else "deny"
    kinds = {rule.mask.kind if rule.mask else str(rule.effect) for rule in heard}
    for one, other in itertools.combinations([rule.mask for rule in heard if rule.mask], 2):
        if one.kind == other.kind and one != other:
            kinds.add("redact")
    return max(kinds, key=STRICTNESS.index)


@given(many, tiers, principals, sees)
@settings(max_examples=600, deadline=None)
def test_decisions_say_what_the_rules_say(found, tier, who, anonymous):
    decision = decide(found, tier, who, anonymous)
    outcome = compile_outcome(decision)
    for row in ALL_ROWS:
        expected = kind_by_hand(found, tier, who, anonymous, row)
        assert outcome(row, {}).kind == decision.per_row(row, {}).kind == expected


@given(many, tiers, principals, sees, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_policies_never_matters(found, tier, who, anonymous, random):
    shuffled = list(found)
    random.shuffle(shuffled)
    assert decide(tuple(shuffled), tier, who, anonymous) == decide(found, tier, who, anonymous)


@given(many, policies(closing, "q"), added, tiers, principals, sees)
@settings(max_examples=400, deadline=None)
def test_a_policy_without_allow_never_opens_a_field(found, more, name, tier, who, anonymous):
    before = decide(found, tier, who, anonymous)
    after = decide((*found, replace(more, policy=name)), tier, who, anonymous)
    for row in ALL_ROWS:
        was, now = before.per_row(row, {}), after.per_row(row, {})
        assert was.kind == "allow" or now.kind != "allow"
        # a mask that is spoken replaces what the tier alone would do (S15); nothing else ever gets looser
        assert was.rule == "tier" or now.rank >= was.rank
    assert before.clear or not after.clear


@given(many, policies(says, "q"), added, tiers, principals, sees)
@settings(max_examples=400, deadline=None)
def test_no_policy_loosens_what_another_withholds(found, more, name, tier, who, anonymous):
    before = decide(found, tier, who, anonymous)
    after = decide((*found, replace(more, policy=name)), tier, who, anonymous)
    for row in ALL_ROWS:
        was = before.per_row(row, {})
        if was.policy is not None and was.kind != "allow":
            assert rank(after, row) >= was.rank


@given(many, policies(says, "q"), added, tiers, principals, sees)
@settings(max_examples=400, deadline=None)
def test_no_policy_permits_a_use_that_another_refuses(found, more, name, tier, who, anonymous):
    before = decide(found, tier, who, anonymous)
    after = decide((*found, replace(more, policy=name)), tier, who, anonymous)
    withheld = [before.per_row(row, {}) for row in ALL_ROWS]
    if all(outcome.policy is not None and outcome.kind != "allow" for outcome in withheld):
        assert after.uses <= before.uses


@given(many, tiers, principals, sees)
@settings(max_examples=400, deadline=None)
def test_the_summary_of_a_decision_covers_every_row(found, tier, who, anonymous):
    decision = decide(found, tier, who, anonymous)
    outcomes = [decision.per_row(row, {}) for row in ALL_ROWS]
    assert all(outcome.rank <= decision.strictest.rank for outcome in outcomes)
    assert decision.clear == (decision.strictest.kind == "allow")
    if decision.constant is not None:
        assert set(outcomes) == {decision.constant}
        assert decision.columns == frozenset()
    if decision.clear:
        assert decision.uses == USES


@given(many, tiers, principals, sees)
@settings(max_examples=300, deadline=None)
def test_a_decision_reads_only_the_columns_it_names(found, tier, who, anonymous):
    decision = decide(found, tier, who, anonymous)
    named = {path[0] for path in decision.columns}
    for row in ALL_ROWS:
        narrow = {name: value for name, value in row.items() if name in named}
        assert decision.per_row(narrow, {}) == decision.per_row(row, {})


def with_constants(found: tuple[FieldPolicy, ...], value: bool | None) -> tuple[FieldPolicy, ...]:
    constant = Literal(value, BOOLEAN)
    return tuple(
        replace(p, rules=tuple(replace(r, where=None if r.where is None else constant) for r in p.rules)) for p in found
    )


@given(many, tiers, principals, sees)
@settings(max_examples=300, deadline=None)
def test_a_constant_condition_decides_like_none(found, tier, who, anonymous):
    unconditional = tuple(replace(p, rules=tuple(replace(r, where=None) for r in p.rules)) for p in found)
    without = tuple(replace(p, rules=tuple(r for r in p.rules if r.where is None)) for p in found)
    for value, same in ((True, unconditional), (False, without), (None, without)):
        expected = decide(same, tier, who, anonymous).constant
        assert expected is not None
        got = decide(with_constants(found, value), tier, who, anonymous).per_row({}, {})
        assert (got.kind, got.mask) == (expected.kind, expected.mask)


@given(many, tiers, principals, principals, sees)
@settings(max_examples=300, deadline=None)
def test_equal_fingerprints_mean_equal_decisions(found, tier, who, other, anonymous):
    if who.fingerprint == other.fingerprint:
        assert decide(found, tier, who, anonymous) == decide(found, tier, other, anonymous)
    renamed = Principal("another", who.authenticated, who.roles, who.purpose, ("x",), who.claims)
    assert renamed.fingerprint == who.fingerprint
    assert decide(found, tier, renamed, anonymous) == decide(found, tier, who, anonymous)


entries = st.lists(st.builds(RowRule, st.just("e"), audiences, st.booleans() | conditions), min_size=1, max_size=3).map(
    tuple
)
row_policies = st.lists(entries, max_size=4).map(lambda all_: tuple(RowPolicy(f"p{n}", e) for n, e in enumerate(all_)))


def kept(found: tuple[RowPolicy, ...], who: Principal) -> list[bool]:
    keep = row_filter(found, who)
    return [keep if isinstance(keep, bool) else compile_filter(keep)(row, {}) for row in ALL_ROWS]


@given(row_policies, principals, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_row_policies_only_ever_take_rows_away(found, who, random):
    all_kept = kept(found, who)
    alone = [kept((policy,), who) for policy in found]
    assert all_kept == [all(column) for column in zip(*alone, strict=True)] if alone else all(all_kept)
    shuffled = list(found)
    random.shuffle(shuffled)
    assert row_filter(tuple(shuffled), who) == row_filter(found, who)

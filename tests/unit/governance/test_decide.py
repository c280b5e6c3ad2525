# SPDX-License-Identifier: Apache-2.0
"""How policies combine (S13..S18, S20)."""

import itertools
from dataclasses import replace
from datetime import date

import pytest

from dictamesh.runtime.governance.audiences import in_force_on
from dictamesh.runtime.governance.decide import STRICTNESS, USES, combine, decide, row_filter
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.expressions.tree import Call
from dictamesh.specs.rules import Audience, Effect, FieldPolicy, FieldRule, MaskRule, RowPolicy, RowRule, Term
from dictamesh.specs.types import BOOLEAN
from tests.unit.governance.pieces import (
    EVERYONE,
    HMAC,
    NULLIFY,
    PARTIAL,
    REDACT,
    STRANGER,
    always,
    equals,
    person,
    policy,
    rule,
)

SPEAKS: dict[str, str | MaskRule] = {
    "deny": "deny",
    "nullify": NULLIFY,
    "redact": REDACT,
    "hmac": HMAC,
    "token": MaskRule("token"),
    "generalise": MaskRule("generalise"),
    "truncate-date": MaskRule("truncate-date"),
    "partial": PARTIAL,
    "allow": "allow",
}


def kind(*policies: FieldPolicy, tier: str = "restricted", who: Principal | None = None, sees: str = "public") -> str:
    return decide(policies, tier, who or person("support"), sees).strictest.kind


@pytest.mark.parametrize(
    ("tier", "who", "sees", "expected"),
    [
        ("public", STRANGER, "public", "allow"),
        ("internal", STRANGER, "public", "deny"),
        ("internal", STRANGER, "internal", "allow"),
        ("internal", person(), "public", "allow"),
        ("confidential", person("support"), "internal", "redact"),
        ("confidential", STRANGER, "internal", "redact"),
        ("restricted", person("support"), "internal", "deny"),
        ("of-no-taxonomy", person("support"), "internal", "deny"),
    ],
)
def test_the_tier_decides_where_no_policy_speaks(tier, who, sees, expected):
    decision = decide((), tier, who, sees)
    assert decision.constant is not None
    assert (decision.constant.kind, decision.constant.rule, decision.constant.policy) == (expected, "tier", None)


@pytest.mark.parametrize(("looser", "stricter"), list(itertools.combinations(STRICTNESS, 2)))
def test_the_strictest_of_each_pair_wins_in_either_order(looser, stricter):
    a, b = policy("a", rule("r", SPEAKS[looser])), policy("b", rule("r", SPEAKS[stricter]))
    assert kind(a, b) == kind(b, a) == stricter


def test_one_kind_with_other_parameters_gives_redact():
    other = MaskRule("hmac", key="pepper", scope="invoices")
    assert kind(policy("a", rule("r", HMAC)), policy("b", rule("r", other))) == "redact"
    assert kind(policy("a", rule("r", HMAC)), policy("b", rule("r", HMAC))) == "hmac"
    assert kind(policy("a", rule("r", HMAC)), policy("b", rule("r", other)), policy("c", rule("r", "deny"))) == "deny"


def test_a_clash_stays_redact_when_a_mask_between_both_is_added():
    shorter = MaskRule("partial", keep_first=0, keep_last=2, char="*")
    clashing = (policy("a", rule("r", PARTIAL)), policy("b", rule("r", shorter)))
    assert kind(*clashing, policy("c", rule("r", HMAC))) == "redact"


def test_among_equals_the_first_policy_by_name_gives_the_rule():
    spoken = [decide((policy(name, rule("r", "deny")),), "public", person(), "public").strictest for name in "ba"]
    assert combine(spoken).policy == "a"


@pytest.mark.parametrize(
    ("audience", "who", "holds"),
    [
        (Audience(), STRANGER, True),
        (Audience(frozenset({"support", "steward"})), person("steward", "other"), True),
        (Audience(frozenset({"support"})), person("analyst"), False),
        (Audience(frozenset({"support"})), STRANGER, False),
        (Audience(purposes=frozenset({"service"})), person(purpose="service"), True),
        (Audience(purposes=frozenset({"service"})), person(purpose="analytics"), False),
        (Audience(purposes=frozenset({"service"})), person(), False),
        (Audience(claims=(("countries", ("DE", "FR")),)), person(countries=("IT", "FR")), True),
        (Audience(claims=(("countries", ("DE",)),)), person(countries=()), False),
        (Audience(claims=(("countries", ("DE",)),)), person(), False),
        (Audience(claims=(("level", (1,)),)), person(level=1), True),
        (Audience(claims=(("level", (1,)),)), person(level=True), False),
        (Audience(claims=(("vip", (True,)), ("level", (1, 2)))), person(vip=True, level=2), True),
        (Audience(claims=(("vip", (True,)), ("level", (1, 2)))), person(vip=True, level=3), False),
        (Audience(frozenset({"a"}), frozenset({"p"})), person("a", purpose="q"), False),
    ],
)
def test_a_rule_speaks_when_all_its_keys_hold(audience, who, holds):
    speaking = FieldPolicy("p", (FieldRule("r", audience, Effect.DENY),), allows=True)
    assert kind(speaking, tier="public", who=who) == ("deny" if holds else "allow")


def test_the_first_rule_that_applies_speaks_and_later_ones_do_not():
    one = policy("p", rule("s", "allow", "support"), rule("m", HMAC, "analyst"), rule("rest", REDACT))
    assert kind(one, who=person("support", "analyst")) == "allow"
    assert kind(one, who=person("analyst")) == "hmac"
    assert kind(one, who=STRANGER) == "redact"


def test_a_policy_without_a_rule_for_the_caller_is_silent():
    one = policy("p", rule("s", "allow", "support"))
    decision = decide((one,), "restricted", person("analyst"), "public")
    assert decision.strictest.rule == "tier"
    assert decision.strictest.effect is Effect.DENY


@pytest.mark.parametrize(
    ("tier", "expected"),
    [("public", "allow"), ("internal", "allow"), ("confidential", "redact"), ("restricted", "deny")],
)
def test_an_allow_that_does_not_name_the_sensitive_field_is_silence(tier, expected):
    glob = policy("glob", rule("r", "allow"), allows=False)
    assert kind(glob, tier=tier, who=STRANGER) == expected


def test_silence_of_an_allow_still_ends_the_policy():
    glob = policy("glob", rule("r", "allow"), rule("never", "allow"), allows=False)
    assert kind(glob, tier="restricted") == "deny"
    masked = policy("glob", rule("r", "allow", "support"), rule("rest", PARTIAL), allows=False)
    assert kind(masked, tier="restricted") == "deny"
    assert kind(masked, tier="restricted", who=person("analyst")) == "partial"


class TestRowByRow:
    own = policy("p", rule("german", "allow", where=equals("country", "DE")), rule("rest", PARTIAL))

    def test_where_speaks_on_its_rows_and_the_next_rule_on_the_others(self):
        decision = decide((self.own,), "restricted", person(), "public")
        assert decision.by_row
        assert not decision.clear
        assert decision.columns == {("country",)}
        assert decision.per_row({"country": "DE"}, {}).kind == "allow"
        assert decision.per_row({"country": "FR"}, {}).kind == "partial"
        assert decision.per_row({"country": None}, {}).kind == "partial"
        assert (decision.strictest.kind, decision.strictest.rule) == ("partial", "rest")

    def test_without_a_last_word_the_tier_decides_the_other_rows(self):
        one = policy("p", rule("german", "allow", where=equals("country", "DE")))
        decision = decide((one,), "restricted", person(), "public")
        assert decision.per_row({"country": "FR"}, {}).rule == "tier"
        assert decision.strictest.kind == "deny"

    def test_results_combine_per_row(self):
        other = policy("q", rule("paid", NULLIFY, where=equals("status", "paid")))
        decision = decide((other, self.own), "public", person(), "public")
        rows = [{"country": c, "status": s} for c in ("DE", "FR") for s in ("paid", "open")]
        assert [decision.per_row(row, {}).kind for row in rows] == ["nullify", "allow", "nullify", "partial"]

    def test_allowed_on_all_rows_is_clear_though_rules_have_conditions(self):
        one = policy("p", rule("a", "allow", where=equals("country", "DE")), rule("b", "allow"))
        assert decide((one,), "restricted", person(), "public").clear
        alone = policy("p", rule("a", "allow", where=equals("country", "DE")))
        assert decide((alone,), "public", person(), "public").clear
        assert not decide((alone,), "confidential", person(), "public").clear

    def test_a_deny_of_another_policy_makes_it_constant(self):
        decision = decide((self.own, policy("z", rule("no", "deny"))), "restricted", person(), "public")
        assert decision.constant is not None
        assert (decision.constant.kind, decision.columns) == ("deny", frozenset())

    def test_two_masks_of_one_policy_cannot_clash(self):
        other = MaskRule("partial", keep_first=1, keep_last=0, char="*")
        one = policy("p", rule("a", PARTIAL, where=equals("country", "DE")), rule("b", other))
        decision = decide((one,), "restricted", person(), "public")
        assert decision.strictest.kind == "partial"
        assert decision.per_row({"country": "FR"}, {}).mask == other

    def test_a_silenced_branch_leaves_its_rows_to_the_tier(self):
        one = policy("p", rule("a", "allow", where=equals("country", "DE")), rule("b", PARTIAL), allows=False)
        decision = decide((one,), "restricted", person(), "public")
        assert decision.per_row({"country": "DE"}, {}).kind == "deny"
        assert decision.per_row({"country": "FR"}, {}).kind == "partial"
        assert decision.strictest.kind == "deny"


class TestUse:
    def test_a_clear_field_may_be_used(self):
        decision = decide((policy("p", rule("r", "allow")),), "restricted", person(), "public")
        assert decision.uses == USES

    def test_deny_is_the_default_of_every_use(self):
        decision = decide((policy("p", rule("r", PARTIAL)),), "restricted", person(), "public")
        assert not decision.uses
        by_tier = decide((), "confidential", person(), "public")
        assert not by_tier.uses

    def test_on_use_loosens_what_it_names(self):
        decision = decide((policy("p", rule("r", PARTIAL), uses=["sort"]),), "restricted", person(), "public")
        assert decision.uses == {"sort"}

    def test_every_policy_that_withholds_must_permit_the_use(self):
        a, b = policy("a", rule("r", PARTIAL), uses=["sort", "group"]), policy("b", rule("r", "deny"), uses=["group"])
        decision = decide((a, b), "restricted", person(), "public")
        assert decision.uses == {"group"}

    def test_a_policy_that_allows_does_not_count(self):
        a, b = policy("a", rule("r", PARTIAL), uses=["sort"]), policy("b", rule("r", "allow"))
        assert "sort" in decide((a, b), "restricted", person(), "public").uses

    def test_rows_left_to_the_tier_permit_nothing(self):
        one = policy("p", rule("r", PARTIAL, where=equals("country", "DE")), uses=["sort"])
        assert "sort" not in decide((one,), "restricted", person(), "public").uses
        assert "sort" in decide((one,), "public", person(), "public").uses


class TestRows:
    german, open_ = equals("country", "DE"), equals("status", "open")

    def entries(self, name, *entries):
        return RowPolicy(name, tuple(RowRule(f"{name}{n}", who, keep) for n, (who, keep) in enumerate(entries)))

    def test_silence_keeps_all(self):
        only = self.entries("a", (Audience(frozenset({"analyst"})), self.german))
        assert row_filter((), person()) is True
        assert row_filter((only,), person("support")) is True
        assert row_filter((only,), person("analyst")) == self.german

    def test_the_first_entry_that_applies_speaks(self):
        one = self.entries("a", (Audience(frozenset({"steward"})), True), (EVERYONE, self.german))
        assert row_filter((one,), person("steward")) is True
        assert row_filter((one,), STRANGER) == self.german

    def test_all_that_speak_are_and_ed_in_one_order(self):
        a, b = self.entries("a", (EVERYONE, self.german)), self.entries("b", (EVERYONE, self.open_))
        both = Call("and", (self.german, self.open_), BOOLEAN)
        assert row_filter((a, b), STRANGER) == row_filter((b, a), STRANGER) == both

    def test_none_wins_over_every_condition(self):
        a, none = self.entries("a", (EVERYONE, self.german)), self.entries("n", (EVERYONE, False))
        assert row_filter((a, none), STRANGER) is False

    def test_a_condition_twice_stands_once(self):
        a, b = self.entries("a", (EVERYONE, self.german)), self.entries("b", (EVERYONE, self.german))
        assert row_filter((a, b), STRANGER) == self.german


@pytest.mark.parametrize("value", [None, False])
def test_a_condition_that_is_not_true_does_not_hold(value):
    one = policy("p", rule("a", "allow", where=always(value)), rule("b", "deny"))
    assert decide((one,), "public", person(), "public").per_row({}, {}).kind == "deny"


def test_the_summary_knows_of_masks_that_clash_on_some_rows():
    """HMAC is stricter than partial, and two different partials on one row are redacted."""
    other = MaskRule("partial", keep_first=1, keep_last=0, char="*")
    one = policy("a", rule("some", HMAC, where=equals("country", "DE")), rule("else", PARTIAL))
    decision = decide((one, policy("b", rule("r", other))), "restricted", person(), "public")
    assert decision.per_row({"country": "FR"}, {}).kind == "redact"
    assert decision.strictest.kind == "redact"


class TestAgreements:
    analysts = Audience(roles=frozenset({"analyst"}))
    year = Term("year", analysts, date(2026, 1, 1), date(2026, 12, 31))
    rule = FieldRule("r", Audience(agreements=(year,)), Effect.ALLOW)
    only = (FieldPolicy("p", (rule,), allows=True),)

    @pytest.mark.parametrize(
        ("day", "sees"), [("2025-12-31", False), ("2026-01-01", True), ("2026-12-31", True), ("2027-01-01", False)]
    )
    def test_a_rule_speaks_on_the_days_of_its_agreement(self, day, sees):
        in_force = in_force_on(date.fromisoformat(day))
        assert decide(self.only, "restricted", person("analyst"), "public", in_force).clear is sees
        assert not decide(self.only, "restricted", person("support"), "public", in_force).clear

    def test_without_a_day_no_agreement_is_in_force(self):
        assert not decide(self.only, "restricted", person("analyst"), "public").clear

    def test_of_several_one_is_enough(self):
        ended = Term("ended", self.analysts, None, date(2025, 1, 1))
        both = replace(self.rule, audience=Audience(agreements=(ended, self.year)))
        found = (FieldPolicy("p", (both,), allows=True),)
        assert decide(found, "restricted", person("analyst"), "public", in_force_on(date(2026, 5, 1))).clear

    def test_rows_ask_for_agreements_too(self):
        only = RowPolicy("p", (RowRule("r", Audience(agreements=(self.year,)), keep=False),))
        assert row_filter((only,), person("analyst"), in_force_on(date(2026, 5, 1))) is False
        assert row_filter((only,), person("analyst"), in_force_on(date(2027, 5, 1))) is True

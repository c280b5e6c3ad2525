# SPDX-License-Identifier: Apache-2.0
"""Every decision can be explained."""

import json

import pytest

from dictamesh.runtime.governance.explain import as_json, explain, render
from dictamesh.specs.rules import Audience, RowPolicy, RowRule
from tests.unit.governance.pieces import ENTITY, HMAC, PARTIAL, REDACT, STRANGER, equals, person, plan, policy, rule

EMAIL = f"{ENTITY}.email"
IDENTIFIERS = policy(
    "direct-identifiers",
    rule("support-in-service", "allow", "support", purposes=frozenset({"service"})),
    rule("germans", PARTIAL, "clerk", where=equals("country", "DE"), claims=(("level", (2, 3)),)),
    rule("analysts", HMAC, "analyst"),
    rule("rest", REDACT),
)
GLOB = policy("glob", rule("open", "allow"), rule("never", "deny"), allows=False)


def states(explanation):
    return {account.rule: account.state for each in explanation.policies for account in each.rules}


def test_why_a_rule_does_not_speak():
    found = explain(plan({"email": [IDENTIFIERS, GLOB]}), person("analyst", purpose="other"), EMAIL)
    assert (found.effect, found.mask, found.policy, found.rule) == ("mask", "hmac", "direct-identifiers", "analysts")
    assert states(found) == {
        "support-in-service": "not-meant",
        "germans": "not-meant",
        "analysts": "speaks",
        "rest": "not-reached",
        "open": "silenced",
        "never": "not-reached",
    }
    assert [each.silent for each in found.policies] == [False, True]
    first, second = found.policies[0].rules[:2]
    assert first.because == ("the caller has none of the roles support", "the purpose is none of service")
    assert second.because == ("the caller has none of the roles clerk", "the claim level has none of 2, 3")


def test_a_rule_by_row_does_not_end_its_policy():
    found = explain(plan({"email": [IDENTIFIERS]}), person("clerk", level=2), EMAIL)
    assert states(found)["germans"] == "speaks-where"
    assert states(found)["rest"] == "speaks"
    assert found.by_row
    assert found.policies[0].rules[1].because == ("on rows that its condition on country keeps",)


def test_an_allow_that_is_silence_on_some_rows_leaves_the_others_to_the_next_rule():
    glob = policy("p", rule("own", "allow", where=equals("country", "DE")), rule("rest", PARTIAL), allows=False)
    found = explain(plan({"email": [glob]}), STRANGER, EMAIL)
    assert states(found) == {"own": "silenced", "rest": "speaks"}
    assert (found.effect, found.rule, found.by_row) == ("deny", "tier", True)


def test_where_nobody_speaks_the_tier_does():
    found = explain(plan(), STRANGER, EMAIL)
    assert (found.effect, found.rule, found.policy, found.tier) == ("deny", "tier", None, "restricted")
    assert render(found) == f"{EMAIL} for anonymous: deny (tier restricted)\n  no policy matches"


def test_text():
    text = render(explain(plan({"email": [IDENTIFIERS]}), person("analyst", purpose="service"), EMAIL))
    assert text.splitlines() == [
        f"{EMAIL} for roles analyst, purpose service: hmac (policy direct-identifiers, rule analysts)",
        "  direct-identifiers: speaks",
        "    support-in-service (allow): not meant - the caller has none of the roles support",
        "    germans (partial): not meant - the caller has none of the roles clerk; the claim level has none of 2, 3",
        "    analysts (hmac): speaks",
        "    rest (redact): not reached - a rule before it applies",
    ]


def test_an_object_is_explained_by_its_leaves():
    found = explain(plan({"address.city": [policy("p", rule("r", "allow"))]}), person(), f"{ENTITY}.address")
    assert [(each.address, each.effect) for each in found.below] == [
        (f"{ENTITY}.address.city", "allow"),
        (f"{ENTITY}.address.street", "mask"),
    ]
    assert (found.effect, found.mask) == ("mask", "redact")
    assert (
        "  customers#Customer.address.city for authenticated, no roles, no purpose: allow (policy p, rule r)"
        in render(found)
    )


def test_rows():
    entries = (
        RowRule("own", Audience(frozenset({"analyst"})), equals("country", "DE")),
        RowRule("nothing", Audience(), False),
        RowRule("late", Audience(), True),
    )
    made = plan(rows=[RowPolicy("p", entries)])
    found = explain(made, person("analyst"), ENTITY)
    assert (found.effect, states(found)) == (
        "condition",
        {"own": "speaks", "nothing": "not-reached", "late": "not-reached"},
    )
    assert explain(made, STRANGER, ENTITY).effect == "none"
    assert explain(plan(), STRANGER, ENTITY).effect == "all"
    assert "own (condition): speaks - its condition reads country" in render(found)


def test_json():
    found = explain(plan({"email": [IDENTIFIERS]}), STRANGER, EMAIL)
    read = json.loads(json.dumps(as_json(found)))
    assert (read["effect"], read["policies"][0]["rules"][3]["state"]) == ("mask", "speaks")


def test_an_unknown_address():
    with pytest.raises(KeyError):
        explain(plan(), STRANGER, f"{ENTITY}.nothing")

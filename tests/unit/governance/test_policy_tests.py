# SPDX-License-Identifier: Apache-2.0
"""Inline tests of policies: a right one passes, a wrong one fails and says what came instead."""

import datetime
from typing import Any

import pytest

from dictamesh.runtime.governance.masks import pseudonym
from dictamesh.runtime.governance.policy_tests import TestResult, run
from dictamesh.specs.expressions.tree import Call, Column, Parameter
from dictamesh.specs.model import PolicyTest
from dictamesh.specs.rules import Audience, RowPolicy, RowRule
from dictamesh.specs.types import BOOLEAN, DATE, STRING, Kind, Type
from tests.unit.governance.pieces import ENTITY, HMAC, KEYS, REDACT, equals, plan, policy, rule

IDENTIFIERS = policy(
    "direct-identifiers",
    rule("support-in-service", "allow", "support", purposes=frozenset({"service"})),
    rule("analysts-pseudonym", HMAC, "analyst"),
    rule("everyone-else", REDACT),
)
GERMAN = policy("german", rule("german", "allow", where=equals("country", "DE")), rule("rest", "deny"))
IN_COUNTRIES = Call(
    "any_eq", (Column(("country",), STRING), Parameter("principal.countries", Type(Kind.ARRAY, item=STRING))), BOOLEAN
)
OWN = RowPolicy("own", (RowRule("own-countries", Audience(frozenset({"analyst"})), IN_COUNTRIES),))

EMAIL = f"{ENTITY}.email"
SUPPORT = {"roles": ["support"], "purpose": "service"}
ANALYST = {"roles": ["analyst"]}
ANA = "ana@example.com"


def outcome(written: dict[str, Any], keys=None, **options) -> TestResult:
    fields = {
        "email": [IDENTIFIERS],
        "name": [GERMAN],
        "total": [policy("p", rule("r", "allow"))],
        "born": [policy("p", rule("r", "allow"))],
        "address.city": [policy("p", rule("r", "allow"))],
    }
    made = plan(fields, [OWN], tests=[PolicyTest.model_validate(written)])
    (result,) = run(made, keys, **options)
    assert (result.policy, result.file, result.line, result.column) == (
        "direct-identifiers",
        "policies/pii.yaml",
        10,
        5,
    )
    return result


@pytest.mark.parametrize(
    "written",
    [
        {"as": SUPPORT, "field": EMAIL, "value": ANA, "expect": {"value": ANA}},
        {"as": SUPPORT, "field": EMAIL, "expect": {"effect": "allow", "rule": "support-in-service"}},
        {"as": {}, "field": EMAIL, "value": ANA, "expect": {"effect": "mask", "rule": "everyone-else"}},
        {"as": {}, "field": EMAIL, "value": ANA, "expect": {"value": "***REDACTED***", "mask": "redact"}},
        {"as": ANALYST, "field": EMAIL, "value": ANA, "expect": {"effect": "mask", "mask": "hmac"}},
        {"as": ANALYST, "field": EMAIL, "value": None, "expect": {"effect": "mask"}},
        {"as": {"roles": []}, "field": f"{ENTITY}.country", "expect": {"effect": "allow", "rule": "tier"}},
        {"as": {}, "field": f"{ENTITY}.country", "value": "DE", "expect": {"effect": "deny", "value": None}},
        {"as": {}, "field": f"{ENTITY}.total", "value": 39.98, "expect": {"value": 39.98}},
        {"as": {}, "field": f"{ENTITY}.total", "value": "39.98", "expect": {"value": "39.980"}},
        {"as": {}, "field": f"{ENTITY}.born", "value": "1990-01-02", "expect": {"value": "1990-01-02"}},
        {
            "as": {},
            "field": f"{ENTITY}.address",
            "value": {"city": "Rome", "street": "x"},
            "expect": {"value": {"city": "Rome", "street": "***REDACTED***"}, "effect": "mask"},
        },
        {
            "field": f"{ENTITY}.address.city",
            "record": {"address": {"city": "Rome"}},
            "expect": {"value": "Rome", "effect": "allow"},
        },
        {"field": f"{ENTITY}.name", "record": {"country": "DE", "name": "John"}, "expect": {"value": "John"}},
        {"field": f"{ENTITY}.name", "record": {"country": "FR", "name": "John"}, "expect": {"effect": "deny"}},
        {"field": f"{ENTITY}.name", "value": "John", "record": {"country": "DE"}, "expect": {"value": "John"}},
        {"field": f"{ENTITY}.name", "expect": {"rule": "rest"}},
        {
            "as": {**ANALYST, "claims": {"countries": ["DE"]}},
            "record": {"country": "FR"},
            "on": ENTITY,
            "expect": {"row": "hidden"},
        },
        {
            "as": {**ANALYST, "claims": {"countries": ["DE"]}},
            "record": {"country": "DE"},
            "on": ENTITY,
            "expect": {"row": "visible"},
        },
        {"as": ANALYST, "record": {"country": "DE"}, "on": ENTITY, "expect": {"row": "hidden"}},
        {"as": SUPPORT, "record": {"country": "FR"}, "on": ENTITY, "expect": {"row": "visible"}},
    ],
)
def test_a_right_expectation_passes(written):
    result = outcome(written)
    assert result.passed, result
    assert result.note == ""


@pytest.mark.parametrize(
    ("written", "got"),
    [
        ({"as": {}, "field": EMAIL, "expect": {"effect": "allow"}}, {"effect": "mask"}),
        ({"as": SUPPORT, "field": EMAIL, "value": ANA, "expect": {"value": "bob"}}, {"value": ANA}),
        (
            {"as": {"roles": ["support"]}, "field": EMAIL, "expect": {"rule": "support-in-service"}},
            {"rule": "everyone-else"},
        ),
        (
            {"as": {}, "field": EMAIL, "value": ANA, "expect": {"value": ANA, "effect": "mask"}},
            {"value": "***REDACTED***", "effect": "mask"},
        ),
        ({"as": {}, "field": EMAIL, "expect": {"mask": "hmac"}}, {"mask": "redact"}),
        ({"as": SUPPORT, "field": EMAIL, "expect": {"mask": "hmac"}}, {"mask": None}),
        ({"as": {}, "field": EMAIL, "value": ANA, "expect": {"value": None}}, {"value": "***REDACTED***"}),
        ({"as": {}, "field": f"{ENTITY}.level", "value": 1, "expect": {"value": True}}, {"value": 1}),
        ({"as": ANALYST, "record": {"country": "DE"}, "on": ENTITY, "expect": {"row": "visible"}}, {"row": "hidden"}),
    ],
)
def test_a_wrong_expectation_fails_and_shows_what_came(written, got):
    result = outcome(written)
    assert not result.passed
    assert result.got == got


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ({"field": EMAIL, "expect": {}}, "expects nothing"),
        ({"field": f"{ENTITY}.nothing", "expect": {"effect": "deny"}}, "no field"),
        ({"on": "customers#Nothing", "record": {}, "expect": {"row": "hidden"}}, "no entity"),
        ({"expect": {"row": "hidden"}}, "names no field and no entity"),
        ({"on": ENTITY, "record": {}, "expect": {"effect": "deny"}}, "names no field"),
        ({"on": ENTITY, "record": {"nothing": 1}, "expect": {"row": "hidden"}}, "has no field nothing"),
        ({"field": EMAIL, "value": 5, "expect": {"effect": "mask"}}, "does not fit the type string"),
        ({"field": f"{ENTITY}.level", "value": 2**31, "expect": {"effect": "allow"}}, "does not fit the type int"),
        ({"field": EMAIL, "expect": {"value": None}}, "add value or record"),
    ],
)
def test_what_cannot_run_fails_and_says_why(written, note):
    result = outcome(written)
    assert not result.passed
    assert note in result.note


def test_a_pseudonym_is_compared_only_with_the_real_key():
    made = pseudonym(KEYS["pepper"], "acme", ANA)
    written = {"as": ANALYST, "field": EMAIL, "value": ANA, "expect": {"value": made, "effect": "mask"}}
    without = outcome(written)
    assert without.passed
    assert without.note == "value not compared: the mask key 'pepper' is not known here"
    assert "value" not in without.got
    wrong = {**written, "expect": {"value": made, "effect": "allow"}}
    assert not outcome(wrong).passed
    assert outcome(written, KEYS).passed
    assert outcome(written, KEYS).note == ""
    assert not outcome(written, {"pepper": b"another"}).passed


def test_the_moment_is_bound():
    before = Call("lt", (Column(("born",), DATE), Parameter("today", DATE)), BOOLEAN)
    tests = [PolicyTest.model_validate({"on": ENTITY, "record": {"born": "2024-01-01"}, "expect": {"row": "visible"}})]
    made = plan(rows=[RowPolicy("p", (RowRule("r", Audience(), before),))], tests=tests)
    assert [run(made, now=datetime.datetime(2024, 1, day, tzinfo=datetime.UTC))[0].passed for day in (1, 2)] == [
        False,
        True,
    ]

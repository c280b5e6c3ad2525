# SPDX-License-Identifier: Apache-2.0
"""Rules and the same rules written in Cedar decide alike, and classes of callers cover what a text can tell apart."""

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dictamesh.runtime.diff.classes import situations
from dictamesh.runtime.governance.decide import decide
from dictamesh.specs.engines.registry import compiled
from dictamesh.specs.rules import Audience, Effect, EngineRules, FieldPolicy, FieldRule, Resource, Scope
from tests.properties.test_decisions import TIERS, audiences, principals

SCOPE = Scope(claims=(("countries", ("string",)), ("level", "integer"), ("vip", "boolean")))
RESOURCE = Resource("crm#Customer.email", "crm#Customer", "crm", "email", "restricted", ("pii.direct.email",), pii=True)

# a Cedar claim has one type: level is a whole number, or a list of them is another claim
whole = audiences.map(
    lambda each: replace(each, claims=tuple((n, tuple(v for v in vs if v is not True)) for n, vs in each.claims))
)
rules = st.lists(st.tuples(whole, st.sampled_from([Effect.ALLOW, Effect.DENY])), min_size=1, max_size=4)
callers = principals.filter(lambda who: type(who.claims.get("level")) in {int, type(None)})


def condition(audience: Audience) -> str:
    parts = []
    if audience.roles is not None:
        parts.append(f"principal.roles.containsAny({json.dumps(sorted(audience.roles))})")
    if audience.purposes is not None:
        asked = json.dumps(sorted(audience.purposes))
        parts.append(f"(context has purpose && {asked}.contains(context.purpose))")
    for name, values in audience.claims:
        held = (
            f"{json.dumps(list(values))}.contains(principal.claims.{name})" if values else "false"
        )  # `[]` has no type
        parts.append(f"(principal.claims has {name} && {held})")
    return " && ".join(parts) or "true"


def as_cedar(found: list[tuple[Audience, Effect]]) -> str:
    """The first rule that applies speaks: each of the others asks that none before it does."""
    lines, before = [], []
    for number, (audience, effect) in enumerate(found):
        mine = condition(audience)
        unless = " ".join(f"unless {{ {each} }}" for each in before)
        verb = "permit" if effect is Effect.ALLOW else "forbid"
        lines.append(f'@id("r{number}") {verb} (principal, action, resource) when {{ {mine} }} {unless};')
        before.append(mine)
    return "\n".join(lines)


@given(rules, st.booleans(), st.sampled_from(TIERS), callers)
@settings(max_examples=300, deadline=None)
def test_rules_and_their_cedar_decide_alike(found, allows, tier, who):
    by_rules = FieldPolicy("p", tuple(FieldRule(f"r{n}", *each) for n, each in enumerate(found)), allows)
    text = as_cedar(found)
    resource = replace(RESOURCE, tier=tier)
    rules = EngineRules("cedar", text, SCOPE, resource, compiled("cedar", text, SCOPE).audiences)
    by_cedar = FieldPolicy("p", (), allows, by=rules)
    assert decide((by_cedar,), tier, who, "public") == decide((by_rules,), tier, who, "public")


@given(rules, callers)
@settings(max_examples=100, deadline=None)
def test_every_caller_is_like_one_of_the_classes(found, who):
    text = as_cedar(found)
    told = compiled("cedar", text, SCOPE).audiences
    rules = EngineRules("cedar", text, SCOPE, RESOURCE, told)
    only = (FieldPolicy("p", (), True, by=rules),)
    classes = {decide(only, "restricted", each.who, "public") for each in situations(told, {"level": "integer"}).all}
    assert decide(only, "restricted", who, "public") in classes

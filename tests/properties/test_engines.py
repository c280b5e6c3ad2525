# SPDX-License-Identifier: Apache-2.0
"""Engines of policies: the contract holds for Cedar, breaches of it are found, and what fails denies and is told."""

import logging
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from dictamesh.runtime.diff.engine_conformance import CHECKS, Subject, conformance
from dictamesh.runtime.governance.decide import decide
from dictamesh.runtime.governance.engines import FAILED, judge
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.engines import Audience, Caller, Compiled, Effect, Problem, Refused, Resource, Scope, Verdict
from dictamesh.specs.engines import registry as module
from dictamesh.specs.engines.cedar import ENGINE as CEDAR
from dictamesh.specs.rules import EngineRules, FieldPolicy

SCOPE = Scope(
    claims=(("countries", ("string",)), ("level", "integer"), ("vip", "boolean")),
    roles=("analyst", "steward", "support"),
    purposes=("analytics", "service"),
    tags=("pii", "pii.email"),
)
EMAIL = Resource("crm#Customer.email", "crm#Customer", "crm", "email", "restricted", ("pii.email",), pii=True)
COUNTRY = Resource("crm#Customer.country", "crm#Customer", "crm", "address.country", "internal", (), pii=False)
VALUES = {"countries": [("DE",), ("DE", "FR"), ()], "level": [0, 3, 9], "vip": [True, False]}
CEDAR_TEXTS = (
    """@id("desk") permit (principal in Role::"support", action, resource in Tag::"pii")
         when { context has purpose && context.purpose == "service" };
       forbid (principal, action, resource) when { principal.claims has vip && principal.claims.vip };""",
    """permit (principal, action, resource) when { principal.claims has level && principal.claims.level >= 3 };
       @id("not these") forbid (principal, action, resource)
         when { principal.claims has countries && principal.claims.countries.contains("FR") };""",
)
CEDAR_REFUSED = (
    "permit (principal action, resource);",
    "",
    "permit (principal == ?principal, action, resource);",
    "permit (principal, action, resource) when { principal.claims.level > 3 };",
    "permit (principal, action, resource) when { principal.name == 1 };",
)


def test_cedar_keeps_the_contract() -> None:
    subject = Subject(CEDAR, SCOPE, CEDAR_TEXTS, CEDAR_REFUSED, (EMAIL, COUNTRY), VALUES)
    assert [each for each in conformance(subject) if not each.passed] == []


class Listed:
    """An engine of lines `allow ROLE` and `deny ROLE`; what a test overrides breaks the contract in one place."""

    name, title = "listed", "Listed"

    def compile(self, text: str, scope: Scope) -> Compiled | Refused:
        lines = [line.split() for line in text.splitlines()]
        if not lines or any(len(line) != 2 or line[0] not in {"allow", "deny"} for line in lines):
            return Refused((Problem("a line is not 'allow ROLE' or 'deny ROLE'"),))
        return Compiled(lambda caller, field: self.said(lines, caller, field), self.heard(lines))

    def said(self, lines: list[list[str]], caller: Caller, _field: Resource) -> Verdict | None:
        for number, (verb, role) in enumerate(lines):
            if role in caller.roles:
                return Verdict(Effect(verb), f"line {number + 1}")
        return None

    def heard(self, lines: list[list[str]]) -> tuple[Audience, ...]:
        return tuple(Audience(roles=frozenset({role})) for _, role in lines)


class TakesAll(Listed):
    def compile(self, text: str, scope: Scope) -> Compiled | Refused:
        return super().compile(text if text.startswith(("allow", "deny")) else "allow support", scope)


class Raises(Listed):
    def said(self, lines, caller, field):
        return Verdict(Effect.DENY, "x") if "nobody" in caller.claims else super().said(lines, caller, field).effect


class Masks(Listed):
    def said(self, lines, caller, field):
        return Verdict(Effect.MASK, "m") if "steward" in caller.roles else super().said(lines, caller, field)


class Counts(Listed):
    asked = 0

    def said(self, lines, caller, field):
        Counts.asked += 1
        return super().said(lines, caller, field) if Counts.asked % 7 else None


class Changes(Listed):
    def said(self, lines, caller, field):
        if isinstance(caller.claims, dict):
            caller.claims["seen"] = True
        return super().said(lines, caller, field)


class KeepsQuiet(Listed):
    def heard(self, lines):
        return super().heard(lines)[:1]


class Elsewhere(Listed):
    def heard(self, lines):
        return (*super().heard(lines), Audience(claims=(("shoe", (42,)),)))


LISTED_TEXTS = ("allow support\ndeny analyst", "deny steward\nallow analyst\nallow support")


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Offer an engine as an installed package does, by an entry point that leads to it."""

    def offer(*found: object, name: str | None = None) -> module.Engines:
        globals().update({f"OFFERED_{index}": each for index, each in enumerate(found)})
        points = [
            EntryPoint(name or getattr(each, "name", "x"), f"{__name__}:OFFERED_{index}", module.GROUP)
            for index, each in enumerate(found)
        ]
        monkeypatch.setitem(__import__("sys").modules, __name__, __import__("sys").modules[__name__])
        monkeypatch.setattr(module, "entry_points", lambda group: points if group == module.GROUP else [])
        module.installed.cache_clear()
        module.compiled.cache_clear()
        return module.installed()

    yield offer
    module.installed.cache_clear()
    module.compiled.cache_clear()


def failed_checks(engine: Listed) -> set[str]:
    subject = Subject(engine, SCOPE, LISTED_TEXTS, ("", "permit support"), (EMAIL, COUNTRY), VALUES)
    return {each.name for each in conformance(subject) if not each.passed}


def test_an_engine_of_a_package_keeps_the_contract(offered) -> None:
    engine = Listed()
    assert offered(engine).engines["listed"] is engine
    assert failed_checks(engine) == set()


@pytest.mark.parametrize(
    ("engine", "check"),
    [
        (TakesAll(), "it refuses what cannot decide"),
        (Raises(), "it allows, denies or is silent"),
        (Masks(), "it allows, denies or is silent"),
        (Counts(), "the same question has the same answer"),
        (Changes(), "it changes nothing that it is given"),
        (KeepsQuiet(), "its audiences tell callers apart"),
        (Elsewhere(), "it names what it reads"),
    ],
)
def test_a_breach_is_found(offered, engine: Listed, check: str) -> None:
    offered(engine)
    assert check in CHECKS
    assert check in failed_checks(engine)


def test_an_engine_that_nothing_leads_to_is_told(offered) -> None:
    offered()
    assert "it is found by its entry point" in failed_checks(Listed())


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        (Raises(), "AttributeError"),
        (Masks(), "what it says is neither allow nor deny"),
        (type("Text", (Listed,), {"said": lambda *_: "allow"})(), "what it says is neither allow nor deny"),
        (type("Long", (Listed,), {"said": lambda *_: Verdict(Effect.ALLOW, "x" * 200)})(), "neither allow nor deny"),
        (type("Gone", (Listed,), {"compile": lambda *_: Refused((Problem("no"),))})(), "it refuses the text"),
    ],
)
def test_what_fails_denies_and_is_told(offered, caplog: pytest.LogCaptureFixture, engine: Listed, why: str) -> None:
    offered(engine)
    who = Principal("ana", authenticated=True, roles=frozenset({"steward"}))
    rules = EngineRules("listed", "allow support", SCOPE, EMAIL, ())
    with caplog.at_level(logging.ERROR, "dictamesh.governance"):
        judgement = judge(rules, who)
    assert judgement.verdict == Verdict(Effect.DENY, FAILED)
    assert why in (judgement.failure or "")
    assert [record.engine for record in caplog.records] == ["listed"]
    outcome = decide((FieldPolicy("p", (), True, by=rules),), "public", who, "public").strictest
    assert (outcome.effect, outcome.rule) == (Effect.DENY, FAILED)


def test_an_engine_that_is_gone_denies(offered) -> None:
    offered()
    who = Principal("ana", authenticated=True)
    assert judge(EngineRules("listed", "allow support", SCOPE, EMAIL, ()), who).verdict == Verdict(Effect.DENY, FAILED)


@pytest.mark.parametrize(
    ("found", "name", "reason"),
    [
        (Listed(), "cedar", "the name is taken by another engine"),
        (Listed(), "rules", "the name is taken by another engine"),
        (Listed(), "other", "its engine is named 'listed'"),
        (object(), "other", "it does not load: AttributeError"),
        (type("Half", (), {"name": "half", "title": "Half"})(), "half", "it has no `title`, or no `compile`"),
    ],
)
def test_a_broken_package_becomes_a_note(offered, found: object, name: str, reason: str) -> None:
    there = offered(found, name=name)
    assert [note.entry_point for note in there.notes] == [name]
    assert there.notes[0].reason.startswith(reason)
    assert set(there.engines) == {"cedar"}

# SPDX-License-Identifier: Apache-2.0
"""Whether a policy engine keeps the contract: checks that its author runs in tests, whatever the test framework.

It stands beside the comparison of access, which rests on what engines say of their texts.

results = conformance(subject)
assert not [result for result in results if not result.passed]
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from dictamesh.runtime.diff.classes import situations
from dictamesh.runtime.governance.decide import REDACT, decide
from dictamesh.runtime.governance.engines import is_name
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.engines.protocol import Caller, Compiled, Engine, Refused, Verdict
from dictamesh.specs.engines.registry import RULES, installed
from dictamesh.specs.model.parts import SLUG
from dictamesh.specs.rules import Audience, Effect, EngineRules, FieldPolicy, FieldRule, Resource, Scope

CALLERS = 200  # random ones, for each text
AT_ONCE = 8  # threads
OTHERS = (
    FieldPolicy("other", (FieldRule("masks", Audience(), Effect.MASK, REDACT),), True),
    FieldPolicy("other", (FieldRule("denies", Audience(), Effect.DENY),), True),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked: an installed engine, so that its entry point and the way of its decisions are checked too.

    `texts` can decide within `scope`; together they allow, deny and are silent for some callers. `refused` are texts
    that the engine must refuse. `resources` are fields that the texts speak of. `values` are claims that callers may
    have, by name; beside each of them the checks try callers without it.
    """

    engine: Engine
    scope: Scope
    texts: Sequence[str]
    refused: Sequence[str]
    resources: Sequence[Resource]
    values: Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Result:
    """One check by its name; `detail` says what was wrong."""

    name: str
    passed: bool
    detail: str = ""


class _Failed(Exception):  # noqa: N818  (an outcome)
    pass


def conformance(subject: Subject, seed: int = 1) -> tuple[Result, ...]:
    """Run every check; failures are results, never exceptions. The same seed asks for the same callers."""
    return tuple(_result(name, check, subject, seed) for name, check in CHECKS.items())


def _result(name: str, check: "Check", subject: Subject, seed: int) -> Result:
    try:
        check(subject, random.Random(seed))  # noqa: S311  (callers of a test)
    except _Failed as failure:
        return Result(name, passed=False, detail=str(failure))
    except Exception as error:  # noqa: BLE001  (whatever a stranger's engine raises is the finding)
        return Result(name, passed=False, detail=f"{type(error).__name__}: {error}")
    return Result(name, passed=True)


def _must(truth: bool, detail: str) -> None:
    if not truth:
        raise _Failed(detail)


def _compiled(subject: Subject, text: str) -> Compiled:
    made = subject.engine.compile(text, subject.scope)
    if isinstance(made, Refused):
        raise _Failed(f"a text that should decide is refused: {'; '.join(each.message for each in made.problems)}")
    _must(isinstance(made, Compiled), f"compile returns {type(made).__name__}")
    return made


def _callers(subject: Subject, chance: random.Random) -> Iterator[Caller]:
    """Strangers, callers with nothing, and many with some of what the mesh declares and of what it does not."""
    yield Caller(authenticated=False)
    yield Caller(authenticated=True)
    names, purposes = [*subject.scope.roles, 'un"known'], [*subject.scope.purposes, None, "\u0000"]
    for _ in range(CALLERS):
        claims = {name: chance.choice(values) for name, values in subject.values.items() if chance.random() < 0.7}
        roles = frozenset(chance.sample(names, chance.randint(0, len(names))))
        yield Caller(True, roles, chance.choice(purposes), claims)


def _asked(subject: Subject, chance: random.Random) -> Iterator[tuple[Compiled, Caller, Resource]]:
    for text in subject.texts:
        made = _compiled(subject, text)
        for caller in _callers(subject, chance):
            for resource in subject.resources:
                yield made, caller, resource


def _named(subject: Subject, _chance: random.Random) -> None:
    name: object = subject.engine.name
    title: object = subject.engine.title
    _must(isinstance(name, str) and bool(SLUG.match(name)) and name != RULES, f"{name!r} is no name for an engine")
    _must(isinstance(title, str) and bool(title.strip()), "there is no title")


def _refuses(subject: Subject, _chance: random.Random) -> None:
    _must(bool(subject.refused), "give texts that must be refused")
    for text in subject.refused:
        made = subject.engine.compile(text, subject.scope)
        if not isinstance(made, Refused):
            raise _Failed("a text that must be refused is taken")
        _must(bool(made.problems) and all(each.message and each.hint for each in made.problems), "it gives no reason")


def _answers(subject: Subject, chance: random.Random) -> None:
    """Nothing but verdicts of allow or deny and silence; each of the three somewhere, and no exception anywhere."""
    seen: set[Effect | None] = set()
    for made, caller, resource in _asked(subject, chance):
        said: object = made.judge(caller, resource)
        if said is None:
            seen.add(None)
            continue
        if not isinstance(said, Verdict):
            raise _Failed(f"judge returns {type(said).__name__}")
        _must(said.effect in {Effect.ALLOW, Effect.DENY}, f"a verdict of {said.effect}")
        _must(is_name(said.rule), "a rule of no name")
        seen.add(said.effect)
    wanted = {Effect.ALLOW, Effect.DENY, None}
    _must(seen == wanted, f"the texts never come to {', '.join(str(each or 'silence') for each in wanted - seen)}")


def _steady(subject: Subject, chance: random.Random) -> None:
    """The same question has the same answer: again, in another order, by another compilation, and on many threads."""
    asked = list(_asked(subject, chance))
    first = [made.judge(caller, resource) for made, caller, resource in asked]
    order = list(range(len(asked)))
    chance.shuffle(order)
    for index in order:
        made, caller, resource = asked[index]
        _must(made.judge(caller, resource) == first[index], "a question asked again has another answer")
    again = iter(_asked(subject, random.Random(1)))  # noqa: S311
    anew = {id(made): made for made, _, _ in again}
    for made, text in zip(anew.values(), subject.texts, strict=True):
        other = _compiled(subject, text)
        _must((made.audiences, made.mentions) == (other.audiences, other.mentions), "a text compiled again differs")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(lambda each: each[0].judge(each[1], each[2]), asked))
    _must(found == first, "threads that ask at once get other answers")


def _leaves_alone(subject: Subject, chance: random.Random) -> None:
    """What is asked about is not changed."""
    for made, caller, resource in _asked(subject, chance):
        claims = dict(caller.claims)
        before = replace(caller, claims=dict(claims)), resource
        made.judge(caller, resource)
        _must((caller, resource) == before and dict(caller.claims) == claims, "judge changes what it is given")


def _tells_apart(subject: Subject, chance: random.Random) -> None:
    """For every caller there is one who holds nothing but what the audiences name, and gets the same verdict."""
    types = dict(subject.scope.claims)
    for text in subject.texts:
        made = _compiled(subject, text)
        alike = [_caller(each.who) for each in situations(made.audiences, types).all]
        for resource in subject.resources:
            told = {made.judge(each, resource) for each in alike}
            for caller in _callers(subject, chance):
                _must(made.judge(caller, resource) in told, "it tells callers apart whom no audience does")


def _never_loosens(subject: Subject, chance: random.Random) -> None:
    """Beside a policy that masks or denies, whatever the engine says, nobody sees more."""
    for text in subject.texts:
        made = _compiled(subject, text)
        for resource in subject.resources:
            rules = EngineRules(subject.engine.name, text, subject.scope, resource, made.audiences)
            for caller in _callers(subject, chance):
                by_engine = FieldPolicy("by-engine", (), True, by=rules)
                for other in OTHERS:
                    alone = decide((other,), resource.tier, _principal(caller), "public")
                    both = decide((by_engine, other), resource.tier, _principal(caller), "public")
                    _must(both.strictest.rank >= alone.strictest.rank, "a field is loosened")


def _names_what_it_reads(subject: Subject, _chance: random.Random) -> None:
    """What a text mentions is declared; what an audience asks for is mentioned or a claim of the mesh."""
    claims = {name for name, _ in subject.scope.claims}
    known = {"role": {*subject.scope.roles}, "purpose": {*subject.scope.purposes}, "claim": claims}
    known["tag"] = {*subject.scope.tags}
    for text in subject.texts:
        made = _compiled(subject, text)
        for each in made.mentions:
            _must(each.kind in known, f"a mention of a {each.kind}")
            _must(each.name in known[each.kind], f"the {each.kind} {each.name!r} is not declared")
        for audience in made.audiences:
            _must({name for name, _ in audience.claims} <= claims, "an audience asks for a claim that is not declared")


def _installed(subject: Subject, _chance: random.Random) -> None:
    """The way that decisions take leads to it."""
    there = installed()
    broken = [note.reason for note in there.notes if note.entry_point == subject.engine.name]
    _must(not broken, f"its entry point cannot be used: {'; '.join(broken)}")
    found = there.engines.get(subject.engine.name)
    _must(found == subject.engine, "no entry point of the group dictamesh.policies leads to it")


def _caller(who: Principal) -> Caller:
    return Caller(who.authenticated, who.roles, who.purpose, who.claims)


def _principal(caller: Caller) -> Principal:
    return Principal("someone", caller.authenticated, caller.roles, caller.purpose, claims=caller.claims)


Check = Callable[[Subject, random.Random], None]
CHECKS: Mapping[str, Check] = {
    "it has a name": _named,
    "it is found by its entry point": _installed,
    "it refuses what cannot decide": _refuses,
    "it allows, denies or is silent": _answers,
    "the same question has the same answer": _steady,
    "it changes nothing that it is given": _leaves_alone,
    "its audiences tell callers apart": _tells_apart,
    "it names what it reads": _names_what_it_reads,
    "it never loosens": _never_loosens,
}

# SPDX-License-Identifier: Apache-2.0
"""The access diff against a comparison caller by caller and row by row, and what no edit of the example escapes."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dictamesh.runtime.diff.access import Sees, _fields, _rows
from dictamesh.runtime.diff.change import Class
from dictamesh.runtime.diff.classes import Situation, heard_by, kept_by, situations
from dictamesh.runtime.diff.compare import compare
from dictamesh.runtime.diff.strictness import Side, looser, parts
from dictamesh.runtime.diff.tree import Tree, tree
from dictamesh.runtime.governance.audiences import holds
from dictamesh.runtime.governance.conditions import condition
from dictamesh.runtime.governance.decide import Decision, compile_outcome, decide, row_filter
from dictamesh.runtime.governance.principal import ANONYMOUS, Principal
from dictamesh.runtime.mesh.build import Built, build
from dictamesh.specs.documents import Memory
from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.rules import Audience, FieldPolicy, FieldRule, RowPolicy, RowRule, Term
from tests.properties.test_decisions import PURPOSES, ROLES, TIERS, USES, audiences, conditions, says
from tests.support.example import EXAMPLES

TERMS = (
    Term("one", Audience(), date(2026, 1, 1), date(2026, 12, 31)),
    Term("other", Audience(roles=frozenset({"analyst"})), None, None),
)
CLAIMS = {"level": "integer"}
VALUES = (None, "x", "y", "z")
ALL_ROWS = [{"a": a, "b": b} for a, b in itertools.product(VALUES, VALUES)]
agreed = st.builds(
    lambda audience, terms: replace(audience, agreements=terms),
    audiences,
    st.none() | st.lists(st.sampled_from(TERMS), max_size=2, unique=True).map(tuple),
)


def rules() -> st.SearchStrategy[tuple[FieldRule, ...]]:
    one = st.builds(lambda whom, said, where: FieldRule("r", whom, *said, where), agreed, says, st.none() | conditions)
    return st.lists(one, min_size=1, max_size=3).map(
        lambda found: tuple(replace(rule, name=f"r{n}") for n, rule in enumerate(found))
    )


policies = st.lists(
    st.builds(
        FieldPolicy, st.just("p"), rules(), st.booleans(), st.frozensets(st.sampled_from(sorted(USES)), max_size=2)
    ),
    max_size=3,
).map(lambda found: tuple(replace(policy, policy=f"p{n}") for n, policy in enumerate(found)))
sides = st.builds(Side, policies, st.sampled_from(TIERS), st.sampled_from(["public", "internal"]))
keeps = st.booleans() | conditions
row_policies = st.lists(
    st.builds(
        lambda found: RowPolicy("p", tuple(RowRule(f"r{n}", *each) for n, each in enumerate(found))),
        st.lists(st.tuples(agreed, keeps), min_size=1, max_size=3),
    ),
    max_size=2,
).map(lambda found: tuple(replace(policy, policy=f"p{n}") for n, policy in enumerate(found)))


def everybody() -> Iterator[Situation]:
    """Every caller and set of agreements that the rules above could tell apart, and more."""
    terms = [frozenset(some) for size in range(3) for some in itertools.combinations(("one", "other"), size)]
    for agreements in terms:
        yield Situation(ANONYMOUS, agreements)
        for size in range(len(ROLES) + 1):
            for held in itertools.combinations((*ROLES, "steward")[: size + 1], size):
                for purpose, level in itertools.product((None, *PURPOSES, "else"), (None, 0, 1, 2, True)):
                    given = {} if level is None else {"level": level}
                    yield Situation(Principal("x", True, frozenset(held), purpose, (), given), agreements)


EVERYBODY = tuple(everybody())


def signature(where: Situation, known: list[Audience]) -> tuple[bool, ...]:
    """What rules and the tier can tell of a caller."""
    return (where.who.authenticated, *(holds(each, where.who, where.in_force) for each in known))


def served(decision: Decision) -> list[tuple[str, object]]:
    """What each row is shown, without the names of rules."""
    outcome = compile_outcome(decision)
    return [(found.kind, found.mask) for found in (outcome(row, {}) for row in ALL_ROWS)]


def expected(before: Decision, after: Decision) -> Sees | None:
    """More, less or otherwise by a look at every row; None where nothing differs."""
    was, now = compile_outcome(before), compile_outcome(after)
    pairs = [(was(row, {}), now(row, {})) for row in ALL_ROWS]
    more = [looser(one, other) and not looser(other, one) for one, other in pairs]
    less = [looser(other, one) and not looser(one, other) for one, other in pairs]
    other = [looser(one, two) and looser(two, one) for one, two in pairs]
    gained = not after.clear and bool(after.uses - before.uses)
    lost = not before.clear and bool(before.uses - after.uses)
    if any(more) or gained:
        return Sees.MORE
    if any(other):
        return Sees.OTHERWISE
    return Sees.LESS if any(less) or lost else None


@given(sides, sides)
@settings(max_examples=1000, deadline=None)
def test_fields_are_compared_as_caller_by_caller(old, new):
    verdicts, left_out = _fields(old, new, CLAIMS)
    assert not left_out
    told = {(each.where.who.fingerprint, each.where.agreements): each for each in verdicts}
    known = [rule.audience for side in (old, new) for policy in side.policies for rule in policy.rules]
    classes = grouped(situations(heard_by((*old.policies, *new.policies)), CLAIMS).all, known)
    for sign, callers in grouped(EVERYBODY, known).items():
        assert sign in classes, f"{callers[0]} is like no class"
        caller = callers[0]
        before, after = (decide(s.policies, s.tier, caller.who, s.sees, caller.in_force) for s in (old, new))
        wanted = expected(before, after)
        for each in classes[sign]:
            verdict = told.get((each.who.fingerprint, each.agreements))
            if verdict is None:
                assert wanted is None, (str(caller), served(before), served(after))
            elif wanted is None:
                assert verdict.sees is Sees.OTHERWISE  # conditions that differ, and not in what they do
            else:
                assert verdict.sees is wanted, (str(caller), str(each), served(before), served(after))


def grouped(callers: tuple[Situation, ...], known: list[Audience]) -> dict[tuple[bool, ...], list[Situation]]:
    found: dict[tuple[bool, ...], list[Situation]] = {}
    for each in callers:
        found.setdefault(signature(each, known), []).append(each)
    return found


def kept(found: Expr | bool) -> list[bool]:
    return [found if isinstance(found, bool) else condition(found)(row, {}) for row in ALL_ROWS]


@given(row_policies, row_policies)
@settings(max_examples=1000, deadline=None)
def test_rows_are_compared_as_caller_by_caller(old, new):
    verdicts, _ = _rows(old, new, CLAIMS)
    told = {(each.where.who.fingerprint, each.where.agreements): each.sees for each in verdicts}
    known = [entry.audience for policy in (*old, *new) for entry in policy.entries]
    classes = grouped(situations(kept_by((*old, *new)), CLAIMS).all, known)
    for sign, callers in grouped(EVERYBODY, known).items():
        caller = callers[0]
        before, after = (kept(row_filter(each, caller.who, caller.in_force)) for each in (old, new))
        gained = any(now and not was for was, now in zip(before, after, strict=True))
        lost = any(was and not now for was, now in zip(before, after, strict=True))
        for each in classes[sign]:
            sees = told.get((each.who.fingerprint, each.agreements))
            if gained:
                assert sees is Sees.MORE
            elif lost:
                assert sees is Sees.LESS
            elif sees is Sees.MORE or sees is Sees.LESS:  # one condition more, which no row tells apart
                was, now = (row_filter(policies, caller.who, caller.in_force) for policies in (old, new))
                assert parts(was) < parts(now) or parts(now) < parts(was) or not {True, False}.isdisjoint({was, now})


@given(sides)
@settings(max_examples=200, deadline=None)
def test_no_side_differs_from_itself(one):
    again = Side(tuple(reversed(one.policies)), one.tier, one.sees)
    assert _fields(one, one, CLAIMS) == ((), 0)
    assert _fields(one, again, CLAIMS)[0] == ()


# --- the example, line by line ---


def example() -> dict[str, str]:
    found = {str(path.relative_to(EXAMPLES)): path.read_text("utf-8") for path in sorted(EXAMPLES.rglob("*.yaml"))}
    return {name: text for name, text in found.items() if name.partition("/")[0] not in {"extra", "gitops"}}


def sided(found: Built) -> Tree:
    assert found.plan is not None
    return tree(found.plan, found.loaded.documents)


WHOLE = example()
BEFORE = sided(build(Memory(WHOLE), "mesh.yaml"))


def without_a_line() -> Iterator[tuple[str, dict[str, str]]]:
    for name, text in WHOLE.items():
        if name.startswith("policies/") or name == "taxonomy.yaml":
            lines = text.splitlines(keepends=True)
            for number, line in enumerate(lines):
                if line.strip() and not line.lstrip().startswith("#"):
                    yield f"{name}:{number + 1}", {**WHOLE, name: "".join(lines[:number] + lines[number + 1 :])}


def without_a_tag() -> Iterator[tuple[str, dict[str, str]]]:
    for name, text in WHOLE.items():
        for found in re.finditer(r"tags: \[([^\]]+)\]", text) if name.startswith("products/") else ():
            line = text.count("\n", 0, found.start()) + 1
            yield f"{name}:{line}", {**WHOLE, name: text[: found.start()] + "tags: []" + text[found.end() :]}


def without_tests(files: dict[str, str]) -> dict[str, str]:
    """The same without inline tests, which refuse most of these edits before they can be compared."""
    policies = {n: re.sub(r"\ntests:\n(?:  .*\n)+", "\n", t) for n, t in files.items() if n.startswith("policies/")}
    return {**files, **policies}


BARE = sided(build(Memory(without_tests(WHOLE)), "mesh.yaml"))
DROPPED = [pytest.param(files, id=name) for name, files in (*without_a_line(), *without_a_tag())]


@pytest.mark.parametrize("files", DROPPED)
def test_dropping_any_line_is_reported(files: dict[str, str]) -> None:
    found = build(Memory(files), "mesh.yaml")
    if found.plan is not None:
        assert compare(BEFORE, sided(found)).changes
        return
    bare = build(Memory(without_tests(files)), "mesh.yaml")
    if bare.plan is not None and without_tests(files) != without_tests(WHOLE):
        changes = compare(BARE, sided(bare)).changes
        assert any(each.cls is not Class.SAFE for each in changes)
    else:
        assert found.failed

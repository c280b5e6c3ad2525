# SPDX-License-Identifier: Apache-2.0
"""Whether our answers are those that Ranger's files expect."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from tests.conformance.ranger import acls, verdicts
from tests.conformance.ranger.asking import Mesh
from tests.conformance.ranger.model import Question, Request, Stage, Tag, Unsaid

UNKNOWNS = 6
"""Claims nobody knows that are tried both ways at most."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a question: not judged for a reason, or judged, with what is not as expected."""

    name: str
    unsaid: str = ""
    wrong: str = ""


def judge(stage: Stage) -> Iterator[Verdict]:
    """Judge the questions of a stage."""
    groups: dict[tuple[Tag, ...], list[Question]] = {}
    for question in stage.questions:
        if question.unsaid or question.request is None:
            yield Verdict(question.name, question.unsaid)
        else:
            groups.setdefault(question.request.tags or (), []).append(question)
    for tags, questions in groups.items():
        yield from _judged(stage, tags, questions)


def _judged(stage: Stage, tags: tuple[Tag, ...], questions: list[Question]) -> Iterator[Verdict]:
    requests = [each.request for each in questions if each.request is not None]
    callers = {name for each in questions for name in acls.named(stage.setting, each.expected)["user"]}
    try:
        mesh = Mesh(stage.setting, requests, tags, frozenset(callers))
    except Unsaid as reason:
        yield from (Verdict(each.name, str(reason)) for each in questions)
        return
    for each in questions:
        assert each.request is not None
        try:
            wrong = "; ".join(filter(None, (_checked(mesh, each.request, *one) for one in each.expected.items())))
            yield Verdict(each.name, wrong=wrong)
        except Unsaid as reason:
            yield Verdict(each.name, str(reason))


def _checked(mesh: Mesh, request: Request, what: str, expected: Any) -> str:
    """Check one expectation with every value that the claims may have which nobody knows."""
    own, below = mesh.places(request)
    claims = mesh.unknown([each for each in (own, *below) if each is not None])
    if len(claims) > UNKNOWNS:
        raise Unsaid(mesh.draft.said.unknowns.reasons[claims[0]])
    check = verdicts.CHECKS.get(what) or acls.CHECKS[what]
    found = {
        check(mesh, request, expected, dict(zip(claims, values, strict=True)))
        for values in product((False, True), repeat=len(claims))
    }
    if len(found) > 1:
        raise Unsaid(mesh.draft.said.unknowns.reasons[claims[0]])
    return found.pop()

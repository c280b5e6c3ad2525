# SPDX-License-Identifier: Apache-2.0
"""Our classes of GraphQL changes against graphql-inspector and graphql-js, wherever these two agree."""

import json
from typing import Any

from dictamesh.runtime.diff.change import Class, worst
from dictamesh.runtime.diff.schemas import graphql_changes
from tests.conformance.sets import needed


def verdict(*, breaking: bool, dangerous: bool) -> Class:
    return Class.BREAKING if breaking else Class.REVIEW if dangerous else Class.SAFE


def verdicts(case: dict[str, Any]) -> tuple[Class, Class]:
    levels = {each["level"] for each in case["inspector"]}
    inspector = verdict(breaking="BREAKING" in levels, dangerous="DANGEROUS" in levels)
    reference = verdict(breaking=bool(case["graphqljs_breaking"]), dangerous=bool(case["graphqljs_dangerous"]))
    return inspector, reference


def test_we_agree_with_both_tools_wherever_they_agree():
    cases = json.loads((needed("graphql-inspector-diff") / "cases.json").read_text("utf-8"))
    agreed, wrong = 0, []
    for case in cases:
        inspector, reference = verdicts(case)
        if inspector is reference:
            agreed += 1
            ours = worst(each.cls for each in graphql_changes(case["old_sdl"], case["new_sdl"]))
            if ours is not inspector:
                wrong.append((case["source"], case["test"], ours, inspector))
    assert agreed >= len(cases) // 2
    assert not wrong, wrong


def test_every_change_names_what_it_is_about():
    cases = json.loads((needed("graphql-inspector-diff") / "cases.json").read_text("utf-8"))
    for case in cases:
        for each in graphql_changes(case["old_sdl"], case["new_sdl"]):
            assert all(part.isidentifier() for part in each.address.split(".")), each

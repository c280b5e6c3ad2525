# SPDX-License-Identifier: Apache-2.0
"""Random mutations of the example: each gives placed findings or another plan, and nobody sees more in silence."""

import difflib
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.compile.compiler import OUTSIDE
from dictamesh.runtime.diff.weakening import weaker
from dictamesh.runtime.mesh.build import Built, build
from dictamesh.specs.diagnostics import CODES, Severity, render
from dictamesh.specs.documents import Folder, Memory, load
from tests.properties.exposure import loosened
from tests.properties.mutations import CANARY, MUTATIONS, Tree, mutated

EXAMPLES = Path(__file__).parents[2] / "examples"
COUNT = int(os.environ.get("DICTAMESH_MUTATIONS", "500"))
SEED = int(os.environ.get("DICTAMESH_MUTATION_SEED", "20260131"))


def example() -> Tree:
    """The files that the example's mesh file includes."""
    return {name: source.text for name, source in load(Folder(EXAMPLES), "mesh.yaml").sources.items()}


def built(tree: Tree) -> Built:
    return build(Memory(tree), "mesh.yaml")


def said(found: Built) -> str:
    """What the documents of a tree say, whatever their order and that of their keys."""
    documents: list[Any] = []
    for each in found.loaded.documents:
        plain: dict[str, Any] = each.plain()
        kept = {key: value for key, value in plain.items() if each.kind != "Mesh" or key not in OUTSIDE}
        documents.append(json.dumps(kept, sort_keys=True))
    return "\n".join(sorted(documents))


def check_places(found: Built, tree: Tree) -> None:
    for each in found.diagnostics:
        assert each.code in CODES
        assert each.message
        assert each.hint
        assert each.file in tree or each.code == "DM001"
        source = found.sources.get(each.file)
        if source is None:
            assert (each.line, each.column) == (1, 1)
            continue
        line = source.line(each.line)
        assert line is not None or each.line == 1
        assert 1 <= each.column <= len(line or "") + 1
        assert (each.end_line, each.end_column) >= (each.line, each.column)
    shown = render(found.diagnostics, found.sources)
    for each in found.diagnostics:
        if each.code == "DM701":
            line = found.sources[each.file].line(each.line) or ""
            if CANARY in line:
                assert CANARY not in shown


def check(tree: Tree, base: Built, counts: Counter[str]) -> None:
    found = built(tree)
    check_places(found, tree)
    if found.plan is None:
        assert any(each.severity is Severity.ERROR for each in found.diagnostics)
        counts["refused"] += 1
        return
    assert base.plan is not None
    same = said(found) == said(base)
    assert (found.plan.hash == base.plan.hash) == same
    counts["same" if same else "another plan"] += 1
    looser = list(loosened(base.plan, found.plan))
    if looser:
        counts["looser"] += 1
        assert weaker(base.plan, found.plan), f"nothing warns of {looser[0]}"
    if same:
        assert not weaker(base.plan, found.plan)


@pytest.mark.timeout(300)
def test_mutations_of_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    tree = example()
    base = built(tree)
    assert base.plan is not None
    counts: Counter[str] = Counter()
    for number in range(COUNT):
        chance = random.Random(f"{SEED}/{number}")
        name, changed = mutated(tree, chance)
        try:
            check(changed, base, counts)
        except Exception as fault:
            raise AssertionError(f"seed {SEED}, mutation {number}: {name}\n{_changes(tree, changed)}") from fault
    with capsys.disabled():
        print(f"\n{COUNT} mutations of {len(MUTATIONS)} kinds, seed {SEED}: {dict(sorted(counts.items()))}")
    # A run that finds everything alike would prove nothing.
    assert counts["refused"] > COUNT // 4
    assert counts["another plan"] > COUNT // 20
    assert counts["same"] > COUNT // 50
    assert counts["looser"] > COUNT // 100


def _changes(before: Tree, after: Tree) -> str:
    lines = [
        line
        for path in sorted({*before, *after})
        for line in difflib.unified_diff(
            before.get(path, "").splitlines(), after.get(path, "").splitlines(), path, path, lineterm="", n=1
        )
    ]
    return "\n".join(lines[:60])

# SPDX-License-Identifier: Apache-2.0
"""All golden cases: what bad input says, and where."""

from collections.abc import Callable

import pytest

from dictamesh.specs.diagnostics import render
from dictamesh.specs.documents import Memory, load
from tests.support.golden import Case, cases, check


def run_load(case: Case) -> str:
    loaded = load(Memory(case.files), case.options.get("main", "mesh.yaml"))
    return render(loaded.diagnostics, loaded.sources) or "no findings"


RUNNERS: dict[str, Callable[[Case], str]] = {
    "load": run_load,
}


@pytest.mark.parametrize("case", cases("*.md"))
def test_case(case: Case) -> None:
    check(case, RUNNERS[case.runner](case))

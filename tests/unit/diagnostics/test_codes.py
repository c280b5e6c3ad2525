# SPDX-License-Identifier: Apache-2.0
"""The code tables, and that each code for reading has a case."""

import re
from pathlib import Path

import pytest

from dictamesh.specs.diagnostics import CODES, GROUPS, Code
from tests.support.golden import CASES

TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.code)
def test_rows_are_whole(code: Code) -> None:
    assert code.title
    assert not code.title.endswith(".")
    assert code.explanation.endswith(".")
    assert code.cure.endswith((".", "?"))


def test_bad_code_is_refused() -> None:
    with pytest.raises(ValueError):
        Code("DM1", "t", "e", "c")


def test_every_code_for_reading_is_shown_by_a_test() -> None:
    texts = (CASES / "reading.md").read_text() + "".join(
        path.read_text() for path in (TESTS / "unit" / "documents").glob("test_*.py")
    )
    assert {code.code for code in GROUPS["DM0"]} <= set(re.findall(r"DM\d{3}", texts))

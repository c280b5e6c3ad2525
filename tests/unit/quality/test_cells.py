# SPDX-License-Identifier: Apache-2.0
"""Rules measured on rows in memory: what counts as NULL, as missing, as invalid, and where."""

from typing import Any

import pytest

from dictamesh.runtime.adapters.cells import DATA_INVALID
from dictamesh.runtime.quality.cells import bad_rows, needed
from dictamesh.specs.quality import Check, QualityRule

ROWS: list[dict[str, Any]] = [
    {"a": "x", "b": 1, "o": {"m": "x"}, "l": ["x", None], "s": [{"m": "x", "n": [1, [2]]}, {"m": None, "n": None}]},
    {"a": "y", "b": 1, "o": {"m": None}, "l": [], "s": []},
    {"a": None, "b": None, "o": None, "l": None, "s": None},
    {"a": DATA_INVALID, "b": 1, "o": {"m": DATA_INVALID}, "l": DATA_INVALID, "s": [{"m": "z", "n": [DATA_INVALID]}]},
    {"a": "x", "b": 2, "o": DATA_INVALID, "l": ["y"], "s": DATA_INVALID},
]


def counted(check: Check, path: str, through: str = "", **more: Any) -> int | None:
    steps = tuple(each == "[" for each in through) or (False,) * len(path)
    return bad_rows(QualityRule("r", check, tuple(path), steps, **more), ROWS, {})


@pytest.mark.parametrize(
    ("path", "through", "nulls", "invalid"),
    [("a", ".", 1, 2), ("om", "..", 2, 2), ("l", "[", 1, 2), ("sm", "[.", 1, 2), ("sn", "[[", 0, 3)],
)
def test_where_a_rule_leads(path: str, through: str, nulls: int, invalid: int) -> None:
    """Over arrays any item counts for its row; an array that is not there holds none."""
    assert counted(Check.NULL, path, through) == counted(Check.MISSING, path, through, null=True) == nulls
    assert counted(Check.INVALID, path, through, values=("x",)) == invalid


def test_an_array_is_a_value_itself() -> None:
    assert counted(Check.NULL, "l") == counted(Check.MISSING, "l", null=True) == 1
    assert counted(Check.NULL, "sn", "[.") == 1


def test_what_stands_for_nothing() -> None:
    assert counted(Check.MISSING, "a", values=("x",)) == 2
    assert counted(Check.MISSING, "a", values=("x",), null=True) == 3
    assert counted(Check.MISSING, "l", "[", values=("x", "y")) == 2


@pytest.mark.parametrize(
    ("values", "pattern", "bad"),
    [(("x",), None, 2), ((), "^[x]$", 2), (("x", "y"), "^x", 2), ((), "", 1), ((), "[xy]", 1), (("x", "y"), None, 1)],
)
def test_what_is_not_as_it_may_be(values: tuple[Any, ...], pattern: str | None, bad: int) -> None:
    """NULL is; what does not fit its type is not."""
    assert counted(Check.INVALID, "a", values=values, pattern=pattern) == bad


def test_text_that_no_pattern_can_read() -> None:
    rule = QualityRule("r", Check.INVALID, ("a",), (False,), pattern=".")
    assert bad_rows(rule, [{"a": "\ud800"}, {"a": "é"}], {}) == 1


def test_a_pattern_takes_linear_time() -> None:
    rule = QualityRule("r", Check.INVALID, ("a",), (False,), pattern="^(a+)+$")
    assert bad_rows(rule, [{"a": "a" * 50_000 + "b"}], {}) == 1


def test_duplicates() -> None:
    def surplus(*fields: str) -> int | None:
        return bad_rows(QualityRule("r", Check.DUPLICATE, fields=fields), ROWS, {})

    assert surplus("a") == 1, "NULL and what is no value equal nothing"
    assert surplus("b") == 2
    assert surplus("a", "b") == 0
    assert surplus("b", "a") == 0


def test_what_is_about_no_rows_in_particular() -> None:
    assert bad_rows(QualityRule("r", Check.ROWS), ROWS, {}) is None


def test_which_fields_are_read() -> None:
    rules = [
        QualityRule("r", Check.NULL, ("o", "m"), (False, False)),
        QualityRule("r", Check.DUPLICATE, ("a",), (False,), fields=("b", "c")),
        QualityRule("r", Check.ROWS),
    ]
    assert needed(rules) == {"o", "b", "c"}

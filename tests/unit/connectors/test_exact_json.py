# SPDX-License-Identifier: Apache-2.0
"""Numbers of JSON arrive with all their digits, whichever parser reads them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.connectors.exact_json import loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("19.99", Decimal("19.99")),
        ("-0.10", Decimal("-0.10")),
        ("[1, 2]", [1, 2]),
        ('{"a":1e2}', {"a": Decimal("1E+2")}),
        ("9223372036854775807", 2**63 - 1),
        ("[18446744073709551616]", [2**64]),
        ('{"a":-99999999999999999999}', {"a": -99999999999999999999}),
        ("[1.0000000000000000000000001]", [Decimal("1.0000000000000000000000001")]),
        ("[1e400]", [Decimal("1e400")]),
        ("[1e9999999999999999999]", ["1e9999999999999999999"]),
        ('{"a":1,"a":2}', {"a": 2}),
        ('"\\ud800x"', "\ufffdx"),
        ('"\\ud83d\\ude00"', "😀"),
        ("\ufeff[1]", [1]),
        ('"1.5 and 2e3"', "1.5 and 2e3"),
    ],
)
def test_values(text: str, value: Any) -> None:
    found = loads(text)
    assert found == value
    assert type(found) is type(value)
    assert loads(text.encode()) == value


@pytest.mark.parametrize(
    "text", ["", "NaN", "[Infinity]", "[-Infinity]", "{", "[1.5,]", "'x'", "[" * 200_000, "1 2", "[01]"]
)
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)


def test_text_that_is_no_unicode() -> None:
    with pytest.raises(ValueError):
        loads(b'"\xff"')


texts = st.text(st.characters(exclude_categories=["Cs"]))
exact = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | texts
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


def written(value: Any) -> str:
    match value:
        case Decimal():
            text = str(value)
            return text if "." in text or "E" in text else text + ".0"
        case list():
            return "[" + ", ".join(map(written, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)}: {written(item)}" for key, item in value.items()) + "}"
        case _:
            return json.dumps(value)


@given(exact)
def test_every_value_comes_back(value: Any) -> None:
    assert loads(written(value)) == value

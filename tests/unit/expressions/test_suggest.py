# SPDX-License-Identifier: Apache-2.0
"""Did you mean ...?"""

import pytest

from dictamesh.specs.suggest import suggest


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("finanse", ["finance", "france"], "finance"),
        ("EMAIL", ["email", "mail"], "email"),
        ("emial", ["email", "mail"], "email"),
        ("group", ["Group", "groups"], "Group"),
        ("customers", ["customer", "costume"], "customer"),
        ("xyz", ["email", "name"], None),
        ("", ["email"], None),
        ("a", ["b"], None),
        ("id", ["ID", "it"], "ID"),
        ("name", [], None),
    ],
)
def test_the_nearest_name_is_suggested(word: str, known: list[str], found: str | None) -> None:
    assert suggest(word, known) == found

# SPDX-License-Identifier: Apache-2.0
"""Limits of values that change: what could not come before is news to readers."""

import datetime
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dictamesh.runtime.diff.change import Class
from dictamesh.runtime.diff.compare import compare
from dictamesh.runtime.diff.limits import limit_changes
from dictamesh.specs.limits import Limit, Limited
from tests.support.example import PRODUCTS, edited, files, side
from tests.support.plans import field

FIELD = field("sku")


def changes(old: dict[Limit, Any], new: dict[Limit, Any]) -> list[tuple[Any, ...]]:
    one, other = (replace(FIELD, limits=tuple(Limited(*each) for each in limits.items())) for limits in (old, new))
    return list(limit_changes(one, other))


@pytest.mark.parametrize(
    ("limit", "wide", "narrow"),
    [
        (Limit.MIN_LENGTH, 1, 2),
        (Limit.MAX_LENGTH, 9, 8),
        (Limit.MINIMUM, Decimal(-1), Decimal("0.5")),
        (Limit.MAXIMUM, datetime.date(2030, 1, 1), datetime.date(2029, 1, 1)),
        (Limit.EXCLUSIVE_MINIMUM, 0.1, 0.2),
        (Limit.EXCLUSIVE_MAXIMUM, 0.2, 0.1),
        (Limit.MULTIPLE_OF, Decimal("0.05"), Decimal("0.10")),
        (Limit.MIN_ITEMS, 0, 1),
        (Limit.MAX_ITEMS, 5, 4),
        (Limit.UNIQUE_ITEMS, False, True),
        (Limit.MIN_PROPERTIES, 0, 1),
        (Limit.MAX_PROPERTIES, 5, 4),
        (Limit.REQUIRED, ("a",), ("a", "b")),
    ],
)
def test_a_tightened_limit_is_reviewed_and_a_loosened_one_breaks(limit: Limit, wide: Any, narrow: Any) -> None:
    ((cls, kind, _, _),) = changes({limit: wide}, {limit: narrow})
    assert (cls, kind) == (Class.REVIEW, "limit-tightened")
    ((cls, kind, _, _),) = changes({limit: narrow}, {limit: wide})
    assert (cls, kind) == (Class.BREAKING, "limit-loosened")
    assert changes({limit: wide}, {limit: wide}) == []


def test_limits_that_come_and_go() -> None:
    pattern = {Limit.PATTERN: "^a"}
    assert changes({}, pattern) == [(Class.REVIEW, "limit-added", None, "pattern ^a")]
    assert changes(pattern, {}) == [(Class.BREAKING, "limit-removed", "pattern ^a", None)]


def test_patterns_cannot_be_compared() -> None:
    other = {Limit.PATTERN: "^ab"}
    assert changes({Limit.PATTERN: "^a"}, other) == [(Class.BREAKING, "limit-loosened", "pattern ^a", "pattern ^ab")]


def test_multiples_of_neither_are_other_values() -> None:
    ((cls, _, _, _),) = changes({Limit.MULTIPLE_OF: Decimal(2)}, {Limit.MULTIPLE_OF: Decimal(3)})
    assert cls is Class.BREAKING


def test_an_edit_is_told_once_with_its_place() -> None:
    plain = "{name: sku, logicalType: string,"
    limited = f"{plain} logicalTypeOptions: {{pattern: '^S'}},"
    before, after = side(files()), side(edited(files(), (PRODUCTS, plain, limited)))
    (added,) = compare(before, after).changes
    assert (added.cls, added.kind, added.address) == (Class.REVIEW, "limit-added", "products#Product.sku")
    assert added.place is not None
    kinds = {each.kind: each.cls for each in compare(after, before).changes}
    assert kinds.pop("limit-removed") is Class.BREAKING
    assert kinds.keys() == {"major-version-kept"}

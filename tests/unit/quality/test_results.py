# SPDX-License-Identifier: Apache-2.0
"""Measures held against bounds, shares, and when rules are due."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from dictamesh.runtime.quality.due import due
from dictamesh.runtime.quality.results import Measured, Outcome, judged
from dictamesh.specs.manifest import Measure
from dictamesh.specs.quality import Bound, Check, Operator, QualityRule

BE, NOT, GT, GE, LT, LE, IN, OUT = Operator


@pytest.mark.parametrize(
    ("operator", "values", "met", "missed"),
    [
        (BE, [3], [3, 3.0], [2, 4, 3.5]),
        (BE, [0.1], [Fraction(1, 10)], [Fraction(1, 3)]),
        (BE, [True], [1, True], [0, False, 2]),
        (BE, [0], [False, 0], [True]),
        (NOT, [3], [2, 4], [3]),
        (GT, [3], [3.5, 4], [3, 2]),
        (GE, [3], [3, 4], [2]),
        (LT, [3], [2, 2.9], [3, 4]),
        (LE, [3], [3, -1], [4]),
        (IN, [1, 3], [2, 1.5], [1, 3, 0, 4]),
        (OUT, [1, 3], [1, 3, 0, 4], [2, 1.5]),
    ],
)
def test_bounds(operator: Operator, values: list[Any], met: list[Any], missed: list[Any]) -> None:
    bound = Bound(operator, tuple(each if isinstance(each, bool) else Decimal(str(each)) for each in values))
    assert [bound.holds(Fraction(each)) for each in met] == [True] * len(met)
    assert [bound.holds(Fraction(each)) for each in missed] == [False] * len(missed)


def rule(check: Check, operator: Operator = BE, *values: Any, **more: Any) -> QualityRule:
    return QualityRule("r", check, ("f",), (False,), Bound(operator, values or (Decimal(0),)), **more)


@pytest.mark.parametrize(
    ("given", "found", "outcome", "value", "rate"),
    [
        (rule(Check.NULL), Measured(4, 0), Outcome.PASSED, 0, 1.0),
        (rule(Check.NULL), Measured(4, 1), Outcome.FAILED, 1, 0.75),
        (rule(Check.NULL, LT, Decimal(30), percent=True), Measured(4, 1), Outcome.PASSED, 25, 0.75),
        (rule(Check.NULL, LT, Decimal(30), percent=True), Measured(0, 0), Outcome.PASSED, 0, 1.0),
        (rule(Check.NULL, LE, Decimal(33), percent=True), Measured(3, 1), Outcome.FAILED, Fraction(100, 3), 1 - 1 / 3),
        (rule(Check.ROWS, GT, Decimal(3)), Measured(4), Outcome.PASSED, 4, 1.0),
        (rule(Check.ROWS, GT, Decimal(4)), Measured(4), Outcome.FAILED, 4, 0.0),
        (rule(Check.CONDITION, GE, Decimal(1)), Measured(4, 1), Outcome.PASSED, 1, 1.0),
        (rule(Check.CONDITION, GE, Decimal(2)), Measured(4, 1), Outcome.FAILED, 1, 0.0),
        (rule(Check.QUERY, measure=Measure("", "v", counts=True)), Measured(value=Fraction(0)), Outcome.PASSED, 0, 1.0),
        (
            rule(Check.QUERY, measure=Measure("", "v", counts=False)),
            Measured(value=Fraction(7)),
            Outcome.FAILED,
            None,
            0.0,
        ),
        (rule(Check.QUERY), Measured(), Outcome.ERROR, None, None),
        (rule(Check.NULL, percent=True), Measured(None, 1), Outcome.ERROR, None, None),
    ],
)
def test_a_measure_is_judged(
    given: QualityRule, found: Measured, outcome: Outcome, value: Any, rate: float | None
) -> None:
    result = judged("a#B", given, found, 0.5)
    assert (result.outcome, result.value, result.rate, result.seconds) == (outcome, value, rate, 0.5)


def test_a_measure_as_a_decimal() -> None:
    result = judged("a#B", rule(Check.NULL, percent=True), Measured(3, 1), 0)
    assert result.decimal == Decimal("33.333333333333")
    assert judged("a#B", rule(Check.ROWS), Measured(10**30), 0).decimal == Decimal(10**30)
    assert judged("a#B", rule(Check.QUERY), Measured(), 0).decimal is None


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "checked", "found"),
    [
        (None, None, NOON + timedelta(hours=1)),
        (None, NOON - timedelta(hours=3), NOON - timedelta(hours=3) + timedelta(days=1)),
        (None, NOON - timedelta(days=3), NOON - timedelta(days=2)),
        ("0 20 * * *", None, NOON.replace(hour=20)),
        ("0 20 * * *", NOON - timedelta(days=3), NOON.replace(day=28, hour=20)),
    ],
)
def test_when_a_rule_is_due(schedule: str | None, checked: datetime | None, found: datetime) -> None:
    assert due(rule(Check.ROWS, schedule=schedule), checked, NOON, 86_400) == found
    assert due(rule(Check.ROWS), None, NOON, 60) == NOON + timedelta(minutes=1)

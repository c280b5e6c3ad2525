# SPDX-License-Identifier: Apache-2.0
"""Service levels (AD-5) and what a field is said to be (AD-4)."""

from typing import Any

import pytest

from dictamesh.runtime.compile.contract import service_levels
from dictamesh.runtime.compile.plan import FieldPlan
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.diagnostics import render
from dictamesh.specs.documents import Memory
from dictamesh.specs.model import Contract
from tests.support.depot import FILES


def levels(*given: dict[str, Any]) -> dict[str, Any]:
    contract = {"apiVersion": "dictamesh/v1", "kind": "DataProduct", "id": "a", "name": "a", "version": "1.0.0"}
    document = {**contract, "status": "active", "slaProperties": list(given)}
    return dict(service_levels(Contract.model_validate(document)))


def test_what_is_not_said_is_the_founding_figure() -> None:
    assert levels() == {
        "availability": 0.999,
        "freshness": 5.0,
        "responseTime": 0.5,
        "responseTimeP95": 0.2,
        "responseTimeP50": 0.05,
        "retention": None,
        "endOfSupport": None,
        "endOfLife": None,
    }


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2027-06-30", "2027-06-30T00:00:00Z"),
        ("2027-06-30T10:00:00", "2027-06-30T10:00:00Z"),
        ("2027-06-30T10:00:00+02:00", "2027-06-30T08:00:00Z"),
        ("some day", None),
        (5, None),
        (None, None),
    ],
)
def test_when_support_and_life_end(value: Any, found: str | None) -> None:
    made = levels({"property": "endOfSupport", "value": value}, {"property": "endOfLife", "value": value})
    assert (made["endOfSupport"], made["endOfLife"]) == (found, found)


@pytest.mark.parametrize(
    ("given", "p99", "p95", "p50"),
    [
        ([("responseTime", 2, "s")], 2, 0.2, 0.05),
        ([("responseTime", 100, "ms")], 0.1, 0.1, 0.05),
        ([("responseTime", 10, "ms")], 0.01, 0.01, 0.01),
        ([("responseTimeP95", 300, "ms")], 0.5, 0.3, 0.05),
        ([("responseTimeP50", 10, "ms"), ("responseTimeP95", 30, "ms")], 0.5, 0.03, 0.01),
    ],
)
def test_a_percentile_is_no_more_than_the_next(
    given: list[tuple[str, float, str]], p99: float, p95: float, p50: float
) -> None:
    found = levels(*({"property": name, "value": value, "unit": unit} for name, value, unit in given))
    assert [found[name] for name in ("responseTime", "responseTimeP95", "responseTimeP50")] == [p99, p95, p50]


def test_what_a_contract_says_of_a_field() -> None:
    built = build(Memory(FILES), "mesh.yaml")
    assert built.plan is not None, render(built.diagnostics, built.sources)

    def those(entity: str, which: str) -> list[str]:
        fields: tuple[FieldPlan, ...] = built.plan.entities[entity].fields  # type: ignore[union-attr]
        return [each.name for each in fields if getattr(each, which)]

    assert those("goods#Good", "unique") == ["id", "label"]
    assert those("goods#Good", "indexed") == ["id", "label", "movedAt"]
    assert those("goods#Good", "encrypted") == ["keeper"]
    assert those("makers#Site", "unique") == []
    assert those("makers#Site", "indexed") == []

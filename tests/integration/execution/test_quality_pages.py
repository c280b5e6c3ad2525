# SPDX-License-Identifier: Apache-2.0
"""A rate of a quality rule is made of values: it is for callers who see these values in clear on every row."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from dictamesh.runtime.catalog.catalog import QualityResult
from dictamesh.runtime.catalog.products import product_page
from dictamesh.specs.quality import Check, QualityRule
from tests.integration.catalog.graph.conftest import NOON
from tests.integration.execution.catalog import Known, known
from tests.integration.execution.conftest import EXAMPLES
from tests.integration.execution.harness import Running
from tests.integration.execution.test_catalog import CALLERS

CUSTOMER = "customers#Customer"
RULES = (
    QualityRule("rows", Check.ROWS),
    QualityRule("status", Check.INVALID, ("status",), (False,)),
    QualityRule("email", Check.NULL, ("email",), (False,)),
    QualityRule("street", Check.NULL, ("address", "street"), (False, False)),
    QualityRule("once", Check.DUPLICATE, fields=("country", "email")),
    QualityRule("countries", Check.DUPLICATE, fields=("country",)),
    QualityRule("query", Check.QUERY),
    QualityRule("condition", Check.CONDITION, ("status",), (False,)),
)


async def results(_: Sequence[str]) -> dict[str, list[QualityResult]]:
    told = [QualityResult(".".join((CUSTOMER, *each.path)), each.name, True, 0.5, NOON) for each in RULES]
    return {"customers": [*told, QualityResult(CUSTOMER, "forgotten", False, 0.0, NOON)]}


@pytest.fixture
async def mesh(example: Running, embedded_dsn: str) -> AsyncIterator[Known]:
    async with known(example, embedded_dsn, EXAMPLES, {}, CALLERS) as found:
        customer = replace(example.plan.entities[CUSTOMER], quality=RULES)
        plan = replace(example.plan, entities={**example.plan.entities, CUSTOMER: customer})
        found.catalog.plan = lambda: plan
        found.catalog.quality = results
        yield found


@pytest.mark.parametrize(
    ("caller", "told"),
    [
        ("support", {each.name for each in RULES}),
        ("clerk", {"rows", "status", "countries"}),  # the others read what is masked, or may read it
        ("analyst", set[str]()),  # only customers of some countries exist for it
    ],
)
async def test_results_are_for_those_who_see_what_they_are_made_of(mesh: Known, caller: str, told: set[str]) -> None:
    page = await product_page(mesh.catalog, mesh.eyes(CALLERS[caller]), "customers")
    assert {each.rule for each in page.quality or ()} == told

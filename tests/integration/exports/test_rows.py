# SPDX-License-Identifier: Apache-2.0
"""Answers as the exported JSON Schema says they are, whoever asks."""

from typing import Any

import jsonschema
import pytest

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan
from dictamesh.runtime.exports.json_schema import row_schema
from dictamesh.runtime.governance.principal import ANONYMOUS, Principal
from dictamesh.specs.types import Kind
from tests.integration.execution.harness import Running

CLERK = Principal("clerk", True, frozenset({"clerk"}), None, ())


def selection(fields: tuple[FieldPlan, ...]) -> str:
    return " ".join(f"{each.name} {{ {selection(each.members)} }}" if each.members else each.name for each in fields)


async def rows(mesh: Running, entity: EntityPlan, who: Principal) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await mesh.ask(f"{{ {entity.plural} {{ {selection(entity.fields)} }} }}", who))[
        "data"
    ][entity.plural]
    return found


def validator(entity: EntityPlan) -> jsonschema.Draft202012Validator:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    assert {"date", "date-time"} <= set(checker.checkers), "formats would not be checked"
    return jsonschema.Draft202012Validator(row_schema(entity), format_checker=checker)


@pytest.mark.parametrize("who", [ANONYMOUS, CLERK], ids=["anonymous", "clerk"])
async def test_answers_are_as_the_schema_says(depot: Running, who: Principal) -> None:
    seen: set[Kind] = set()
    for entity in depot.plan.entities.values():
        found = await rows(depot, entity, who)
        assert found
        for row in found:
            assert [error.message for error in validator(entity).iter_errors(row)] == []
        seen |= {each.type.kind for each in entity.fields if any(row[each.name] is not None for row in found)}
    assert seen == set(Kind) - {Kind.NULL}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", None),
        ("id", "1"),
        ("seen", 5),
        ("price", 19.99),
        ("price", "19.999"),
        ("made", "31.01.2026"),
        ("movedAt", "2026-01-31"),
        ("opens", "8:30"),
        ("words", "sharp"),
        ("words", [1]),
        ("state", "in stock"),
    ],
)
async def test_what_is_no_answer_is_refused(depot: Running, field: str, value: Any) -> None:
    entity = depot.plan.entities["goods#Good"]
    row = (await rows(depot, entity, CLERK))[0]
    assert list(validator(entity).iter_errors({**row, field: value}))

# SPDX-License-Identifier: Apache-2.0
"""Adapters for rules: fresh rows, with the text of enumerations as the source has it."""

from collections.abc import Mapping
from dataclasses import replace

from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.adapters.telemetry import SILENT, Telemetry
from dictamesh.runtime.compile.plan import FieldPlan, Plan
from dictamesh.specs.types import Type


def reading(plan: Plan, lines: Mapping[str, Line], telemetry: Telemetry = SILENT) -> Adapters:
    """Return adapters over `lines` that neither cache nor take a text that is not among its values for none."""
    entities = {
        address: replace(entity, fields=tuple(map(_plain_field, entity.fields)))
        for address, entity in plan.entities.items()
    }
    return Adapters(replace(plan, entities=entities), lines, telemetry=telemetry)


def _plain_field(field: FieldPlan) -> FieldPlan:
    return replace(field, type=_plain_type(field.type), members=tuple(map(_plain_field, field.members)))


def _plain_type(kind: Type) -> Type:
    return replace(
        kind,
        values=(),
        item=_plain_type(kind.item) if kind.item else None,
        members=tuple((name, _plain_type(member)) for name, member in kind.members),
    )

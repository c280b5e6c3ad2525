# SPDX-License-Identifier: Apache-2.0
"""From decisions to the function that turns a stored value into the one a caller gets."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from dictamesh.runtime.compile.plan import FieldPlan
from dictamesh.runtime.governance.conditions import Parameters, Row
from dictamesh.runtime.governance.decide import Decision, Outcome, RowOutcome
from dictamesh.runtime.governance.masks import Masking, mask, nullify
from dictamesh.runtime.governance.places import leaves
from dictamesh.specs.rules import Effect
from dictamesh.specs.types import Kind, Type

Serializer = Callable[[Any, Row], Any]


class Judge(Protocol):
    """Who decides, by address of a field."""

    def field(self, address: str) -> Decision:
        """Return the decision on a field."""

    def outcome(self, address: str) -> RowOutcome:
        """Return the function from a row to the outcome for a field."""


def serializer(field: FieldPlan, judge: Judge, parameters: Parameters, keys: Mapping[str, bytes]) -> Serializer:
    """Return the function from a value of `field` and its row to the value served; never changes its arguments.

    Below an object each leaf obeys its own decision; where all leaves are denied the object itself is null, so that not
    even the number of its elements shows. Raises MaskKeyMissing.
    """
    decisions = [judge.field(leaf.address) for leaf in leaves(field)]
    if all(decision.clear for decision in decisions):
        return _as_is
    if all(_denied(decision) for decision in decisions):
        return _null
    if not field.members:
        constant = decisions[0].constant
        if constant is None:
            return _by_row(field.type, judge.outcome(field.address), parameters, keys)
        same = apply(constant, field.type, keys)
        return lambda value, _row: same(value)
    members = tuple((member.name, serializer(member, judge, parameters, keys)) for member in field.members)
    return _walk(field.type, members)


def apply(outcome: Outcome, type: Type, keys: Mapping[str, bytes]) -> Masking:  # noqa: A002 - the language's word
    """Return the function that applies one outcome to values of `type`; raises MaskKeyMissing."""
    if outcome.effect is Effect.ALLOW:
        return _same
    if outcome.effect is Effect.MASK and outcome.mask is not None:
        return mask(outcome.mask, type, keys)
    return nullify


def _denied(decision: Decision) -> bool:
    return decision.constant is not None and decision.constant.effect is Effect.DENY


def _by_row(type_: Type, outcome: RowOutcome, parameters: Parameters, keys: Mapping[str, bytes]) -> Serializer:
    appliers: dict[Outcome, Masking] = {}

    def serve(value: Any, row: Row) -> Any:
        found = outcome(row, parameters)
        applier = appliers.get(found)
        if applier is None:
            applier = appliers[found] = apply(found, type_, keys)
        return applier(value)

    return serve


def _walk(type_: Type, members: tuple[tuple[str, Serializer], ...]) -> Serializer:
    if type_.kind is Kind.ARRAY and type_.item is not None:
        inner = _walk(type_.item, members)
        return lambda value, row: [inner(item, row) for item in value] if isinstance(value, list | tuple) else None

    def serve(value: Any, row: Row) -> Any:
        if not isinstance(value, Mapping):
            return None
        return {name: member(value.get(name), row) for name, member in members}

    return serve


def _as_is(value: Any, _row: Row) -> Any:
    return value


def _null(_value: Any, _row: Row) -> None:
    return None


def _same(value: Any) -> Any:
    return value

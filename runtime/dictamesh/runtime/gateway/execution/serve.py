# SPDX-License-Identifier: Apache-2.0
"""From rows to nodes: every value passes the caller's masks on its way out (S4, S17, S19)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dictamesh.runtime.adapters.cells import CellError, Row
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan
from dictamesh.runtime.gateway.contract import FieldError, Node
from dictamesh.runtime.gateway.execution.picks import EntityPick, FieldPick
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.serialize import Serializer

Values = Callable[[Row, Row], dict[str, Any]]
"""From a row, and the same row as conditions read it, to the values of a node by response key."""

_BROKEN = FieldError("CONTRACT_VIOLATION")


@dataclass(frozen=True, slots=True)
class View:
    """How one caller sees values: decisions, the parameters of conditions, and pseudonyms of keys."""

    access: Access
    parameters: Mapping[str, Any]
    surrogates: Surrogates

    def key_hidden(self, entity: EntityPlan) -> bool:
        """Whether the order of keys would tell the caller of values that are not shown."""
        return entity.surrogate is not None or not all(
            self.access.field(entity.field(name).address).clear for name in entity.key
        )

    def serializer(self, field: FieldPlan) -> Serializer:
        """Return the masks of a field; conditions read the clock of this operation."""
        return self.access.serializer(field, self.parameters)


def values_of(pick: EntityPick, view: View) -> Values:
    """Compile the fields of a selection for one caller; raises MaskKeyMissing."""
    parts = tuple((each.key, each.field.name, _served(each, pick.entity, view)) for each in pick.fields)

    def values(row: Row, read: Row) -> dict[str, Any]:
        return {key: serve(row[name], read) for key, name, serve in parts}

    return values


def _served(pick: FieldPick, entity: EntityPlan, view: View) -> Callable[[Any, Row], Any]:
    field, access = pick.field, view.access
    if view.surrogates.shows(entity, field.name):
        return lambda value, _read: _scalar(view.surrogates.of(entity, value))
    masked = view.serializer(field)
    shape = _shape(pick, access)
    if not (field.required and access.clear(field.address)):
        return lambda value, read: shape(masked(value, read))
    return lambda value, read: _BROKEN if value is None else shape(masked(value, read))


def _shape(pick: FieldPick, access: Access) -> Callable[[Any], Any]:
    """Turn what is served into what an engine takes: errors by value, objects as nodes."""
    if not pick.members:
        return _scalar
    members = tuple(
        (each.key, each.field, _shape(each, access), access.clear(each.field.address)) for each in pick.members
    )

    def shape(value: Any) -> Any:
        if isinstance(value, Mapping):
            return Node(
                {key: _member(value.get(field.name), field, inner, clear) for key, field, inner, clear in members}
            )
        if isinstance(value, list | tuple):
            return [shape(item) for item in value]
        return _scalar(value)

    return shape


def _member(value: Any, field: FieldPlan, shape: Callable[[Any], Any], clear: bool) -> Any:
    return _BROKEN if value is None and field.required and clear else shape(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, CellError):
        return FieldError(value.code)
    if isinstance(value, list):
        return [_scalar(item) for item in value]
    return value

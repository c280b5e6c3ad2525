# SPDX-License-Identifier: Apache-2.0
"""From the rows of a source to mapped rows: what is selected, converted and computed for a set of fields (S1..S5)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from dictamesh.connectors.sdk.protocol import Output, Request
from dictamesh.runtime.adapters.cells import DATA_INVALID, EXPRESSION_FAILED, CellError, Invalid, Row
from dictamesh.runtime.adapters.convert import Converter, Reading, converter
from dictamesh.runtime.adapters.fields import field_converter
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan
from dictamesh.specs.expressions import ExpressionFailed, compile_python
from dictamesh.specs.expressions.tree import Column, columns
from dictamesh.specs.types import Type

Parameters = Mapping[str, Any]
Cell = Callable[[tuple[Any, ...], Parameters], Any]
"""From a source's row and the operation's parameters to a value or a `CellError`."""


@dataclass(frozen=True, slots=True)
class RowMapping:
    """How a set of fields is read: `outputs` are asked of the source, the rest builds the row from what it gives.

    `columns` are fields that are one output, its place and what converts it; `cells` are computed.
    """

    outputs: tuple[Output, ...]
    columns: tuple[tuple[str, int, Converter], ...]
    cells: tuple[tuple[str, Cell], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The fields."""
        return (*(name for name, _, _ in self.columns), *(name for name, _ in self.cells))

    def selecting(self, request: Request, parameters: Parameters) -> Request:
        """Return `request` with these outputs and the values of its parameters."""
        return replace(request, select=self.outputs, parameters=parameters)

    def row(self, raw: tuple[Any, ...], parameters: Parameters) -> Row:
        """Map one row of the source."""
        try:
            row = {name: convert(raw[place]) for name, place, convert in self.columns}
        except Invalid:
            row = {name: _converted(convert, raw[place]) for name, place, convert in self.columns}
        for name, cell in self.cells:
            row[name] = cell(raw, parameters)
        return row


def reading(entity: EntityPlan) -> Reading:
    """Return how values of this entity's source are to be read."""
    offers = entity.capabilities
    return Reading(
        coerce=entity.coerce,
        timezone=ZoneInfo(entity.timezone),
        integer_booleans=offers.integer_booleans,
        text_values=offers.text_values,
        json_text=offers.json_text,
    )


def row_mapping(entity: EntityPlan, names: Iterable[str], *, plain: bool = False) -> RowMapping:
    """Return the mapping of the fields `names`; raises KeyError for a name that is no field.

    With `plain` the source is asked for its columns alone, and Python computes what a source could compute, too.
    """
    drawn = _Selection(entity, plain)
    known = {field.name: field for field in entity.fields}
    parts = [(name, drawn.column(known[name]) or drawn.computed(known[name])) for name in sorted(set(names))]
    columns = tuple((name, *part) for name, part in parts if isinstance(part, tuple))
    cells = tuple((name, part) for name, part in parts if not isinstance(part, tuple))
    return RowMapping(tuple(drawn.outputs.values()), columns, cells)


class _Selection:
    """Collects the outputs of one mapping; each column is selected once."""

    def __init__(self, entity: EntityPlan, plain: bool) -> None:
        self.outputs: dict[str, Output] = {}
        self._plain = plain
        self._places: dict[str, int] = {}
        self._reading = reading(entity)
        self._types = {column.name: column.type for column in entity.source.columns}

    def column(self, field: FieldPlan) -> tuple[int, Converter] | None:
        if field.column is not None:
            return self._column(field.column, field.type), field_converter(field, self._reading)
        if field.pushed is None and not self._plain:
            # `=` cannot begin a column of the same text: physical names stand for themselves
            return self._select(f"={field.name}", Output(f"={field.name}", field.expr)), self._foreign(field)
        return None

    def _foreign(self, field: FieldPlan) -> Converter:
        """What a database computes arrives in its own types: SQLite's decimals and dates are numbers and text."""
        lenient = Reading(
            coerce=True, timezone=self._reading.timezone, integer_booleans=True, text_values=True, json_text=True
        )
        return converter(field.type, lenient)

    def _column(self, name: str, type_: Type) -> int:
        return self._select(name, Output(name, Column((name,), type_)))

    def _select(self, name: str, output: Output) -> int:
        if name not in self.outputs:
            self._places[name] = len(self.outputs)
            self.outputs[name] = output
        return self._places[name]

    def computed(self, field: FieldPlan) -> Cell:
        reads = tuple(
            (name, self._column(name, self._types[name]), converter(self._types[name], self._reading))
            for (name,) in sorted(columns(field.expr))
        )
        return partial(_derived, reads, compile_python(field.expr), converter(field.type, Reading(coerce=True)))


def _converted(convert: Converter, value: Any) -> Any:
    try:
        return convert(value)
    except Invalid:
        return DATA_INVALID


def _derived(
    reads: tuple[tuple[str, int, Converter], ...],
    compute: Callable[[Mapping[str, Any], Parameters], Any],
    fit: Converter,
    raw: tuple[Any, ...],
    parameters: Parameters,
) -> Any | CellError:
    try:
        values = {name: convert(raw[place]) for name, place, convert in reads}
    except Invalid:
        return DATA_INVALID
    try:
        return fit(compute(values, parameters))
    except (ExpressionFailed, Invalid):
        return EXPRESSION_FAILED

# SPDX-License-Identifier: Apache-2.0
"""Converters of whole fields: objects by the physical names of their members, arrays item by item (S3, S4)."""

from collections.abc import Mapping
from typing import Any

from dictamesh.runtime.adapters.cells import DATA_INVALID, Invalid
from dictamesh.runtime.adapters.convert import Converter, Reading, as_list, converter, json_value
from dictamesh.runtime.compile.plan import FieldPlan
from dictamesh.specs.types import Kind, Type


def field_converter(field: FieldPlan, reading: Reading) -> Converter:
    """Return the converter of a field.

    The value itself not fitting raises `Invalid`; a member or an item that does not fit becomes a `CellError` in its
    place, and the rest of the value lives.
    """
    if field.type.kind is Kind.ARRAY:
        return _array(field.type, field.members, reading)
    return _object(field.members, reading) if field.members else converter(field.type, reading)


def _array(type_: Type, members: tuple[FieldPlan, ...], reading: Reading) -> Converter:
    item = type_.item or Type(Kind.JSON)
    if item.kind is Kind.ARRAY:
        inner = _array(item, members, reading)
    else:
        inner = _object(members, reading) if members else converter(item, reading)

    def convert(raw: Any) -> Any:
        values = as_list(raw)
        return None if values is None else [_cell(inner, value) for value in values]

    return convert


def _object(members: tuple[FieldPlan, ...], reading: Reading) -> Converter:
    parts = tuple((field.name, field.column or field.name, field_converter(field, reading)) for field in members)

    def convert(raw: Any) -> Any:
        value = json_value(raw) if isinstance(raw, str | bytes) else raw
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise Invalid
        return {name: _cell(inner, _follow(value, path)) for name, path, inner in parts}

    return convert


def _cell(convert: Converter, raw: Any) -> Any:
    try:
        return convert(raw)
    except Invalid:
        return DATA_INVALID


def _follow(value: Mapping[str, Any], path: str) -> Any:
    """Read a member by its physical name; a dotted one leads through objects where no member has that very name."""
    if path in value or "." not in path:
        return value.get(path)
    found: Any = value
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found

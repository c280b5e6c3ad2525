# SPDX-License-Identifier: Apache-2.0
"""JSON Schema (draft 2020-12) of rows as they are served: the JSON forms of S3."""

from collections.abc import Iterable
from typing import Any

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan
from dictamesh.specs.types import Kind, Type

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_FORMS: dict[Kind, dict[str, Any]] = {
    Kind.STRING: {"type": "string"},
    Kind.BYTES: {"type": "string", "contentEncoding": "base64"},
    Kind.INT: {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    Kind.LONG: {"type": "string", "pattern": "^-?(0|[1-9][0-9]{0,18})$"},
    Kind.FLOAT: {"type": "number"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TIME: {"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?$"},
    Kind.TIMESTAMP: {"type": "string", "format": "date-time"},
}


def row_schema(entity: EntityPlan) -> dict[str, Any]:
    """Return the schema of one row read whole.

    Only the key is sure to be there and not null: a policy may hide any other field. Objects are open, since fields
    are added without notice; `x-` keys say what the contract promises of a field.
    """
    return {
        "$schema": DRAFT,
        "$id": f"urn:dictamesh:{entity.product_id}:{entity.name}",
        "title": entity.name,
        **_said(entity.description),
        "type": "object",
        "properties": {each.name: _field(each, nullable=each.name not in entity.key) for each in entity.fields},
        "required": list(entity.key),
    }


def bundle(entities: Iterable[EntityPlan]) -> dict[str, Any]:
    """Return one document that holds the schemas of several entities under `$defs`, by their names."""
    schemas = {each.name: row_schema(each) for each in entities}
    return {"$schema": DRAFT, "$defs": schemas}


def _field(field: FieldPlan, *, nullable: bool) -> dict[str, Any]:
    return {
        **_said(field.description),
        **_value(field, field.type, nullable=nullable),
        "x-classification": field.tier,
        **({"x-tags": list(field.tags)} if field.tags else {}),
        **({"x-required": True} if field.required else {}),
    }


def _said(description: str) -> dict[str, str]:
    return {"description": description} if description else {}


def _value(field: FieldPlan, kind: Type, *, nullable: bool) -> dict[str, Any]:
    if kind.kind is Kind.JSON:
        return {}
    form = _form(field, kind)
    if not nullable:
        return form
    listed = {"enum": [*form["enum"], None]} if "enum" in form else {}
    return {**form, "type": [form["type"], "null"], **listed}


def _form(field: FieldPlan, kind: Type) -> dict[str, Any]:
    """The form of a value that is not null; items of arrays may be."""
    if kind.kind is Kind.ARRAY:
        return {"type": "array", "items": _value(field, kind.item, nullable=True) if kind.item else {}}
    if kind.kind is Kind.OBJECT:
        members = {each.name: _field(each, nullable=True) for each in field.members}
        return {"type": "object", "properties": members}
    if kind.kind is Kind.DECIMAL:
        digits = f"{{1,{kind.scale}}}" if kind.scale else "+"
        fraction = "" if kind.scale == 0 else f"(\\.[0-9]{digits})?"
        return {"type": "string", "pattern": f"^-?[0-9]+{fraction}$"}
    if kind.values:
        return {"type": "string", "enum": [name for name, _ in field.enum]}
    return dict(_FORMS[kind.kind])

# SPDX-License-Identifier: Apache-2.0
"""The Avro schema of a topic: the event envelope with an optional payload (EV-7, SR-6).

Logical types stand inside the type; beside it readers ignore them.
"""

from collections.abc import Iterable
from typing import Any

from dictamesh.specs.resolved import Field
from dictamesh.specs.types import Kind, Type

NAMESPACE = "com.dictamesh.events"
EVENT_TYPES = ["CREATED", "UPDATED", "DELETED", "ARCHIVED"]
LONG = "long"
SIMPLE: dict[Kind, Any] = {
    Kind.STRING: "string",
    Kind.BYTES: "bytes",
    Kind.INT: "int",
    Kind.LONG: LONG,
    Kind.FLOAT: "double",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: {"type": "int", "logicalType": "date"},
    Kind.TIME: {"type": LONG, "logicalType": "time-micros"},
    Kind.TIMESTAMP: {"type": LONG, "logicalType": "timestamp-micros"},
    Kind.JSON: "string",
}


def envelope(entity: str, fields: Iterable[Field]) -> dict[str, Any]:
    """The schema of one entity's topic; every field of the payload is nullable: no policy edit breaks a reader.

    What a policy encrypts stands as text in `payload_encrypted`, by path, so that a field never changes its type.
    """
    return {
        "type": "record",
        "name": f"{entity}Event",
        "namespace": NAMESPACE,
        "doc": f"A change of one {entity}.",
        "fields": [
            {"name": "event_id", "type": {"type": "string", "logicalType": "uuid"}},
            {"name": "event_type", "type": {"type": "enum", "name": "EventType", "symbols": EVENT_TYPES}},
            {"name": "timestamp", "type": {"type": LONG, "logicalType": "timestamp-millis"}},
            {"name": "source_system", "type": "string"},
            {"name": "domain", "type": "string"},
            {"name": "entity", "type": _entity()},
            {"name": "changed_fields", "type": {"type": "array", "items": "string"}, "default": []},
            {"name": "relationships", "type": {"type": "array", "items": _relationship()}, "default": []},
            {"name": "metadata", "type": {"type": "map", "values": "string"}, "default": {}},
            {"name": "trace_context", "type": _trace()},
            {"name": "payload", "type": ["null", _record(f"{entity}Payload", fields)], "default": None},
            _nullable("payload_encrypted", {"type": "map", "values": "string"}),
        ],
    }


def _entity() -> dict[str, Any]:
    names = ("type", "id", "version", "url")
    return {
        "type": "record",
        "name": "EntityReference",
        "fields": [*({"name": name, "type": "string"} for name in names), _nullable("etag", "string")],
    }


def _relationship() -> dict[str, Any]:
    names = ("type", "entity_id", "source_system", "relationship_kind")
    return {
        "type": "record",
        "name": "RelationshipReference",
        "fields": [*({"name": name, "type": "string"} for name in names), _nullable("display_name", "string")],
    }


def _trace() -> dict[str, Any]:
    return {
        "type": "record",
        "name": "TraceContext",
        "fields": [
            {"name": "trace_id", "type": "string"},
            {"name": "span_id", "type": "string"},
            _nullable("parent_span_id", "string"),
        ],
    }


def _nullable(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


def _record(name: str, fields: Iterable[Field]) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "fields": [_nullable(each.name, avro_type(each.type, f"{name}_{each.name}")) for each in fields],
    }


def avro_type(kind: Type, name: str) -> Any:
    """The Avro type of values; `name` is free for a record. Decimals without precision and JSON travel as text."""
    if kind.kind is Kind.DECIMAL:
        if kind.precision is None:
            return "string"
        return {"type": "bytes", "logicalType": "decimal", "precision": kind.precision, "scale": kind.scale or 0}
    if kind.kind is Kind.ARRAY:
        item = avro_type(kind.item, f"{name}_item") if kind.item else "string"
        return {"type": "array", "items": ["null", item]}
    if kind.kind is Kind.OBJECT:
        members = [_nullable(each, avro_type(inner, f"{name}_{each}")) for each, inner in kind.members]
        return {"type": "record", "name": name, "fields": members}
    return SIMPLE[kind.kind]

# SPDX-License-Identifier: Apache-2.0
"""Envelopes between JSON and Avro in Confluent's wire format: a zero byte, the schema's id, the datum (SR-2)."""

import base64
import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import orjson

from dictamesh.runtime.adapters.keys import json_form
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.types import Kind, Type

MAGIC = 0
_HEAD = struct.Struct(">bI")
_EPOCH = date(1970, 1, 1).toordinal()
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Turn = Callable[[Any], Any]


class Misfit(ValueError):  # noqa: N818 - the state of an event
    """An event does not fit its topic's schema (SR-5); the text holds the place at fault, no value."""


@dataclass(frozen=True, slots=True)
class Codec:
    """Writes and reads the events of one topic; `fields` turn JSON values of the payload into those of Avro."""

    schema: Any = field(repr=False)  # as fastavro parsed it
    fields: Mapping[str, Turn] = field(repr=False)

    def encode(self, envelope: dict[str, Any], schema_id: int) -> bytes:
        """Return the message of an envelope, whose payload is turned in place; raises Misfit."""
        payload = envelope["payload"]
        if payload is not None:
            envelope["payload"] = self._turned(payload)
        out = io.BytesIO()
        out.write(_HEAD.pack(MAGIC, schema_id))
        try:
            fastavro.schemaless_writer(out, self.schema, envelope, strict_allow_default=True)
        except Exception:  # noqa: BLE001 - the library raises what comes, and quotes values
            raise Misfit("the event does not fit the schema of its topic") from None
        return out.getvalue()

    def _turned(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in payload.items():
            turn = self.fields.get(name)
            if turn is None:
                raise Misfit("the payload holds a field that its topic's schema lacks")
            try:
                found[name] = None if value is None else turn(value)
            except Exception:  # noqa: BLE001 - whatever a wrong value leads to, and none of it may be told
                raise Misfit(f"payload.{name}: the value does not fit the schema of the topic") from None
        return found


def codec(entity: EntityPlan) -> Codec:
    """Return the codec of an entity's topic."""
    return Codec(parsed(entity.avro), {each.name: _turn(each.type) for each in entity.fields})


def parsed(schema: Mapping[str, Any]) -> Any:
    """Return a schema as fastavro wants it."""
    return fastavro.parse_schema(thawed(schema))


def schema_id(message: bytes) -> int:
    """Return the id of the schema that a message was written by; raises Misfit."""
    if len(message) < _HEAD.size or message[0] != MAGIC:
        raise Misfit("the message is not in Confluent's wire format")
    return int(_HEAD.unpack_from(message)[1])


def decode(message: bytes, writer: Any, reader: Any | None = None) -> dict[str, Any]:
    """Return the envelope of a message as JSON values; `writer` and `reader` are parsed schemas. Raises Misfit."""
    return dict(_plain(datum(message, writer, reader)))


def datum(message: bytes, writer: Any, reader: Any | None = None) -> Any:
    """Return what Avro reads from a message; raises Misfit."""
    schema_id(message)
    try:
        return fastavro.schemaless_reader(io.BytesIO(message[_HEAD.size :]), writer, reader)
    except Exception:  # noqa: BLE001 - a stranger's message may be anything
        raise Misfit("the message does not fit the schema that it names") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: milliseconds(each) if name == "timestamp" and isinstance(each, datetime) else _plain(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if type(value).__name__ == "UUID" else json_form(value)


def milliseconds(moment: datetime) -> int:
    """Return an instant in milliseconds since 1970."""
    return (moment - _BEGINNING) // timedelta(milliseconds=1)


def _turn(type_: Type) -> Turn:
    """The function from a field's JSON value, which is not null, to the value that its Avro type takes."""
    match type_.kind:
        case Kind.ARRAY:
            item = _turn(type_.item) if type_.item else _text
            return lambda value: [None if each is None else item(each) for each in _list(value)]
        case Kind.OBJECT if type_.members:
            members = {name: _turn(inner) for name, inner in type_.members}
            return lambda value: {n: None if value.get(n) is None else t(value[n]) for n, t in members.items()}
        case Kind.DECIMAL:
            return _text if type_.precision is None else Decimal
        case kind:
            return _TURNS[kind]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _whole(bits: int) -> Turn:
    bound = 1 << (bits - 1)

    def turn(value: Any) -> int:
        if type(value) is not int or not -bound <= value < bound:
            raise TypeError
        return value

    return turn


def _real(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _day(value: Any) -> int:
    return date.fromisoformat(value).toordinal() - _EPOCH


def _clock(value: Any) -> int:
    found = time.fromisoformat(value)
    return ((found.hour * 60 + found.minute) * 60 + found.second) * 1_000_000 + found.microsecond


def _moment(value: Any) -> int:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError
    return (found - _BEGINNING) // _MICROSECOND


_TURNS: Mapping[Kind, Turn] = {
    Kind.STRING: _text,
    Kind.BYTES: lambda value: base64.b64decode(value, validate=True),
    Kind.INT: _whole(32),
    Kind.LONG: _whole(64),
    Kind.FLOAT: _real,
    Kind.BOOLEAN: _flag,
    Kind.DATE: _day,
    Kind.TIME: _clock,
    Kind.TIMESTAMP: _moment,
    Kind.JSON: lambda value: orjson.dumps(value).decode(),
    Kind.OBJECT: lambda value: value,
}


def thawed(value: Any) -> Any:
    """Return a schema of a plan as plain dicts and lists."""
    if isinstance(value, Mapping):
        return {key: thawed(each) for key, each in value.items()}
    return [thawed(each) for each in value] if isinstance(value, list | tuple) else value

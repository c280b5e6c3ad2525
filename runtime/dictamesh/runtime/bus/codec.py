# SPDX-License-Identifier: Apache-2.0
"""Envelopes between JSON and Avro in Confluent's wire format: a zero byte, the schema's id, the datum (SR-2)."""

import hashlib
import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import fastavro
import orjson

from dictamesh.runtime.adapters.keys import json_form
from dictamesh.runtime.bus.compiled_reader import Read, fast_reader
from dictamesh.runtime.bus.compiled_writer import REFUSED, Fast, fast_writer
from dictamesh.runtime.bus.encoding import Misplaced, Write, writer
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.events.avro_bounds import Bounds
from dictamesh.specs.types import Kind

MAGIC = 0
FINGERPRINT = 8
"""Bytes that tell by which schema a datum of the log was written."""
_HEAD = struct.Struct(">bI")
_AS_JSON = frozenset({"uuid", "timestamp-millis"})
"""Logical types of the envelope whose JSON form is what they annotate."""


class Misfit(ValueError):  # noqa: N818 - the state of an event
    """An event does not fit its topic's schema (SR-5); the text holds the place at fault, no value."""


@dataclass(frozen=True, slots=True)
class Codec:
    """Writes the events of one topic; `json` are fields of the payload that are JSON and travel as text.

    What `fast` refuses `write` writes, or says what is wrong with it. `fingerprint` tells one schema from another.
    """

    write: Write = field(repr=False)
    json: tuple[str, ...] = ()
    fast: Fast | None = field(default=None, repr=False)
    fingerprint: bytes = b""

    @property
    def mark(self) -> str:
        """The fingerprint in Latin-1."""
        return self.fingerprint.decode("latin-1")

    def encode(self, envelope: Mapping[str, Any], schema_id: int) -> bytes:
        """Return the message of an envelope; raises Misfit."""
        return self._written(envelope, head(schema_id), _head(schema_id))

    def datum(self, envelope: Mapping[str, Any]) -> bytes | None:
        """Return the fingerprint and the bare encoding of an envelope; None of one that does not fit."""
        try:
            return self._written(envelope, self.fingerprint, self.mark)
        except Misfit:
            return None

    def _written(self, envelope: Mapping[str, Any], begin: bytes, beginning: str) -> bytes:
        """An envelope behind what begins a message, in bytes and as Latin-1."""
        if self.json and envelope.get("payload"):
            envelope = {**envelope, "payload": self._as_text(envelope["payload"])}
        if self.fast is not None:
            try:
                return self.fast(envelope, beginning).encode("latin-1")
            except REFUSED:
                pass
        out = [begin]
        try:
            self.write(envelope, out)
        except Misplaced as misplaced:
            raise Misfit(f"{misplaced}: the value does not fit the schema of the topic") from None
        return b"".join(out)

    def _as_text(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        texts = {name: orjson.dumps(payload[name]).decode() for name in self.json if payload.get(name) is not None}
        return {**payload, **texts}


def codec(entity: EntityPlan) -> Codec:
    """Return the codec of an entity's topic."""
    return codec_of(entity.avro, tuple(each.name for each in entity.fields if each.type.kind is Kind.JSON))


def codec_of(schema: Mapping[str, Any], json: tuple[str, ...] = ()) -> Codec:
    """Return the codec of a schema of ours; raises ValueError for another."""
    told = orjson.dumps([thawed(schema), json])
    return Codec(writer(schema), json, fast_writer(schema), hashlib.sha256(told).digest()[:FINGERPRINT])


def head(schema_id: int) -> bytes:
    """Return what a message begins with whose datum was written by a schema."""
    return _HEAD.pack(MAGIC, schema_id)


@lru_cache(1024)
def _head(schema_id: int) -> str:
    return head(schema_id).decode("latin-1")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A schema to read by; what `fast` fails at is left to fastavro."""

    general: Any = field(repr=False)
    bounds: Bounds = field(repr=False)
    fast: Read | None = field(repr=False)


def parsed(schema: Mapping[str, Any]) -> Parsed:
    """Return the schema of an envelope for `decode`; raises Misfit for one that is none."""
    try:
        plain = thawed(schema)
        fast = fast_reader(plain)
        for each in plain.get("fields", ()) if isinstance(plain, dict) else ():
            kind = each.get("type")
            if isinstance(kind, dict) and kind.get("logicalType") in _AS_JSON:
                each["type"] = kind["type"]
        general = fastavro.parse_schema(plain)
        return Parsed(general, Bounds(general), fast)
    except Exception:  # noqa: BLE001 - likewise: a stranger's schema, told in texts that are not ours
        raise Misfit("the message names a schema that is none") from None


def schema_id(message: bytes) -> int:
    """Return the id of the schema that a message was written by; raises Misfit."""
    if len(message) < _HEAD.size or message[0] != MAGIC:
        raise Misfit("the message is not in Confluent's wire format")
    return int(_HEAD.unpack_from(message)[1])


def decode(message: bytes, schema: Parsed) -> dict[str, Any]:
    """Return the envelope of a message as JSON values; `schema` is what it was written by. Raises Misfit."""
    schema_id(message)
    if schema.fast is not None:
        try:
            value, end = schema.fast(message, _HEAD.size)
        except Exception:  # noqa: BLE001, S110 - a stranger's message may be anything; the other reader says what it is
            pass
        else:
            if end <= len(message):
                return cast("dict[str, Any]", value)
    stream = io.BytesIO(message)
    stream.seek(_HEAD.size)
    try:
        schema.bounds.check(message, _HEAD.size)
        found = fastavro.schemaless_reader(stream, schema.general, None)
    except Exception:  # noqa: BLE001 - a stranger's message may be anything
        raise Misfit("the message does not fit the schema that it names") from None
    if not isinstance(found, dict):
        raise Misfit("the message is no envelope")
    if found.get("payload") is not None:
        found["payload"] = _plain(found["payload"])
    return found


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is bool or kind is int or value is None:
        return value
    if kind is dict:
        return {name: _plain(each) for name, each in value.items()}
    if kind is list:
        return [_plain(each) for each in value]
    return json_form(value)


def thawed(value: Any) -> Any:
    """Return a schema of a plan as plain dicts and lists."""
    if isinstance(value, Mapping):
        return {key: thawed(each) for key, each in value.items()}
    return [thawed(each) for each in value] if isinstance(value, list | tuple) else value

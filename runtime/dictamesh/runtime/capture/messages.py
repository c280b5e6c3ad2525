# SPDX-License-Identifier: Apache-2.0
"""From messages of somebody else's topic to records: JSON, or Avro in Confluent's wire format; null deletes."""

import io
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro

from dictamesh.runtime.capture.contract import Bad, Seen
from dictamesh.runtime.capture.packing import packed
from dictamesh.runtime.capture.payload import Undecodable, columns_of, deletes, parsed, told
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.events.avro_bounds import Bounds, Excessive
from dictamesh.specs.model.events import KafkaChanges
from dictamesh.specs.types import Kind

Schemas = Callable[[int], Awaitable[Any]]
"""Gives the schema of an id, None where the registry knows none; raises what stands in the way of asking."""
SchemasOf = Callable[[EntityPlan], Schemas]
"""Gives who knows the schemas of an entity's topic."""

_HEAD = struct.Struct(">bI")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came; `timestamp` in milliseconds since 1970."""

    key: bytes | None
    value: bytes | None
    origin: str
    timestamp: int | None = None
    traceparent: str | None = None

    def packed(self) -> bytes:
        """Return the message as bytes that `message_of` reads back."""
        columns = {"key": self.key, "value": self.value, "timestamp": self.timestamp}
        return packed(Seen(columns=columns, origin=self.origin, traceparent=self.traceparent))


def message_of(seen: Seen) -> Message:
    """Return the message that was packed."""
    held = seen.columns or {}
    return Message(held.get("key"), held.get("value"), seen.origin, held.get("timestamp"), seen.traceparent)


@dataclass(slots=True)
class MessageReader:
    """Reads the messages for one entity."""

    entity: EntityPlan
    declared: KafkaChanges
    schemas: Schemas | None = None
    _parsed: dict[int, tuple[Any, Bounds]] = field(default_factory=dict, init=False)

    async def read(self, message: Message) -> Seen | Bad:
        """Read a message; raises what asking for its schema raises, nothing for what is wrong in it."""
        try:
            columns, deleted = await self._row(message)
        except Undecodable as wrong:
            body = message.packed()
            return Bad(stage="decode", rule=wrong.rule, error=wrong.text, origin=message.origin, body=body)
        return Seen(
            columns=columns,
            deleted=deleted,
            at=_moment(message.timestamp),
            origin=message.origin,
            traceparent=message.traceparent,
        )

    async def _row(self, message: Message) -> tuple[Mapping[str, Any], bool]:
        document = None if message.value is None else await self._datum(message.value)
        if document is None:
            return await self._keyed(message), True
        try:
            found = told(document, self.entity, self.declared.payload, self.declared.event)
        except Undecodable as wrong:
            if wrong.rule not in {"NO_ROW", "NO_KEY"} or not self._deletes(document):
                raise
            return await self._keyed(message), True
        return found.columns, found.deleted

    def _deletes(self, document: Any) -> bool:
        """Whether a message without a row tells of a delete, whose key alone is needed."""
        event = self.declared.event
        return event is not None and deletes(document, event)

    async def _keyed(self, message: Message) -> Mapping[str, Any]:
        """The columns of the key that a message bears."""
        if message.key is None:
            raise Undecodable("NO_KEY")
        columns = self.entity.source.key
        found = await self._key(message.key)
        if isinstance(found, dict):
            row = columns_of(self.entity, found)
            if all(row.get(name) is not None for name in columns):
                return {name: row[name] for name in columns}
        elif len(columns) == 1 and found is not None and not isinstance(found, list):
            return {columns[0]: found}
        raise Undecodable("NO_KEY")

    async def _key(self, raw: bytes) -> Any:
        if self.declared.format == "avro" and raw[:1] == b"\0":
            return await self._datum(raw)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise Undecodable("NO_KEY") from None
        try:
            found = parsed(raw)
        except Undecodable:
            return text
        # a key of digits is no number where the column holds text
        return text if not isinstance(found, str | dict) and self._texts() else found

    def _texts(self) -> bool:
        types = {column.name: column.type.kind for column in self.entity.source.columns}
        return types.get(self.entity.source.key[0]) is Kind.STRING

    async def _datum(self, raw: bytes) -> Any:
        if self.declared.format == "json":
            return parsed(raw)
        if len(raw) < _HEAD.size or raw[0] != 0:
            raise Undecodable("INVALID_AVRO")
        writer, bounds = await self._schema(int(_HEAD.unpack_from(raw)[1]))
        try:
            bounds.check(raw, _HEAD.size)
            return fastavro.schemaless_reader(io.BytesIO(raw[_HEAD.size :]), writer, None)
        except Excessive:
            raise Undecodable("TOO_DEEP") from None
        except Exception:  # noqa: BLE001 - a stranger's message may be anything, and its text may not be told
            raise Undecodable("INVALID_AVRO") from None

    async def _schema(self, number: int) -> tuple[Any, Bounds]:
        if number not in self._parsed:
            schema = None if self.schemas is None else await self.schemas(number)
            if schema is None:
                raise Undecodable("UNKNOWN_SCHEMA")
            try:
                made = fastavro.parse_schema(schema)
                self._parsed[number] = made, Bounds(made)
            except Exception:  # noqa: BLE001 - likewise
                raise Undecodable("UNKNOWN_SCHEMA") from None
        return self._parsed[number]


def _moment(milliseconds: int | None) -> datetime | None:
    """When a message says that it was made; whoever sends it may say anything, also what no calendar holds."""
    if milliseconds is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None

# SPDX-License-Identifier: Apache-2.0
"""From a message of one of the mesh's topics back to its envelope, as JSON values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from dictamesh.runtime.bus.codec import MAGIC, Misfit, decode, parsed, schema_id
from dictamesh.runtime.bus.registry import SchemaRegistry
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.specs.types import Kind


@dataclass(slots=True)
class Envelopes:
    """Reads the messages of a topic; schemas are those that its messages name."""

    topic: Wanted
    registry: SchemaRegistry | None
    _schemas: dict[int, Any] = field(default_factory=dict, init=False, repr=False)

    async def read(self, value: bytes) -> dict[str, Any]:
        """Return the envelope of a message; raises Misfit, `RegistryUnavailable`, `RegistryRefused`."""
        try:
            return self._restored(_event(await self._decoded(value)))
        except orjson.JSONDecodeError:
            raise Misfit("the message is no JSON") from None

    async def _decoded(self, value: bytes) -> Any:
        if self.registry is None or value[:1] != bytes([MAGIC]):
            return orjson.loads(value)
        number = schema_id(value)
        if number not in self._schemas:
            schema = await self.registry.schema(number)
            if schema is None:
                raise Misfit("the registry knows no such schema")
            self._schemas[number] = parsed(schema)
        return decode(value, self._schemas[number])

    def _restored(self, envelope: dict[str, Any]) -> dict[str, Any]:
        """JSON that travels as text is JSON again."""
        payload, entity = envelope.get("payload"), self.topic.entity
        if payload is not None and entity is not None:
            for each in entity.fields:
                if each.type.kind is Kind.JSON and isinstance(payload.get(each.name), str):
                    payload[each.name] = orjson.loads(payload[each.name])
        return envelope


def _event(found: Any) -> dict[str, Any]:
    """Return what a message holds where it is an envelope as far as anybody looks; raises Misfit."""
    if not isinstance(found, dict) or not isinstance(found.get("event_type"), str):
        raise Misfit("the message is no event")
    entity, changed = found.get("entity"), found.get("changed_fields")
    if not isinstance(entity, dict) or not entity.keys() >= {"type", "id", "version"}:
        raise Misfit("the message is of no record")
    if not isinstance(changed, list) or not all(isinstance(each, str) for each in changed):
        raise Misfit("the message names no fields")
    if not isinstance(found.get("payload"), dict | None):
        raise Misfit("the payload is no record")
    return found


def known_payload(payload: Mapping[str, Any] | None, topic: Wanted) -> dict[str, Any] | None:
    """Return a payload as the log holds it: without what a topic says of fields that it does not show, or had once."""
    if payload is None or topic.entity is None:
        return None if payload is None else dict(payload)
    names = {each.name for each in topic.entity.fields}
    return {name: value for name, value in payload.items() if name in names and value is not None}

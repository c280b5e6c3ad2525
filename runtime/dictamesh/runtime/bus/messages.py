# SPDX-License-Identifier: Apache-2.0
"""From an event of the log to a message: Avro or JSON, headers of CloudEvents' binary mode and our own (EV-16)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from dictamesh.runtime.bus.client import Headers, Message
from dictamesh.runtime.bus.codec import Codec, Misfit, codec, codec_of
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.runtime.compile.avro import EVENT_TYPES
from dictamesh.runtime.compile.system_topics import SCHEMA

AVRO, JSON = b"application/avro", b"application/json"
TYPE = "com.dictamesh.events"
_PLACE = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}\Z", re.ASCII)


class Row(NamedTuple):
    """An event of the log as the relay reads it."""

    topic: str
    partition: int
    offset: int
    key: str
    envelope: dict[str, Any]

    def told(self) -> "Row":
        """Return the event with no more of its envelope than its id and time; one that has none as it is."""
        topic, partition, offset, key, envelope = self
        try:
            kept = {"event_id": envelope["event_id"], "timestamp": envelope["timestamp"]}
        except (KeyError, TypeError):
            return self
        return Row(topic, partition, offset, key, kept)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that is not sent; `reason` is ours and holds no value."""

    row: Row
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How events of one topic become messages; without a `schema_id` they are JSON."""

    topic: Wanted
    codec: Codec = field(repr=False)
    schema_id: int | None
    largest: int  # bytes of a message
    common: dict[str, Headers] = field(repr=False)  # by type of event

    def messages(self, row: Row) -> list[Message]:
        """Return the message of an event, and the tombstone that follows it; raises Misfit."""
        envelope = row.envelope
        value = self._value(envelope)
        headers = self._headers(row.key, envelope)
        key = row.key.encode()
        if len(value) + len(key) + 1024 > self.largest:
            raise Misfit("the event is larger than a message may be")
        found = [Message(row.topic, row.partition, key, value, headers)]
        if envelope["event_type"] == "DELETED" and self.topic.compacted:
            found.append(Message(row.topic, row.partition, key, None, headers))
        return found

    def _value(self, envelope: dict[str, Any]) -> bytes:
        if self.schema_id is not None:
            return self.codec.encode(envelope, self.schema_id)
        self.codec.encode(envelope, 0)  # SR-5 holds without a registry, too
        return orjson.dumps(envelope)

    def _headers(self, key: str, envelope: dict[str, Any]) -> Headers:
        at = envelope["trace_context"]
        return [
            *self.common[envelope["event_type"]],
            ("ce_id", envelope["event_id"]),
            ("ce_time", _moment(envelope["timestamp"])),
            ("ce_subject", key),
            *_traced(at["trace_id"], at["span_id"]),
        ]


def outgoing(mesh: str, version: str, topic: Wanted, schema_id: int | None, largest: int) -> Outgoing:
    """Return how events of a topic become messages; `version` is that of the product."""
    entity = topic.entity
    made = codec(entity) if entity is not None else codec_of(SCHEMA)
    source = f"/{mesh}/{entity.product}/{entity.name}" if entity is not None else f"/{mesh}/system"
    name = entity.name if entity is not None else "System"
    common: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_source", source.encode()),
        ("content-type", AVRO if schema_id is not None else JSON),
        ("event-version", version.encode()),
    ]
    kinds: dict[str, Headers] = {
        kind: [*common, ("ce_type", f"{TYPE}.{name}.{kind}".encode()), ("event-type", kind.encode())]
        for kind in EVENT_TYPES
    }
    return Outgoing(topic, made, schema_id, largest, kinds)


def written(ways: dict[str, Outgoing], rows: Iterable[Row]) -> tuple[list[Message], list[Rejected]]:
    """Return the messages of events, in order, and the events that do not fit."""
    messages: list[Message] = []
    rejected: list[Rejected] = []
    for row in rows:
        try:
            messages += ways[row.topic].messages(row)
        except Misfit as misfit:
            rejected.append(Rejected(row, "SCHEMA_INVALID", str(misfit)))
        except (KeyError, TypeError, AttributeError):
            rejected.append(Rejected(row, "SCHEMA_INVALID", "the event is no envelope"))
    return messages, rejected


@lru_cache(1024)  # events of one transaction share it
def _traced(trace: str, span: str) -> tuple[tuple[str, bytes], ...]:
    place = f"{trace}-{span}"
    own = ("trace-id", trace.encode()), ("span-id", span.encode())
    return (*own, ("traceparent", f"00-{place}-01".encode())) if _PLACE.match(place) else own


def _moment(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03}Z"


@lru_cache(4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")

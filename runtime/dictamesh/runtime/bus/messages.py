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
from dictamesh.runtime.bus.codec import Codec, Misfit, codec, codec_of, head
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.runtime.compile.avro import EVENT_TYPES
from dictamesh.runtime.compile.system_topics import SCHEMA

AVRO, JSON = b"application/avro", b"application/json"
TYPE = "com.dictamesh.events"
_NO_STRING = re.compile(
    "[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(f"{chr(plane * 65536 + 65534)}{chr(plane * 65536 + 65535)}" for plane in range(17))
    + "]"
)
_PLACE = re.compile(rb"[0-9a-f]{32}-[0-9a-f]{16}\Z")
_REST = 1024  # bytes of a message beside its key and value
_TOO_LARGE = "the event is larger than a message may be"


class Told(NamedTuple):
    """What is told of an event that was read: its place, its record, when it happened in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: str
    at: int


class Row(NamedTuple):
    """An event of the log as the relay reads it."""

    topic: str
    partition: int
    offset: int
    key: str
    envelope: dict[str, Any]

    def told(self) -> Told:
        """Return what is told of the event."""
        topic, partition, offset, key, envelope = self
        try:
            return Told(topic, partition, offset, key, envelope["timestamp"])
        except (KeyError, TypeError):  # no envelope; it is rejected
            return Told(topic, partition, offset, key, 0)


class Ready(NamedTuple):
    """An event that was encoded by the schema of its topic when it was written to the log (`Codec.datum`).

    `at` is in milliseconds since 1970; texts are as the database gives them.
    """

    topic: str
    partition: int
    offset: int
    key: bytes
    kind: str
    id: bytes
    at: int
    trace: bytes
    span: bytes
    datum: bytes

    def told(self) -> Told:
        """Return what is told of the event."""
        return Told(self.topic, self.partition, self.offset, self.key.decode(), self.at)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that is not sent; `reason` is ours and holds no value."""

    row: Told
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
    head: bytes = b""  # of each message in Avro

    @property
    def ready(self) -> bytes | None:
        """By which schema an event has to be encoded that is sent as the log holds it; None where none is."""
        return self.codec.fingerprint if self.schema_id is not None else None

    def framed(self, row: Ready) -> list[Message]:
        """Return the messages of an event that is encoded; raises Misfit."""
        topic, partition, _, key, kind, id_, at, trace, span, datum = row
        if len(datum) + len(key) + _REST > self.largest:
            raise Misfit(_TOO_LARGE)
        headers = [
            *self.common[kind],
            ("ce_id", id_),
            ("ce_time", _moment(at)),
            *_subject(key.decode()),
            *_placed(trace, span),
        ]
        found = [Message(topic, partition, key, self.head + datum, headers)]
        if kind == "DELETED" and self.topic.compacted:
            found.append(Message(topic, partition, key, None, headers))
        return found

    def messages(self, row: Row) -> list[Message]:
        """Return the message of an event, and the tombstone that follows it; raises Misfit."""
        envelope = row.envelope
        value = self._value(envelope)
        headers = self._headers(row.key, envelope)
        key = row.key.encode()
        if len(value) + len(key) + _REST > self.largest:
            raise Misfit(_TOO_LARGE)
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
            *_subject(key),
            *_placed(at["trace_id"].encode(), at["span_id"].encode()),
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
    return Outgoing(topic, made, schema_id, largest, kinds, head(schema_id) if schema_id is not None else b"")


def written(ways: dict[str, Outgoing], rows: Iterable[Row | Ready]) -> tuple[list[Message], list[Rejected]]:
    """Return the messages of events, in order, and the events that do not fit."""
    messages: list[Message] = []
    rejected: list[Rejected] = []
    for row in rows:
        try:
            way = ways[row.topic]
            messages += way.framed(row) if isinstance(row, Ready) else way.messages(row)
        except Misfit as misfit:
            rejected.append(Rejected(row.told(), "SCHEMA_INVALID", str(misfit)))
        except (KeyError, TypeError, AttributeError):
            rejected.append(Rejected(row.told(), "SCHEMA_INVALID", "the event is no envelope"))
    return messages, rejected


def _placed(trace: bytes, span: bytes) -> tuple[tuple[str, bytes], ...]:
    place = b"%b-%b" % (trace, span)
    if _PLACE.match(place):
        return ("trace-id", trace), ("span-id", span), ("traceparent", b"00-%b-01" % place)
    return ("trace-id", trace), ("span-id", span)


def _subject(key: str) -> tuple[tuple[str, str], ...]:
    return (("ce_subject", key),) if key.isprintable() or _is_string(key) else ()


def _is_string(text: str) -> bool:
    """Whether CloudEvents takes a text for an attribute: no control characters, no noncharacters (1.0.2, 3.4)."""
    return _NO_STRING.search(text) is None


def _moment(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03}Z"


@lru_cache(4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")

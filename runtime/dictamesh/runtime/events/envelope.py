# SPDX-License-Identifier: Apache-2.0
"""What happened to one record: a reference with the names of what changed, no values of it (EV-7, EV-8, EV-9)."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from dictamesh.runtime.events.payload import ENCRYPTED

_BEGINNING, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
EventType = Literal["CREATED", "UPDATED", "DELETED", "ARCHIVED"]


@dataclass(slots=True)
class EntityReference:
    """A record: `id` is its canonical key (S6), a pseudonym where the key is personal data."""

    type: str
    id: str
    version: str
    url: str = ""
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class RelationshipReference:
    """A record that another one refers to."""

    type: str
    entity_id: str
    source_system: str
    relationship_kind: str
    display_name: str | None = None


@dataclass(slots=True)
class EventTrace:
    """The place in a trace that an event was made at."""

    trace_id: str
    span_id: str
    parent_span_id: str | None = None


@dataclass(slots=True)
class Event:
    """One change of one record; never changed, and not frozen, as making it would take three times as long.

    `metadata` holds small routing values, never personal data. `payload` holds what the product's policy lets into its
    topic, as a `PayloadMaker` gives it; None where nothing does. `event_id` makes writing twice harmless.
    """

    topic: str
    event_type: EventType
    entity: EntityReference
    source_system: str
    domain: str
    trace: EventTrace
    changed_fields: tuple[str, ...] = ()
    relationships: tuple[RelationshipReference, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, Any] | None = None
    catalog_id: uuid.UUID | None = None
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    event_id: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def key(self) -> str:
        """The message key: events of one record keep their order (EV-5)."""
        return self.entity.id


def envelope_of(event: Event) -> dict[str, Any]:
    """Return the envelope of `com.dictamesh.events` as JSON values; `timestamp` is in milliseconds since 1970."""
    about, at, payload, encrypted = event.entity, event.trace, event.payload, None
    if payload is not None and ENCRYPTED in payload:
        encrypted = payload[ENCRYPTED]
        payload = {name: value for name, value in payload.items() if name != ENCRYPTED}
    return {
        "event_id": str(event.event_id),
        "event_type": event.event_type,
        "timestamp": (event.timestamp - _BEGINNING) // _MILLISECOND,
        "source_system": event.source_system,
        "domain": event.domain,
        # written out: `asdict` takes twenty times as long, a loop over the names three times
        "entity": {
            "type": about.type,
            "id": about.id,
            "version": about.version,
            "url": about.url,
            "etag": about.etag,
        },
        "changed_fields": list(event.changed_fields),
        "relationships": [_plain(each) for each in event.relationships],
        "metadata": dict(event.metadata),
        "trace_context": {
            "trace_id": at.trace_id,
            "span_id": at.span_id,
            "parent_span_id": at.parent_span_id,
        },
        "payload": payload,
        "payload_encrypted": encrypted,
    }


def _plain(part: RelationshipReference) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__slots__}

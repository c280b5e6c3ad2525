# SPDX-License-Identifier: Apache-2.0
"""Writing what no event could be made of, or no consumer could handle, beside a record of it in a topic (EV-12).

The table holds the record itself, sealed; the topic holds names, texts of ours and counts alone.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import orjson
import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.events.envelope import EntityReference, Event, EventTrace, EventType
from dictamesh.runtime.events.log import append_events, hold
from dictamesh.runtime.events.seal import Seal
from dictamesh.runtime.observe import trace

Stage = Literal["decode", "map", "key", "publish", "handle"]
Status = Literal["pending", "retried", "dropped"]
TOPIC = "system.dead_letter"
PARTITIONS = 3
ENTITY_TYPE = "DeadLetter"
"""The entity type of records in the dead-letter topic."""
# One order for all writers, so that they cannot deadlock.
_PUT = b"""
INSERT INTO dictamesh_dead_letters
    (id, mesh, topic, entity, kind, stage, rule, error, origin, attempts, consumer_group, event_id, record_key, body,
     seal_id, fingerprint)
SELECT r.id, %(mesh)s, %(topic)s, %(entity)s, r.kind, r.stage, r.rule, r.error, r.origin, r.attempts, r.consumer_group,
       r.event_id, r.key, b.body, CASE WHEN b.body IS NOT NULL THEN %(seal)s END, decode(r.fingerprint, 'hex')
  FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (place integer, id uuid, kind text, stage text, rule text, error text,
       origin text, attempts integer, consumer_group text, event_id uuid, key text, fingerprint text)
 CROSS JOIN LATERAL (SELECT (%(bodies)s::bytea[])[r.place] AS body) b
 ORDER BY r.fingerprint COLLATE "C"
    ON CONFLICT (mesh, fingerprint) WHERE status = 'pending' DO UPDATE
   SET attempts = dictamesh_dead_letters.attempts + excluded.attempts, last_failed_at = excluded.last_failed_at,
       kind = excluded.kind, rule = excluded.rule, error = excluded.error, origin = excluded.origin,
       body = excluded.body, seal_id = excluded.seal_id
RETURNING id, encode(fingerprint, 'hex'), attempts, first_failed_at, last_failed_at
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that failed.

    `rule` and `error` are texts of ours, and `origin` says where in the source it stands: none of them holds a value
    of the record. `kind` is how the change was noticed, None for an event that the consumers of `group` could not
    handle (`event_id`). `key` is the record's id as topics bear it, where it could be read. `body` is kept sealed:
    at stage `decode` what came as it came, at `map` and `key` a packed record, else nothing or what the consumer needs.
    """

    stage: Stage
    rule: str
    error: str
    origin: str
    body: bytes | None = field(default=None, repr=False)
    key: str | None = None
    attempts: int = 1
    kind: str | None = None
    group: str | None = None
    event_id: uuid.UUID | None = None
    traceparent: str | None = None


async def put(
    connection: psycopg.AsyncConnection[TupleRow],
    mesh: str,
    topic: str,
    entity: str,
    bad: Sequence[DeadLetter],
    seal: Seal,
    *,
    to: str = TOPIC,
) -> None:
    """Write dead letters of one entity (`product#Entity`) within the caller's transaction, after its own events.

    `topic` is where their events would have stood, `to` the dead-letter topic. What waits there already, the same
    record (by key, else by its bytes) at the same stage by the same rule, counts an attempt and keeps the newest body;
    of a record that cannot be mapped there is one letter, by whatever rule.
    Raises what psycopg raises.
    """
    if not bad:
        return
    await hold_topic(connection, to)
    bad = [_keepable(each) for each in bad]
    merged = _merged((seal.fingerprint(*_identity(entity, each)).hex(), each) for each in bad)
    rows = [
        {
            "place": place,
            "id": uuid.uuid4(),
            "fingerprint": fingerprint,
            "consumer_group": each.group,
            **{name: getattr(each, name) for name in ("kind", "stage", "rule", "error", "origin", "attempts", "key")},
            "event_id": each.event_id,
        }
        for place, (fingerprint, each) in enumerate(merged.items(), 1)
    ]
    written = {
        "mesh": mesh,
        "topic": topic,
        "entity": entity,
        "seal": seal.id,
        "rows": orjson.dumps(rows).decode(),
        "bodies": [None if each.body is None else seal.closed(each.body, entity) for each in merged.values()],
    }
    made = {str(row["id"]) for row in rows}
    found = await (await connection.execute(_PUT, written)).fetchall()
    events = [
        record_of(to, id_, "CREATED", _told(topic, entity, merged[fingerprint], attempts, first, last), traceparent)
        for id_, fingerprint, attempts, first, last in found
        if str(id_) in made
        for traceparent in (merged[fingerprint].traceparent,)
    ]
    await append_events(connection, events, {to: PARTITIONS})


async def hold_topic(connection: psycopg.AsyncConnection[TupleRow], topic: str) -> None:
    """Take one's turn at the dead letters, before any of them is locked: a transaction may write several times."""
    await hold(connection, [(topic, number) for number in range(PARTITIONS)])


def record_of(
    topic: str, letter: uuid.UUID, kind: EventType, metadata: Mapping[str, str], traceparent: str | None = None
) -> Event:
    """Return the event that tells of a dead letter in the dead-letter topic."""
    at = trace.begin(traceparent)
    return Event(
        topic=topic,
        event_type=kind,
        entity=EntityReference(ENTITY_TYPE, str(letter), "1" if kind == "CREATED" else "2"),
        source_system="dictamesh",
        domain="system",
        trace=EventTrace(at.trace_id, at.span_id),
        metadata=metadata,
    )


def _identity(entity: str, each: DeadLetter) -> Iterable[bytes]:
    """What makes two failures one: for a key the newest state counts, without one the bytes do.

    Of a record that cannot be mapped it counts whatever is wrong with it: of two letters the older one could be tried
    first, and what it tells would pass for a change since the newer one.
    """
    rule = "" if each.stage == "map" and each.key is not None else each.rule
    yield from (entity.encode(), each.stage.encode(), rule.encode(), (each.group or "").encode())
    if each.event_id is not None:
        yield each.event_id.bytes
    elif each.key is not None:
        yield each.key.encode()
    else:
        yield from (b"", each.origin.encode(), each.body or b"")


def _keepable(bad: DeadLetter) -> DeadLetter:
    """A letter whose texts the database can hold."""
    key = None if bad.key is None else _text(bad.key)
    return replace(bad, rule=_text(bad.rule), error=_text(bad.error), origin=_text(bad.origin), key=key)


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _merged(bad: Iterable[tuple[str, DeadLetter]]) -> dict[str, DeadLetter]:
    merged: dict[str, DeadLetter] = {}
    for fingerprint, each in bad:
        before = merged.get(fingerprint)
        merged[fingerprint] = replace(each, attempts=each.attempts + before.attempts) if before else each
    return merged


def _told(topic: str, entity: str, bad: DeadLetter, attempts: int, first: datetime, last: datetime) -> dict[str, Any]:
    told = {
        "status": "pending",
        "entity": entity,
        "topic": topic,
        "kind": bad.kind,
        "stage": bad.stage,
        "rule": bad.rule,
        "error": bad.error,
        "origin": bad.origin,
        "attempts": str(attempts),
        "first_failed_at": first.isoformat(),
        "last_failed_at": last.isoformat(),
        "consumer_group": bad.group,
        "event_id": str(bad.event_id) if bad.event_id else None,
    }
    return {name: value for name, value in told.items() if value is not None}

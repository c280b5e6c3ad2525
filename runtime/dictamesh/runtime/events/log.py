# SPDX-License-Identifier: Apache-2.0
"""Writing the event log within a transaction of the caller, and reading it by offset (MC-5, EV-5, EV-15)."""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.envelope import Event, envelope_of
from dictamesh.runtime.events.partitioning import partition_of

LARGEST_READ = 10_000
CHANNEL = "dictamesh_events"
"""Where writes are told of; the message says nothing, who hears it looks."""
# Rows are made and locked in one order, so that writers cannot deadlock, and held until the caller's commit: whoever
# comes later waits, so no reader can pass a late commit.
_HOLD = b"""
INSERT INTO dictamesh_event_partitions AS p (topic, partition)
SELECT g.topic, g.partition FROM jsonb_to_recordset(%s::jsonb) AS g (topic text, partition integer)
 ORDER BY g.topic COLLATE "C", g.partition
    ON CONFLICT ON CONSTRAINT pk_dictamesh_event_partitions DO UPDATE SET next_offset = p.next_offset
"""
_APPEND = b"""
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r (place integer, topic text, partition integer, event_id uuid,
           event_type text, catalog_id uuid, entity_type text, entity_id text, changed_fields text[],
           event_payload jsonb, trace_id text, span_id text, event_timestamp timestamptz, encoded bytea)
     WHERE NOT EXISTS (SELECT FROM dictamesh_event_log l WHERE l.event_id = r.event_id)
), placed AS MATERIALIZED (
    SELECT g.*, p.next_offset - 1 + row_number() OVER (PARTITION BY g.topic, g.partition ORDER BY g.place) AS at
      FROM given g JOIN dictamesh_event_partitions p ON p.topic = g.topic AND p.partition = g.partition
), moved AS (
    UPDATE dictamesh_event_partitions p SET next_offset = n.last + 1
      FROM (SELECT topic, partition, max(at) AS last FROM placed GROUP BY topic, partition) n
     WHERE p.topic = n.topic AND p.partition = n.partition
)
INSERT INTO dictamesh_event_log
    (topic, partition, "offset", event_id, event_type, catalog_id, entity_type, entity_id, changed_fields,
     event_payload, trace_id, span_id, event_timestamp, encoded)
SELECT topic, partition, at, event_id, event_type, catalog_id, entity_type, entity_id, changed_fields, event_payload,
       trace_id, span_id, event_timestamp, encoded
  FROM placed ORDER BY place
RETURNING event_id, topic, partition, "offset"
"""
_TELL = b"SELECT pg_notify(%s, '')"
_READ = b"""
SELECT topic, partition, "offset", event_id, event_type, entity_type, entity_id, changed_fields,
       event_payload AS envelope, event_timestamp AS timestamp, ingested_at, catalog_id
  FROM dictamesh_event_log
 WHERE topic = %(topic)s AND partition = %(partition)s AND "offset" >= %(offset)s
 ORDER BY "offset" LIMIT %(limit)s
"""
_BOUNDS = b"""
SELECT p.partition, coalesce((SELECT min(l."offset") FROM dictamesh_event_log l
                               WHERE l.topic = p.topic AND l.partition = p.partition), p.next_offset) AS beginning,
       p.next_offset AS "end"
  FROM dictamesh_event_partitions p WHERE p.topic = %(topic)s ORDER BY p.partition
"""


Encode = Callable[[Mapping[str, Any]], bytes | None]
"""From an envelope to its encoding and, before it, what tells by which schema; None where it is left to the relay."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log."""

    topic: str
    partition: int
    offset: int


class LoggedEvent(NamedTuple):
    """An event as it stands in the log; `envelope` is that of `com.dictamesh.events` as JSON values."""

    topic: str
    partition: int
    offset: int
    event_id: uuid.UUID
    event_type: str
    entity_type: str
    entity_id: str
    changed_fields: list[str]
    envelope: Mapping[str, Any]
    timestamp: datetime
    ingested_at: datetime
    catalog_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a partition holds: offsets from `beginning` on, below `end`."""

    beginning: int
    end: int


async def append_events(
    connection: psycopg.AsyncConnection[TupleRow],
    events: Sequence[Event],
    partitions: Mapping[str, int],
    encode: Encode | None = None,
) -> list[Position | None]:
    """Append events in order within the caller's transaction; each gets its place, or None where it is there already.

    `partitions` says how many each topic has; `encode` encodes envelopes for whoever publishes them. The partitions
    stay locked until the transaction ends, so keep it short; the counter of each moves once, however many events it
    takes. Raises what psycopg raises: within `Pool.transaction` that is `CatalogUnavailable`.
    """
    if not events:
        return []
    numbers = [partition_of(event.key, partitions[event.topic]) for event in events]
    await hold(connection, {(event.topic, number) for event, number in zip(events, numbers, strict=True)})
    first: dict[uuid.UUID, int] = {}
    for place, event in enumerate(events):
        first.setdefault(event.event_id, place)
    rows = [_row(place, events[place], numbers[place], encode) for place in first.values()]
    found = await _append(connection, rows)
    return [found.get(event.event_id) if first[event.event_id] == place else None for place, event in enumerate(events)]


async def append_again(
    connection: psycopg.AsyncConnection[TupleRow],
    topic: str,
    partitions: int,
    envelopes: Sequence[tuple[Mapping[str, Any], bytes]],
) -> int:
    """Append events of a topic that were published once, in order, with the ids and times that they have.

    With each envelope comes its encoding, as `Encode` gives it. Returns how many were not there already. Locks and
    raises as `append_events` does.
    """
    first: dict[str, tuple[Mapping[str, Any], bytes]] = {}
    for envelope, encoded in envelopes:
        first.setdefault(envelope["event_id"], (envelope, encoded))
    if not first:
        return 0
    numbers = [partition_of(envelope["entity"]["id"], partitions) for envelope, _ in first.values()]
    await hold(connection, {(topic, number) for number in numbers})
    rows = [
        {
            **_columns(place, topic, number, envelope, encoded),
            "event_timestamp": datetime.fromtimestamp(envelope["timestamp"] / 1000, UTC),
        }
        for place, (number, (envelope, encoded)) in enumerate(zip(numbers, first.values(), strict=True))
    ]
    return len(await _append(connection, rows))


async def _append(
    connection: psycopg.AsyncConnection[TupleRow], rows: Sequence[Mapping[str, Any]]
) -> dict[uuid.UUID, Position]:
    """Append rows whose partitions are held; return the places of those that were not there."""
    cursor = await connection.execute(_APPEND, (orjson.dumps(rows).decode(),))
    found = {row[0]: Position(*row[1:]) for row in await cursor.fetchall()}
    if found:
        await connection.execute(_TELL, (CHANNEL,))
    return found


async def hold(connection: psycopg.AsyncConnection[TupleRow], places: Collection[tuple[str, int]]) -> None:
    """Keep others from writing to some partitions until the caller's transaction ends.

    Who writes to a topic more than once in a transaction holds all that it may need first.
    """
    held = [{"topic": topic, "partition": number} for topic, number in places]
    await connection.execute(_HOLD, (orjson.dumps(held).decode(),))


async def read_events(pool: Pool, topic: str, partition: int, offset: int, limit: int = 500) -> list[LoggedEvent]:
    """Return the events of a partition from `offset` on, in order; offsets that retention took away are skipped.

    Raises ValueError for a limit outside 1 to 10,000, `CatalogUnavailable`.
    """
    if not 1 <= limit <= LARGEST_READ:
        raise ValueError(f"limit must be between 1 and {LARGEST_READ}")
    wanted = {"topic": topic, "partition": partition, "offset": offset, "limit": limit}
    return [LoggedEvent(**row) for row in await pool.rows(_READ, wanted)]


async def bounds(pool: Pool, topic: str) -> dict[int, Bounds]:
    """Return what each partition of a topic that was ever written to holds; raises `CatalogUnavailable`."""
    rows = await pool.rows(_BOUNDS, {"topic": topic})
    return {row["partition"]: Bounds(row["beginning"], row["end"]) for row in rows}


def _row(place: int, event: Event, partition: int, encode: Encode | None) -> dict[str, Any]:
    envelope = envelope_of(event)
    encoded = encode(envelope) if encode is not None else None
    row = _columns(place, event.topic, partition, envelope, encoded)
    row["catalog_id"], row["event_timestamp"] = event.catalog_id, event.timestamp
    return row


def _columns(
    place: int, topic: str, partition: int, envelope: Mapping[str, Any], encoded: bytes | None
) -> dict[str, Any]:
    """What an envelope says of its row."""
    about, at = envelope["entity"], envelope["trace_context"]
    return {
        "place": place,
        "topic": topic,
        "partition": partition,
        "event_id": envelope["event_id"],
        "event_type": envelope["event_type"],
        "entity_type": about["type"],
        "entity_id": about["id"],
        "changed_fields": envelope["changed_fields"],
        "event_payload": envelope,
        "trace_id": at["trace_id"],
        "span_id": at["span_id"],
        "encoded": None if encoded is None else f"\\x{encoded.hex()}",
    }

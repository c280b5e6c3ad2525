# SPDX-License-Identifier: Apache-2.0
"""Retention: records that nothing happened to for longer than their contract says, and logs that are too old (GV-7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.retention import TopicAge, count_old, delete_old
from dictamesh.runtime.lifecycle.aged import Aged, count_aged, delete_aged
from dictamesh.runtime.lifecycle.withdrawal import Announcer, Withdrawn, announcer, withdraw

_BATCH = 500
# The latest activity counts, not the first: a record that was made long ago and changed today is alive.
_EXPIRED = b"""
  FROM dictamesh_entity_catalog c
  LEFT JOIN LATERAL (SELECT l.event_timestamp FROM dictamesh_event_log l
                      WHERE l.entity_type = c.entity_type AND l.entity_id = c.source_entity_id
                      ORDER BY l.id DESC LIMIT 1) e ON true
 WHERE c.entity_type = %(type)s AND c.source_entity_id <> '*' AND c.status <> 'archived'
   AND c.last_seen_at < %(before)s AND (e.event_timestamp IS NULL OR e.event_timestamp < %(before)s)
"""
_COUNT = b"SELECT count(*) AS n" + _EXPIRED
_TAKE = b"SELECT c.source_entity_id" + _EXPIRED + b" ORDER BY c.id LIMIT %(batch)s FOR UPDATE OF c SKIP LOCKED"


@dataclass(frozen=True, slots=True)
class RecordsKept:
    """What retention did to the records of one entity; `expired` counts them, `days` is what the contract says."""

    product: str
    entity: str
    days: float
    expired: int
    withdrawn: Withdrawn


@dataclass(frozen=True, slots=True)
class Retained:
    """What one run did, or would do: records by entity, events by topic, rows by table."""

    at: datetime
    dry_run: bool
    records: tuple[RecordsKept, ...]
    events: tuple[tuple[str, int], ...]
    rows: tuple[tuple[str, int], ...]

    def as_json(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        return {
            "at": self.at.isoformat(),
            "dryRun": self.dry_run,
            "records": [
                {
                    "product": each.product,
                    "entity": each.entity,
                    "retentionDays": each.days,
                    "expired": each.expired,
                    "archived": each.withdrawn.archived,
                    "edgesClosed": each.withdrawn.edges,
                    "eventsAppended": each.withdrawn.events,
                }
                for each in self.records
            ],
            "events": [{"topic": topic, "deleted": count} for topic, count in self.events],
            "rows": [{"table": table, "deleted": count} for table, count in self.rows],
        }


async def retain(pool: Pool, plan: Plan, now: datetime, aged: Sequence[Aged], *, dry_run: bool = False) -> Retained:
    """Withdraw expired records in transactions of 500, then delete old events and rows; a dry run only counts.

    It may be cut off and run again at any time. Entities that the plan does not hold are left alone: nobody says how
    long they are kept. Raises `CatalogUnavailable`.
    """
    records = [await _records(pool, plan, entity, now, dry_run=dry_run) for entity in plan.entities.values()]
    events = [(age.topic, await (count_old if dry_run else delete_old)(pool, age)) for age in _topics(plan, now)]
    rows = [(each.table, await (count_aged if dry_run else delete_aged)(pool, each, now)) for each in aged]
    return Retained(now, dry_run, tuple(each for each in records if each is not None), tuple(events), tuple(rows))


async def _records(pool: Pool, plan: Plan, entity: EntityPlan, now: datetime, *, dry_run: bool) -> RecordsKept | None:
    seconds = plan.products[entity.product].sla["retention"]
    if seconds is None:
        return None
    wanted = {"type": entity.name, "before": now - timedelta(seconds=seconds)}
    days = round(seconds / 86_400, 6)
    if dry_run:
        expired = (await pool.rows(_COUNT, wanted))[0]["n"]
        return RecordsKept(entity.product, entity.name, days, expired, Withdrawn())
    announcing, expired, done = await announcer(pool, plan.name, entity), 0, Withdrawn()
    while True:
        async with pool.transaction() as connection:
            ids, batch = await _batch(connection, wanted, announcing)
        expired, done = expired + ids, done + batch
        if ids < _BATCH:
            return RecordsKept(entity.product, entity.name, days, expired, done)


async def _batch(
    connection: psycopg.AsyncConnection[TupleRow], wanted: dict[str, Any], announcing: Announcer
) -> tuple[int, Withdrawn]:
    rows = await (await connection.execute(_TAKE, {**wanted, "batch": _BATCH})).fetchall()
    ids = list(dict.fromkeys(row[0] for row in rows))
    return len(rows), await withdraw(connection, wanted["type"], ids, announcing, "retention")


def _topics(plan: Plan, now: datetime) -> Iterable[TopicAge]:
    for entity in plan.entities.values():
        topic = entity.topic
        yield TopicAge(topic.name, now - timedelta(seconds=topic.retention), "compact" in topic.cleanup)

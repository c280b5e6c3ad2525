# SPDX-License-Identifier: Apache-2.0
"""The smallest recorder that keeps its promise: events, dead letters and position in one transaction, all in clear."""

import uuid
from collections.abc import Mapping
from typing import Any

from dictamesh.runtime.capture.contract import Batch, Recorded, Seen, StateId
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.events.dead_letters import DeadLetter, put
from dictamesh.runtime.events.envelope import EntityReference, Event, EventTrace
from dictamesh.runtime.events.log import append_events, bounds, read_events
from dictamesh.runtime.events.seal import Seal
from dictamesh.runtime.observe import trace


class LogRecorder:
    """Makes an event of every record, the row as its payload."""

    def __init__(self, pool: Pool, entity: EntityPlan, seal: Seal) -> None:
        self.pool, self.entity, self.seal = pool, entity, seal
        self.batches: list[Batch] = []
        self.positions: dict[StateId, Mapping[str, Any]] = {}

    async def record(self, batch: Batch) -> Recorded:
        async with self.pool.transaction() as connection:
            topic = self.entity.topic
            events = [self._event(each) for each in batch.seen]
            await append_events(connection, events, {topic.name: topic.partitions})
            letters = [
                DeadLetter(each.stage, each.rule, each.error, each.origin, each.body, each.key, kind=batch.state.kind)
                for each in batch.bad
            ]
            await put(connection, batch.state.mesh, topic.name, batch.state.entity, letters, self.seal)
        self.batches.append(batch)
        if batch.position is not None:
            self.positions[batch.state] = batch.position
        return Recorded(created=len(events), bad=len(letters))

    async def position(self, state: StateId) -> Mapping[str, Any] | None:
        return self.positions.get(state)

    async def log(self) -> list[Any]:
        """Every event of the entity's topic."""
        name = self.entity.topic.name
        return [
            each
            for partition in await bounds(self.pool, name)
            for each in await read_events(self.pool, name, partition, 0, 10_000)
        ]

    def _event(self, seen: Seen) -> Event:
        columns = dict(seen.columns or {})
        at = trace.parse(seen.traceparent) or trace.begin()
        key = str(columns[self.entity.source.key[0]])
        return Event(
            topic=self.entity.topic.name,
            event_type="DELETED" if seen.deleted else "UPDATED",
            entity=EntityReference(self.entity.name, key, "1"),
            source_system=self.entity.server,
            domain="test",
            trace=EventTrace(at.trace_id, at.span_id),
            payload={name: value if isinstance(value, str | int) else str(value) for name, value in columns.items()},
            event_id=uuid.UUID(seen.event_id) if seen.event_id else uuid.uuid4(),
        )

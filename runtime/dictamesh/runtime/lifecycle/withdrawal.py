# SPDX-License-Identifier: Apache-2.0
"""Taking records out of the mesh: catalog rows archived, open edges closed, DELETED in their topic."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.errors import EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.queries import CatalogEntity, get_entity, located
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.events.envelope import EntityReference, Event, EventTrace
from dictamesh.runtime.events.log import append_events
from dictamesh.runtime.events.versions import Withdrawal, mark_withdrawn, take_turn, versions
from dictamesh.runtime.observe import trace

Reason = Withdrawal
_AT_A_TIME = 500
_ARCHIVE = b"""
UPDATE dictamesh_entity_catalog SET status = 'archived'
 WHERE entity_type = %(type)s AND source_entity_id = ANY(%(ids)s) AND source_entity_id <> '*' AND status <> 'archived'
"""
_CLOSE = b"""
UPDATE dictamesh_entity_relationships
   SET valid_to = greatest(clock_timestamp(), valid_from + interval '1 microsecond')
 WHERE valid_to IS NULL
   AND ((subject_entity_type = %(type)s AND subject_entity_id = ANY(%(ids)s) AND subject_entity_id <> '*')
     OR (object_entity_type = %(type)s AND object_entity_id = ANY(%(ids)s) AND object_entity_id <> '*'))
"""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What was done, as counts."""

    archived: int = 0
    edges: int = 0
    events: int = 0

    def __add__(self, other: "Withdrawn") -> "Withdrawn":
        return Withdrawn(self.archived + other.archived, self.edges + other.edges, self.events + other.events)

    def __bool__(self) -> bool:
        return bool(self.archived or self.edges or self.events)


@dataclass(frozen=True, slots=True)
class Announcer:
    """Makes the DELETED events of one entity; `catalogued` says where its records are found, if the catalog knows."""

    mesh: str
    entity: EntityPlan
    catalogued: CatalogEntity | None

    def deleted(self, record: str, latest: int, reason: Reason) -> Event:
        """Return the event that follows version `latest`, 0 where the record has none."""
        version = str(latest + 1)
        at = trace.begin()
        return Event(
            topic=self.entity.topic.name,
            event_type="DELETED",
            entity=EntityReference(self.entity.name, record, version, self._url(record)),
            source_system=self.entity.server,
            domain=str(self.entity.catalog["domain"]),
            trace=EventTrace(at.trace_id, at.span_id),
            metadata={"reason": reason},
        )

    def _url(self, record: str) -> str:
        try:
            return (located(self.catalogued, record).url if self.catalogued else None) or ""
        except InvalidRequest:
            return ""


async def announcer(pool: Pool, mesh: str, entity: EntityPlan) -> Announcer:
    """Return the announcer of an entity of a mesh; raises `CatalogUnavailable`."""
    try:
        return Announcer(mesh, entity, await get_entity(pool, entity.name))
    except EntityNotFound:
        return Announcer(mesh, entity, None)


async def withdraw(
    connection: psycopg.AsyncConnection[TupleRow],
    entity_type: str,
    ids: Sequence[str],
    announcing: Announcer | None,
    reason: Reason,
) -> Withdrawn:
    """Take records out within the caller's transaction; doing so twice changes nothing.

    A record whose latest event is DELETED gets no other. Without `announcing`, as for an entity that no product has any
    more, nothing is said in a topic. Raises what psycopg raises.
    """
    done = Withdrawn()
    for start in range(0, len(ids), _AT_A_TIME):
        wanted = {"type": entity_type, "ids": list(ids[start : start + _AT_A_TIME])}
        archived = (await connection.execute(_ARCHIVE, wanted)).rowcount
        edges = (await connection.execute(_CLOSE, wanted)).rowcount
        events = 0
        if announcing is not None:
            events = await _announced(connection, announcing, wanted["ids"], reason)
        done += Withdrawn(archived, edges, events)
    return done


async def _announced(
    connection: psycopg.AsyncConnection[TupleRow], announcing: Announcer, ids: Sequence[str], reason: Reason
) -> int:
    """Say in the topic that records are deleted, and note it for capture; returns how many events that made."""
    entity = announcing.entity
    await take_turn(connection, announcing.mesh, entity.address)
    latest = await versions(connection, announcing.mesh, entity.address, entity.name, ids)
    there = {record: version for record, (version, deleted) in latest.items() if not deleted}
    gone = {record: version for record, (version, deleted) in latest.items() if deleted}
    made = [announcing.deleted(record, version, reason) for record, version in there.items()]
    await append_events(connection, made, {entity.topic.name: entity.topic.partitions})
    after = {record: version + 1 for record, version in there.items()} | gone
    await mark_withdrawn(connection, announcing.mesh, entity.address, after, reason)
    return len(made)

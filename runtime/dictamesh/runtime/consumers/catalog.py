# SPDX-License-Identifier: Apache-2.0
"""The catalog follows the log: rows of records, relations with their validity, and what it tells of both (GL-2, GL-8).

Records and relations hold from when their event entered the log: one clock for all, so that an event never seems older
than the one before it, however the clocks of sources differ.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from dictamesh.runtime.adapters.records import key_is_personal
from dictamesh.runtime.catalog.graph.derive import DeclaredRelation, declared_relation
from dictamesh.runtime.catalog.graph.edges import close_edges, upsert_edges
from dictamesh.runtime.catalog.graph.nodes import archive_entities, find_nodes, upsert_entities
from dictamesh.runtime.catalog.graph.values import Ending, Ref, SeenEdge, SeenRecord
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, LinkPlan, Plan
from dictamesh.runtime.consumers.announcing import created_relation, registered_type
from dictamesh.runtime.consumers.consuming import Connection, Within
from dictamesh.runtime.events.log import LoggedEvent, append_events
from dictamesh.runtime.events.system import ENTITY_REGISTERED, PARTITIONS, RELATIONSHIP_CREATED

GROUP = "metadata-catalog-consumer"
_GONE = frozenset({"DELETED", "ARCHIVED"})
_RECENT = timedelta(minutes=10)
# One writer at a time: two that see the same relations could deadlock. The lock of those that queries follow.
_LOCK = b"SELECT pg_advisory_xact_lock(7163846503)"
_CLOSE_BACK = b"""
UPDATE dictamesh_entity_relationships e
   SET valid_to = greatest(g.at, e.valid_from + interval '1 microsecond')
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS g (entity_type, id, name, at)
 WHERE e.valid_to IS NULL AND e.valid_from <= g.at AND e.object_entity_type = g.entity_type
   AND e.object_entity_id = g.id AND e.relationship_type = g.name
"""
# A row that was cached has expired with the change, whatever its time to live says (RS-12).
_EXPIRE = b"""
UPDATE dictamesh_cache_status s SET expires_at = g.at
  FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS g (entity_type, id, at), dictamesh_entity_catalog c
 WHERE c.entity_type = g.entity_type AND c.source_entity_id = '*' AND s.entity_catalog_id = c.id
   AND s.entity_id = g.id AND s.cached_at < g.at AND s.expires_at > g.at
"""


@dataclass(slots=True)
class CatalogConsumer:
    """Keeps the catalog as the log says; `fresh` hears the seconds from a change of a product to its event."""

    plan: Callable[[], Plan]
    fresh: Callable[[str, float], None] = lambda _product, _seconds: None
    group: str = GROUP
    limit: int = 500
    from_end: bool = False

    def topics(self) -> Collection[str]:
        return {entity.topic.name for entity in self.plan().entities.values()}

    async def handle(self, events: Sequence[LoggedEvent]) -> Within:
        return partial(self._write, events)

    async def _write(self, events: Sequence[LoggedEvent], connection: Connection) -> None:
        plan = self.plan()
        entities = {entity.name: entity for entity in plan.entities.values()}
        await connection.execute(_LOCK)
        for part in _rounds(events):
            news = _News(plan, entities)
            for event in part:
                news.add(event)
            await _written(connection, plan, news, {str(event.event_id): event for event in part})
        await connection.execute(_EXPIRE, _columns(events))
        self._measure(events, entities)

    def _measure(self, events: Sequence[LoggedEvent], entities: Mapping[str, EntityPlan]) -> None:
        recently = datetime.now(UTC) - _RECENT  # a rebuild tells nothing of freshness
        for event in events:
            entity = entities.get(event.entity_type)
            if entity is not None and event.ingested_at > recently:
                self.fresh(entity.product, max((event.ingested_at - event.timestamp).total_seconds(), 0.0))


async def announce_types(pool: Pool, plan: Plan) -> None:
    """Tell of each entity type of a plan once; raises `CatalogUnavailable`."""
    events = [registered_type(plan, entity) for entity in plan.entities.values()]
    async with pool.transaction() as connection:
        await append_events(connection, events, {ENTITY_REGISTERED: PARTITIONS})


async def _written(connection: Connection, plan: Plan, news: "_News", events: Mapping[str, LoggedEvent]) -> None:
    await upsert_entities(connection, news.records)
    await close_edges(connection, news.endings)
    if news.endings_back:
        columns = zip(*((ref.entity_type, ref.id, name, at) for ref, name, at in news.endings_back), strict=True)
        await connection.execute(_CLOSE_BACK, [list(column) for column in columns])
    written = await upsert_edges(connection, await _standing(connection, news.edges))
    await archive_entities(connection, news.gone)
    causes = [(edge, events.get(edge.origin or "")) for edge in written.created]
    created = [created_relation(plan, edge, event) for edge, event in causes if event is not None]
    await append_events(connection, created, {RELATIONSHIP_CREATED: PARTITIONS})


async def _standing(connection: Connection, edges: Sequence[SeenEdge]) -> list[SeenEdge]:
    """Leave out relations to records that are gone: that a row still refers to one does not bring it back."""
    nodes = await find_nodes(connection, {end for edge in edges for end in (edge.subject, edge.object)})
    gone = {ref for ref, node in nodes.items() if node.status == "archived"}
    return [edge for edge in edges if edge.subject not in gone and edge.object not in gone]


@dataclass(slots=True)
class _News:
    """What events of different records come to."""

    plan: Plan
    entities: Mapping[str, EntityPlan]
    records: list[SeenRecord] = field(default_factory=list)
    edges: list[SeenEdge] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    endings_back: list[tuple[Ref, str, datetime]] = field(default_factory=list)
    gone: list[tuple[Ref, datetime]] = field(default_factory=list)

    def add(self, event: LoggedEvent) -> None:
        ref, at = Ref(event.entity_type, event.entity_id), event.ingested_at
        entity = self.entities.get(event.entity_type)
        if entity is not None and not _nameable(entity):
            return
        if event.event_type in _GONE:
            self.gone.append((ref, at))
            self.endings.append(Ending(ref, at))
            return
        self.records.append(SeenRecord(ref, at))
        if entity is not None:
            self._relate(entity, ref, event)

    def _relate(self, entity: EntityPlan, ref: Ref, event: LoggedEvent) -> None:
        told = {each["relationship_kind"]: each for each in event.envelope.get("relationships") or ()}
        for link in entity.links:
            if link.many or not link.by_key:
                continue
            target = self.plan.entities[link.target]
            relation = declared_relation(entity, link, target)
            far = told.get(link.name)
            if far is not None and _nameable(target):
                ends = ref, Ref(target.name, str(far["entity_id"]))
                self.edges.append(_edge(relation, ends, event))
            elif far is None and _unlinked(link, event):
                self._end(relation, ref, event.ingested_at)

    def _end(self, relation: DeclaredRelation, holder: Ref, at: datetime) -> None:
        if relation.turned:
            self.endings_back.append((holder, relation.name, at))
        else:
            self.endings.append(Ending(holder, at, relation.name))


def _edge(relation: DeclaredRelation, ends: tuple[Ref, Ref], event: LoggedEvent) -> SeenEdge:
    subject, object_ = reversed(ends) if relation.turned else ends
    return SeenEdge(
        subject,
        relation.name,
        object_,
        event.ingested_at,
        origin=str(event.event_id),
        cardinality=relation.cardinality,
    )


def _unlinked(link: LinkPlan, event: LoggedEvent) -> bool:
    """Whether a relation that an event does not tell of may have held before it."""
    return event.event_type == "UPDATED" and (not event.changed_fields or bool(set(link.own) & {*event.changed_fields}))


def _nameable(entity: EntityPlan) -> bool:
    """Whether records may stand in the catalog: no key that is personal data may (AR-4)."""
    return entity.surrogate is not None or not key_is_personal(entity)


def _rounds(events: Sequence[LoggedEvent]) -> Iterator[list[LoggedEvent]]:
    """Split events so that each part tells of a record once, and of none that goes what others relate to; in order."""
    part: list[LoggedEvent] = []
    told: set[Ref] = set()
    gone: set[Ref] = set()
    related: set[Ref] = set()
    for event in sorted(events, key=lambda each: each.ingested_at):  # relations meet records of other partitions
        ref = Ref(event.entity_type, event.entity_id)
        goes = event.event_type in _GONE
        ends = {Ref(each["type"], each["entity_id"]) for each in event.envelope.get("relationships") or ()}
        if ref in told or (goes and ref in related) or ends & gone:
            yield part
            part, told, gone, related = [], set(), set(), set()
        part.append(event)
        told.add(ref)
        related |= ends
        if goes:
            gone.add(ref)
    if part:
        yield part


def _columns(events: Sequence[LoggedEvent]) -> list[list[Any]]:
    latest = {(event.entity_type, event.entity_id): event.ingested_at for event in events}
    return [[kind for kind, _ in latest], [record for _, record in latest], list(latest.values())]

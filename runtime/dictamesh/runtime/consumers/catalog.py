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
from uuid import UUID

from dictamesh.runtime.adapters.records import key_is_personal
from dictamesh.runtime.catalog.arrays import moments, texts
from dictamesh.runtime.catalog.graph.derive import DeclaredRelation, declared_relation
from dictamesh.runtime.catalog.graph.edges import close_edges, upsert_edges
from dictamesh.runtime.catalog.graph.nodes import Node, archive_entities, find_nodes, upsert_entities
from dictamesh.runtime.catalog.graph.values import Ending, Ref, SeenEdge, SeenRecord
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, LinkPlan, Plan
from dictamesh.runtime.consumers.announcing import created_relation, registered_type
from dictamesh.runtime.consumers.consuming import Connection, Within
from dictamesh.runtime.events.log import LoggedEvent, append_events
from dictamesh.runtime.events.system import ENTITY_REGISTERED, PARTITIONS, RELATIONSHIP_CREATED

GROUP = "metadata-catalog-consumer"
_GONE = frozenset({"DELETED", "ARCHIVED"})
_NONE: frozenset[Ref] = frozenset()
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


# Relations that ended when a record went, and who holds them may be the other end: those of each instant of going.
_ENDED = b"""
SELECT g.place, e.subject_entity_type, e.subject_entity_id
  FROM unnest(%(nodes)s::bigint[], %(ends)s::timestamptz[]) WITH ORDINALITY AS g (node, at, place)
  JOIN dictamesh_entity_relationships e
    ON e.object_node = g.node AND e.valid_to BETWEEN g.at AND g.at + interval '1 microsecond'
 UNION
SELECT g.place, e.object_entity_type, e.object_entity_id
  FROM unnest(%(nodes)s::bigint[], %(ends)s::timestamptz[]) WITH ORDINALITY AS g (node, at, place)
  JOIN dictamesh_entity_relationships e
    ON e.subject_node = g.node AND e.valid_to BETWEEN g.at AND g.at + interval '1 microsecond'
"""
_LATEST = b"""
SELECT h.place, l.event_payload->'relationships'
  FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS h (entity_type, id, place)
 CROSS JOIN LATERAL (
        SELECT event_payload FROM dictamesh_event_log l
         WHERE l.entity_type = h.entity_type AND l.entity_id = h.id ORDER BY l.id DESC LIMIT 1) l
"""
_HOLDERS = 1000  # records that held relations to one that came back, at a time


@dataclass(slots=True)
class CatalogConsumer:
    """Keeps the catalog as the log says; `fresh` hears the seconds from a change of a product to its event."""

    plan: Callable[[], Plan]
    fresh: Callable[[str, float], None] = lambda _product, _seconds: None
    group: str = GROUP
    limit: int = 1000
    from_end: bool = False
    whole: bool = False

    def topics(self) -> Collection[str]:
        return {entity.topic.name for entity in self.plan().entities.values()}

    async def handle(self, events: Sequence[LoggedEvent]) -> Within:
        return partial(self._write, events)

    async def _write(self, events: Sequence[LoggedEvent], connection: Connection) -> None:
        plan = self.plan()
        entities = {entity.name: entity for entity in plan.entities.values()}
        linked = {name for name, entity in entities.items() if any(_tells(link) for link in entity.links)}
        await connection.execute(_LOCK)
        for part in _rounds(events, linked):
            await _told(connection, plan, entities, part)
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


async def _told(
    connection: Connection, plan: Plan, entities: Mapping[str, EntityPlan], part: Sequence[LoggedEvent]
) -> None:
    """Write what a part comes to; of a record that comes back to relations and goes again, what is in between, too."""
    news = _News(plan, entities)
    for event in part:
        news.add(event)
    nodes = await find_nodes(connection, {each.ref for each in news.records})
    held = await _held(connection, _back(news, nodes))
    if {record.ref for record, _ in held}.isdisjoint(ref for ref, _ in news.gone):
        await _written(connection, news, part, nodes, held)
        return
    for each in _rounds(part, {event.entity_type for event in part}):
        await _told(connection, plan, entities, each)


async def _written(
    connection: Connection,
    news: "_News",
    part: Sequence[LoggedEvent],
    nodes: Mapping[Ref, Node],
    held: Sequence["_Held"],
) -> None:
    await upsert_entities(connection, news.records, nodes)
    await close_edges(connection, news.endings)
    if news.endings_back:
        columns = zip(*((ref.entity_type, ref.id, name, at) for ref, name, at in news.endings_back), strict=True)
        await connection.execute(_CLOSE_BACK, [list(column) for column in columns])
    written = await upsert_edges(connection, await _standing(connection, news.edges))
    await archive_entities(connection, news.gone)
    opened = [*written.created, *await _reopened(connection, news, held)]
    if not opened:
        return
    events = {str(event.event_id): event for event in part}
    causes = [(edge, events.get(edge.origin or "")) for edge in opened]
    created = [created_relation(news.plan, edge, event) for edge, event in causes if event is not None]
    await append_events(connection, created, {RELATIONSHIP_CREATED: PARTITIONS})


@dataclass(frozen=True, slots=True)
class _Back:
    """A record that comes back, and when it had gone."""

    record: SeenRecord
    node: int
    gone: datetime


_Held = tuple[SeenRecord, Ref]
"""A record that comes back, and who held a relation to it."""


def _back(news: "_News", nodes: Mapping[Ref, Node]) -> list[_Back]:
    """Return the records that were gone before these news."""
    first = {each.ref: each for each in reversed(news.records)}
    known = [(each, nodes[ref]) for ref, each in first.items() if ref in nodes]
    return [
        _Back(record, node.node, node.last_seen_at)
        for record, node in known
        if node.status == "archived" and node.last_seen_at < record.at
    ]


async def _held(connection: Connection, back: Sequence[_Back]) -> list[_Held]:
    """Return who held a relation to a record that comes back when it went."""
    if not back:
        return []
    columns = {"nodes": [each.node for each in back], "ends": [each.gone for each in back]}
    rows = await (await connection.execute(_ENDED, columns)).fetchall()
    return [(back[place - 1].record, Ref(kind, record)) for place, kind, record in rows]


async def _reopened(connection: Connection, news: "_News", held: Sequence[_Held]) -> list[SeenEdge]:
    """Relate those again that held a relation to a record when it went, and whose latest event in the log still does.

    What began to refer to it only while it was gone is related when it is told of again.
    """
    created: list[SeenEdge] = []
    for at in range(0, len(held), _HOLDERS):
        part = held[at : at + _HOLDERS]
        types, ids = [holder.entity_type for _, holder in part], [holder.id for _, holder in part]
        told = await (await connection.execute(_LATEST, (types, ids))).fetchall()
        edges: list[SeenEdge] = []
        for place, related in told:
            record, holder = part[place - 1]
            edges += news.again(record, holder, related or ())
        created += (await upsert_edges(connection, await _standing(connection, edges))).created
    return created


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
    causes: dict[Ref, UUID] = field(default_factory=dict)

    def again(self, record: SeenRecord, holder: Ref, related: Sequence[Mapping[str, Any]]) -> Iterator[SeenEdge]:
        """Yield the relations of a holder, as an event told them, that lead to a record which came back."""
        entity = self.entities.get(holder.entity_type)
        if entity is None or not _nameable(entity):
            return
        far = {each["relationship_kind"] for each in related if _end_of(each) == record.ref}
        for link in entity.links:
            if link.name in far and _tells(link):
                relation = declared_relation(entity, link, self.plan.entities[link.target])
                yield _edge(relation, (holder, record.ref), record.at, str(self.causes.get(record.ref, "")))

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
        self.causes[ref] = event.event_id
        if entity is not None and entity.links:
            self._relate(entity, ref, event)

    def _relate(self, entity: EntityPlan, ref: Ref, event: LoggedEvent) -> None:
        told = {each["relationship_kind"]: each for each in event.envelope.get("relationships") or ()}
        for link in entity.links:
            if not _tells(link):
                continue
            target = self.plan.entities[link.target]
            relation = declared_relation(entity, link, target)
            far = told.get(link.name)
            if far is not None and _nameable(target):
                ends = ref, Ref(target.name, str(far["entity_id"]))
                self.edges.append(_edge(relation, ends, event.ingested_at, str(event.event_id)))
            elif far is None and _unlinked(link, event):
                self._end(relation, ref, event.ingested_at)

    def _end(self, relation: DeclaredRelation, holder: Ref, at: datetime) -> None:
        if relation.turned:
            self.endings_back.append((holder, relation.name, at))
        else:
            self.endings.append(Ending(holder, at, relation.name))


def _tells(link: LinkPlan) -> bool:
    """Whether events of an entity tell of this relation of its."""
    return not link.many and link.by_key


def _edge(relation: DeclaredRelation, ends: tuple[Ref, Ref], at: datetime, origin: str) -> SeenEdge:
    subject, object_ = reversed(ends) if relation.turned else ends
    return SeenEdge(subject, relation.name, object_, at, origin=origin, cardinality=relation.cardinality)


def _end_of(related: Mapping[str, Any]) -> Ref:
    return Ref(str(related["type"]), str(related["entity_id"]))


def _unlinked(link: LinkPlan, event: LoggedEvent) -> bool:
    """Whether a relation that an event does not tell of may have held before it."""
    return event.event_type == "UPDATED" and (not event.changed_fields or bool(set(link.own) & {*event.changed_fields}))


def _nameable(entity: EntityPlan) -> bool:
    """Whether records may stand in the catalog: no key that is personal data may (AR-4)."""
    return entity.surrogate is not None or not key_is_personal(entity)


def _rounds(events: Sequence[LoggedEvent], linked: Collection[str]) -> Iterator[list[LoggedEvent]]:
    """Split events so that each part tells of none that goes what others relate to, and of it nothing more; in order.

    Of a record of a type that is `linked`, which tells of relations, a part tells once.
    """
    part: list[LoggedEvent] = []
    told: set[Ref] = set()
    gone: set[Ref] = set()
    related: set[Ref] = set()
    for event in sorted(events, key=lambda each: each.ingested_at):  # relations meet records of other partitions
        ref = Ref(event.entity_type, event.entity_id)
        goes = event.event_type in _GONE
        relations = event.envelope.get("relationships")
        ends = {_end_of(each) for each in relations} if relations else _NONE
        if ref in gone or (ref in told and event.entity_type in linked) or (goes and ref in related) or ends & gone:
            yield part
            part, told, gone, related = [], set(), set(), set()
        part.append(event)
        told.add(ref)
        related |= ends
        if goes:
            gone.add(ref)
    if part:
        yield part


def _columns(events: Sequence[LoggedEvent]) -> tuple[str, str, str]:
    latest = {(event.entity_type, event.entity_id): event.ingested_at for event in events}
    return texts([kind for kind, _ in latest]), texts([record for _, record in latest]), moments(latest.values())

# SPDX-License-Identifier: Apache-2.0
"""What the catalog tells of itself: new types and new relations; the same news makes the same event (EV-4, GL-8)."""

import secrets
import uuid
from datetime import UTC, datetime

from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.catalog.graph.values import SeenEdge
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.envelope import EntityReference, Event, EventTrace, RelationshipReference
from dictamesh.runtime.events.log import LoggedEvent
from dictamesh.runtime.events.system import ENTITY_REGISTERED, RELATIONSHIP_CREATED
from dictamesh.runtime.observe import trace

TYPE, RELATIONSHIP = "EntityType", "Relationship"
_NEWS = uuid.UUID("6a1d9d0e-3c52-5a3b-8f57-0c1c3a2f9b60")


def registered_type(plan: Plan, entity: EntityPlan) -> Event:
    """Return the event that tells of an entity type."""
    at = trace.begin()
    return Event(
        topic=ENTITY_REGISTERED,
        event_type="CREATED",
        entity=EntityReference(TYPE, entity.name, "1"),
        source_system=entity.server,
        domain=str(entity.catalog["domain"]),
        trace=EventTrace(at.trace_id, at.span_id),
        metadata={"address": entity.address, "topic": entity.topic.name},
        event_id=uuid.uuid5(_NEWS, f"{plan.name}\0{entity.address}"),
    )


def created_relation(plan: Plan, edge: SeenEdge, event: LoggedEvent) -> Event:
    """Return the event that tells of a relation that `event` made known; it stands in the same trace."""
    producer = event.envelope["trace_context"]
    target = next((each for each in plan.entities.values() if each.name == edge.object.entity_type), None)
    ends = (edge.subject.entity_type, edge.subject.id, edge.relation, edge.object.entity_type, edge.object.id)
    key = canonical(ends)
    return Event(
        topic=RELATIONSHIP_CREATED,
        event_type="CREATED",
        entity=EntityReference(RELATIONSHIP, key, "1"),
        source_system=str(event.envelope["source_system"]),
        domain=str(event.envelope["domain"]),
        trace=EventTrace(str(producer["trace_id"]), secrets.token_hex(8), str(producer["span_id"])),
        relationships=(
            RelationshipReference(
                edge.object.entity_type, edge.object.id, target.server if target else "", edge.relation
            ),
        ),
        metadata={"subject_type": edge.subject.entity_type, "subject_id": edge.subject.id},
        timestamp=datetime.now(UTC),
        event_id=uuid.uuid5(_NEWS, f"{plan.name}\0{event.event_id}\0{key}"),
    )

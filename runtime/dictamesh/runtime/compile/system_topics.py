# SPDX-License-Identifier: Apache-2.0
"""Topics that every mesh has beside those of its entities (EV-4, EV-12)."""

from dictamesh.runtime.compile.avro import envelope
from dictamesh.runtime.compile.plan import TopicPlan
from dictamesh.specs.model.events import Events

ENTITY_REGISTERED = "system.metadata.entity_registered"
RELATIONSHIP_CREATED = "system.lineage.relationship_created"
PARTITIONS = 3
REPLICATION = 3
_YEAR = 365 * 86_400.0
SCHEMA = envelope("System", ())
"""The Avro schema of them all: an envelope whose payload has no fields."""


def system_topics(events: Events) -> tuple[TopicPlan, ...]:
    """Return the system's topics and that of dead letters."""
    kept = {ENTITY_REGISTERED: (_YEAR, "compact"), RELATIONSHIP_CREATED: (_YEAR, "compact")}
    kept[events.dead_letters.topic] = (events.dead_letters.keep, "delete")
    return tuple(
        TopicPlan(name, PARTITIONS, REPLICATION, keep, "lz4", cleanup, payload="none")
        for name, (keep, cleanup) in kept.items()
    )

# SPDX-License-Identifier: Apache-2.0
"""The mesh's own topics: what its catalog learns (EV-4)."""

from dictamesh.runtime.compile.plan import TopicPlan

ENTITY_REGISTERED = "system.metadata.entity_registered"
RELATIONSHIP_CREATED = "system.lineage.relationship_created"
PARTITIONS = 3
_YEAR = 365 * 86_400.0

SYSTEM_TOPICS = tuple(
    TopicPlan(name, PARTITIONS, 3, _YEAR, "lz4", "compact") for name in (ENTITY_REGISTERED, RELATIONSHIP_CREATED)
)
"""Both keep the latest event of each type and relation."""

# SPDX-License-Identifier: Apache-2.0
"""Topics of somebody else as sources: how their brokers and the registry of their schemas are reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dictamesh.runtime.adapters.ask import ReadFailed
from dictamesh.runtime.bus.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from dictamesh.runtime.bus.settings import connection
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.publishing import registry_of
from dictamesh.runtime.mesh.references import Resolver


def brokers_of(plan: Plan, resolver: Resolver, entity: EntityPlan) -> Mapping[str, Any]:
    """Return how the brokers of an entity's topic are reached, in librdkafka's words; raises StartFailed.

    Brokers that the entity names itself are reached without credentials: those of `events.kafka` are not theirs.
    """
    declared = entity.changes.kafka if entity.changes else None
    place = f"{entity.address}: changes.kafka.bootstrap"
    if declared is not None and declared.bootstrap is not None:
        return {"bootstrap.servers": resolver.text(declared.bootstrap, place), "client.id": "dictamesh"}
    if plan.mesh.events.kafka is None:
        raise StartFailed(f"{place} is not there", "name the brokers, or declare events.kafka in the mesh file")
    return connection(plan.mesh.events.kafka, resolver.text, resolver.folder)


def followed(plan: Plan) -> list[EntityPlan]:
    """Return the entities whose changes are told in a topic of somebody else."""
    if not plan.mesh.events.capture:
        return []
    return [entity for entity in plan.entities.values() if entity.changes and entity.changes.kafka]


@dataclass(slots=True)
class ForeignSchemas:
    """The schemas of messages, by the registry of the plan that is served."""

    resolver: Resolver
    _registry: SchemaRegistry | None = field(default=None, init=False)

    async def use(self, plan: Plan) -> None:
        """Ask the registry of this plan from now on; raises StartFailed."""
        before, self._registry = self._registry, registry_of(plan, self.resolver)
        if before is not None:
            await before.close()

    async def schema(self, number: int) -> Any:
        """Return the schema of an id, None where there is none; raises `ReadFailed` where nobody can be asked."""
        if self._registry is None:
            return None
        try:
            return await self._registry.schema(number)
        except (RegistryUnavailable, RegistryRefused):
            raise ReadFailed("SOURCE_UNAVAILABLE", transient=True) from None

    async def close(self) -> None:
        """End it."""
        if self._registry is not None:
            await self._registry.close()

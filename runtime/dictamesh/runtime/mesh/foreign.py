# SPDX-License-Identifier: Apache-2.0
"""Topics of somebody else as sources: how their brokers and the registry of their schemas are reached."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dictamesh.runtime.adapters.ask import ReadFailed
from dictamesh.runtime.bus.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from dictamesh.runtime.bus.settings import connection
from dictamesh.runtime.capture.messages import Schemas
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.publishing import registry_at, registry_of
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.specs.model.events import Kafka


def brokers_of(plan: Plan, resolver: Resolver, entity: EntityPlan) -> Mapping[str, Any]:
    """Return how the brokers of an entity's topic are reached, in librdkafka's words; raises StartFailed.

    Brokers that the entity names itself are reached with the credentials that it says: those of `events.kafka` are not
    theirs.
    """
    declared = entity.changes.kafka if entity.changes else None
    place = f"{entity.address}: changes.kafka"
    if declared is not None and declared.bootstrap is not None:
        brokers = Kafka(bootstrap=declared.bootstrap, sasl=declared.sasl, tls=declared.tls)
        return connection(brokers, resolver.text, resolver.folder, place)
    if plan.mesh.events.kafka is None:
        raise StartFailed(
            f"{place}.bootstrap is not there", "name the brokers, or declare events.kafka in the mesh file"
        )
    return connection(plan.mesh.events.kafka, resolver.text, resolver.folder)


def followed(plan: Plan) -> list[EntityPlan]:
    """Return the entities whose changes are told in a topic of somebody else."""
    if not plan.mesh.events.capture:
        return []
    return [entity for entity in plan.entities.values() if entity.changes and entity.changes.kafka]


@dataclass(slots=True)
class ForeignSchemas:
    """The schemas of messages, by the registries of the plan that is served: that of the mesh, and entities' own."""

    resolver: Resolver
    _registry: SchemaRegistry | None = field(default=None, init=False)
    _own: dict[str, SchemaRegistry] = field(default_factory=dict, init=False)

    async def use(self, plan: Plan) -> None:
        """Ask the registries of this plan from now on; raises StartFailed."""
        registry, own = registry_of(plan, self.resolver), registries_of(plan, self.resolver)
        before = self._every()
        self._registry, self._own = registry, own  # first: a message that is read meanwhile asks the new ones
        await _closed(before)

    def of(self, entity: EntityPlan) -> Schemas:
        """Return who gives the schemas of an entity's messages."""
        return partial(self._schema, entity.address)

    async def _schema(self, address: str, number: int) -> Any:
        """Return the schema of an id, None where there is none; raises `ReadFailed` where nobody can be asked."""
        registry = self._own.get(address, self._registry)
        if registry is None:
            return None
        try:
            return await registry.schema(number)
        except (RegistryUnavailable, RegistryRefused):
            raise ReadFailed("SOURCE_UNAVAILABLE", transient=True) from None

    async def close(self) -> None:
        """End them."""
        await _closed(self._every())

    def _every(self) -> list[SchemaRegistry]:
        return [each for each in (self._registry, *self._own.values()) if each is not None]


async def _closed(registries: Iterable[SchemaRegistry]) -> None:
    for each in registries:
        await each.close()


def registries_of(plan: Plan, resolver: Resolver) -> dict[str, SchemaRegistry]:
    """Return clients of the registries that entities declare for their topics, by address; raises StartFailed."""
    declared = ((each, each.changes.kafka.registry) for each in followed(plan) if each.changes and each.changes.kafka)
    return {
        each.address: registry_at(registry, f"{each.address}: changes.kafka.registry", resolver)
        for each, registry in declared
        if registry is not None
    }

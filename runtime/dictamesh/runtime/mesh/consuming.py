# SPDX-License-Identifier: Apache-2.0
"""The mesh's own consumers in a running mesh: caches and subscribers of this replica, groups that one replica runs."""

from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import surrogates
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.consumers.cache import Invalidation
from dictamesh.runtime.consumers.catalog import CatalogConsumer, announce_types
from dictamesh.runtime.consumers.consuming import Connection, Consumer, Consumers, Handled, Settings
from dictamesh.runtime.consumers.cursor import Cursors
from dictamesh.runtime.consumers.hooks import PREFIX, HookConsumer, signing_key
from dictamesh.runtime.consumers.hub import Hub, traceparent_of
from dictamesh.runtime.events.dead_letters import DeadLetter, put
from dictamesh.runtime.events.log import LoggedEvent
from dictamesh.runtime.events.reading import Ear
from dictamesh.runtime.events.seal import Seal
from dictamesh.runtime.gateway.serving import Gateway
from dictamesh.runtime.gateway.subscriptions.contract import Observer
from dictamesh.runtime.gateway.subscriptions.running import Subscriptions
from dictamesh.runtime.governance.authenticate import mask_keys
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import seal
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.world import World
from dictamesh.runtime.observe.metrics import Metrics
from dictamesh.runtime.resilience import L1

_FAILED, _NOT_TAKEN = "the handler failed", "the receiver did not take it"


@dataclass(slots=True)
class Consuming:
    """Everything of a mesh that reads the log. Make it with `begin_consumers`, tell it of each plan by `use`."""

    pool: Pool
    metrics: Metrics
    resolver: Resolver
    data_dir: Path
    ear: Ear
    hub: Hub = field(init=False)
    consumers: Consumers = field(init=False)
    subscriptions: Subscriptions = field(init=False)
    _plan: Plan = field(init=False)
    _ids: RecordIds = field(init=False)
    _cursors: Cursors = field(init=False)
    _seal: Seal = field(init=False)
    _groups: dict[str, Consumer] = field(default_factory=dict, init=False)

    async def begin(self, world: World, gateway: Gateway, l1: L1) -> list[Coroutine[Any, Any, None]]:
        """Begin (`begin_consumers`)."""
        await self.use(world)
        forgetting = Invalidation(l1, lambda: (self._plan, self._ids), self._dropped)
        self.hub = Hub(self.pool, self.topics, forgetting.forget, lambda: self._cursors, self.ear)
        try:
            await self.hub.begin()
        except CatalogUnavailable as error:
            raise StartFailed(error.message, error.cure) from None
        self.subscriptions = Subscriptions(gateway, self.hub, _observer(self.metrics))
        self.consumers = Consumers(
            self.pool, self.groups, self.settings, self.bury, self.ear, self._counted, self._lagging
        )
        return [self.hub.run(), self.consumers.run()]

    async def use(self, world: World) -> None:
        """Go on with another plan; raises StartFailed, and nothing has changed then."""
        plan = world.plan
        ids = RecordIds(surrogates(plan, mask_keys(plan.mesh.security, self.resolver.secrets(plan.mesh.security))))
        groups = self._groups_of(plan)
        sealed = seal(plan, self.resolver, self.data_dir)
        try:
            await announce_types(self.pool, plan)
        except CatalogUnavailable as error:
            raise StartFailed(error.message, error.cure) from None
        self._plan, self._ids, self._groups, self._seal = plan, ids, groups, sealed
        self._cursors = Cursors(world.audit_key, plan.name)
        self.ear.wake()

    def topics(self) -> Collection[str]:
        """Return the topics of the entities that are served now."""
        return {entity.topic.name for entity in self._plan.entities.values()}

    def _groups_of(self, plan: Plan) -> dict[str, Consumer]:
        """Return the groups of a plan; those that are as before go on as they are."""
        catalog = f"events of {plan.name}: catalog"
        kept = self._groups.get(catalog) or CatalogConsumer(lambda: self._plan, self._fresh)
        groups: dict[str, Consumer] = {catalog: kept}
        for name, declared in plan.mesh.events.hooks.items():
            place = f"events.hooks.{name}"
            hook = declared.model_copy(update={"url": self.resolver.text(declared.url, f"{place}.url")})
            key = signing_key(self.resolver.text(hook.secret, f"{place}.secret").strip())
            if not key:
                raise StartFailed(f"{place}.secret: {hook.secret} is empty", "give it a value")
            lease = f"events of {plan.name}: hook {name}"
            before = self._groups.get(lease)
            if isinstance(before, HookConsumer) and (before.hook, before.key) == (hook, key):
                groups[lease] = before
            else:
                groups[lease] = HookConsumer(name, hook, key, lambda: self._plan, self._retries, self.bury)
        return groups

    def _retries(self) -> int:
        return self._plan.mesh.events.dead_letters.retries

    def groups(self) -> Mapping[str, Consumer]:
        """Return the groups of the plan that is served, by the names of their leases."""
        return self._groups

    def settings(self) -> Settings:
        """Return how often events are tried, and leases."""
        return Settings(self._retries(), self._plan.mesh.events.lease)

    async def bury(self, connection: Connection, group: str, event: LoggedEvent, attempts: int) -> None:
        """Keep an event that a group could not handle, as a dead letter."""
        entity = next((each for each in self._plan.entities.values() if each.name == event.entity_type), None)
        letter = DeadLetter(
            stage="handle",
            rule="HOOK_FAILED" if group.startswith(PREFIX) else "HANDLER_FAILED",
            error=_NOT_TAKEN if group.startswith(PREFIX) else _FAILED,
            origin=f"{event.topic}/{event.partition}/{event.offset}",
            body=orjson.dumps(event.envelope),
            key=event.entity_id,
            attempts=attempts,
            group=group,
            event_id=event.event_id,
            traceparent=traceparent_of(event.envelope),
        )
        address = entity.address if entity is not None else event.entity_type
        to = self._plan.mesh.events.dead_letters.topic
        await put(connection, self._plan.name, event.topic, address, [letter], self._seal, to=to)

    def _fresh(self, product: str, seconds: float) -> None:
        self.metrics.observe("capture_delay_seconds", seconds, product)

    def _dropped(self, entity: EntityPlan, count: int) -> None:
        self.metrics.count("cache_invalidations_total", entity.name, by=count)

    def _counted(self, group: str, outcome: Handled, count: int) -> None:
        self.metrics.count("consumed_events_total", _word(group), outcome, by=count)

    def _lagging(self, group: str, count: int) -> None:
        self.metrics.set("consumer_lag", count, _word(group))


def _word(group: str) -> str:
    return "hooks" if group.startswith(PREFIX) else group


async def begin_consumers(
    consuming: Consuming, world: World, gateway: Gateway, l1: L1
) -> list[Coroutine[Any, Any, None]]:
    """Begin with the plan that is served first, and return what is to run; raises StartFailed."""
    return await consuming.begin(world, gateway, l1)


def _observer(metrics: Metrics) -> Observer:
    def sent(transport: str, seconds: float) -> None:
        metrics.count("subscription_messages_total", transport)
        metrics.observe("subscription_delay_seconds", seconds, transport)

    return Observer(
        active=lambda transport, count: metrics.set("subscriptions_active", count, transport),
        ended=lambda outcome: metrics.count("subscriptions_ended_total", outcome),
        sent=sent,
    )

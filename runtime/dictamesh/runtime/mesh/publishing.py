# SPDX-License-Identifier: Apache-2.0
"""The bus of a mesh from start to stop: topics, schemas, the relay. Without Kafka there is nothing to do."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from dictamesh.connectors.sdk.protocol import Health, Status
from dictamesh.runtime.bus.admin import Admin
from dictamesh.runtime.bus.messages import Outgoing, Rejected, outgoing
from dictamesh.runtime.bus.refusals import BusUnavailable
from dictamesh.runtime.bus.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from dictamesh.runtime.bus.relay import Relay
from dictamesh.runtime.bus.restore import forgotten
from dictamesh.runtime.bus.schemas import Incompatible, Schemas
from dictamesh.runtime.bus.settings import connection, producer
from dictamesh.runtime.bus.tls import Fault, Unusable, files, trust
from dictamesh.runtime.bus.topics import Wanted, compare, create, wanted_topics
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.events.dead_letters import DeadLetter, put
from dictamesh.runtime.events.reading import Ear
from dictamesh.runtime.events.seal import Seal
from dictamesh.runtime.mesh.bus_metrics import BusMetrics
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.specs.model.events import Registry, Tls

_LOG = logging.getLogger("dictamesh.bus")
_AGAIN = (1.0, 30.0)  # seconds: the first pause, the longest
_LOOK = 60.0  # seconds between comparisons of topics


@dataclass(slots=True)
class Reached:
    """How one plan reaches its bus; equal `made_of` means that it is the same bus."""

    plan: Plan
    topics: Mapping[str, Wanted]
    made_of: tuple[Mapping[str, Any], ...] = field(repr=False)
    schemas: Schemas | None
    admin: Admin

    async def close(self) -> None:
        if self.schemas is not None:
            await self.schemas.registry.close()


@dataclass(slots=True)
class Publishing:
    """What publishes the log of one mesh. `seal` is asked when an event becomes a dead letter."""

    pool: Pool
    resolver: Resolver
    told: BusMetrics
    seal: Callable[[], Seal]
    ear: Ear
    _reached: Reached | None = field(default=None, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _ways: dict[str, Outgoing] = field(default_factory=dict, init=False)

    async def check(self, plan: Plan) -> None:
        """See that the schemas of a plan fit those registered, and touch nothing; raises StartFailed.

        A registry that does not answer stops no start: the relay waits for it.
        """
        reached = reach(plan, self.resolver)
        if reached is None or reached.schemas is None:
            return
        try:
            await reached.schemas.check(reached.topics)
        except RegistryUnavailable as error:
            _LOG.warning("the schema registry cannot be asked; the relay waits for it", extra={"reason": str(error)})
        except RegistryRefused as refused:
            raise StartFailed(str(refused), refused.fault.cure) from None
        except Incompatible as found:
            raise incompatible(found) from None
        finally:
            await reached.close()

    def use(self, plan: Plan) -> None:
        """Publish what a plan says from now on; raises StartFailed."""
        self._reached = reach(plan, self.resolver)
        self.told.use(plan, self._reached.topics if self._reached is not None else {})
        self._changed.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            self._changed.clear()
            reached = self._reached
            work = asyncio.ensure_future(self._work(reached)) if reached is not None else None
            try:
                await self._changed.wait()
            finally:
                if work is not None:
                    work.cancel()
                    await asyncio.gather(work, return_exceptions=True)
                if reached is not None:
                    await reached.close()

    async def health(self) -> Health:
        """Whether the bus takes what the log holds."""
        if self.told.reason is None:
            return Health(Status.HEALTHY)
        return Health(Status.DEGRADED, "" if self.told.fault is None else str(self.told.fault))

    async def _work(self, reached: Reached) -> None:
        self._ways = {}
        await self._prepare(reached)
        kafka = reached.plan.mesh.events.kafka
        if kafka is None:
            return
        with self.ear.waiter() as woken:
            relay = Relay(
                self.pool,
                reached.plan.name,
                producer(kafka, reached.made_of[0]),
                lambda: self._ways,
                partial(self._reject, reached),
                self.told,
                reached.plan.mesh.events.lease,
                woken,
            )
            await asyncio.gather(relay.run(), self._look(reached))

    async def _prepare(self, reached: Reached) -> None:
        """Make topics and register schemas, however long brokers and registry take to answer."""
        pause = _AGAIN[0]
        while True:
            try:
                await self._make(reached)
                if reached.schemas is not None:
                    await reached.schemas.check(reached.topics)
                    await reached.schemas.register(reached.topics)
                break
            except BusUnavailable as error:
                self._waits("refused" if error.refused else "broker", error, error.fault)
            except RegistryRefused as error:
                self._waits("registry", error, error.fault)
            except RegistryUnavailable as error:
                self._waits("registry", error)
            except Incompatible as error:
                self._waits("schema", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _AGAIN[1])
        self.told.waiting(None)
        await self._remember(reached)
        self._ways = ways_of(reached)
        _LOG.info("bus ready", extra={"count": len(self._ways)})

    async def _remember(self, reached: Reached) -> None:
        """Tell of a catalog that knows nothing of what its topics bear, before it publishes versions anew."""
        with contextlib.suppress(BusUnavailable, CatalogUnavailable):
            topics = await forgotten(self.pool, reached.plan.name, reached.made_of[0], reached.topics)
            if topics:
                reason = "if its database was lost, stop, and run 'events restore' on an empty one"
                about = {"topic": topics[0], "count": len(topics), "reason": reason}
                _LOG.warning("topics bear events that this catalog never published", extra=about)

    def _waits(self, reason: str, error: Exception, fault: Fault | None = None) -> None:
        self.told.waiting(reason, fault)
        _LOG.warning("nothing is published for now", extra={"reason": str(error)})

    async def _make(self, reached: Reached) -> None:
        found = await compare(reached.admin, reached.topics)
        made = await create(reached.admin, found.missing)
        if made:
            _LOG.info("topics were made", extra={"count": len(made)})
        self.told.drifted(reached.topics, found.drift)
        self.told.hidden(len(found.hidden))

    async def _look(self, reached: Reached) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            with contextlib.suppress(BusUnavailable):
                await self._make(reached)

    async def _reject(
        self, reached: Reached, connection: psycopg.AsyncConnection[TupleRow], rejected: Sequence[Rejected]
    ) -> None:
        dead = reached.plan.mesh.events.dead_letters.topic
        for each in rejected:
            topic = reached.topics[each.row.topic]
            if topic.name == dead:
                _LOG.error("a record of the dead-letter topic cannot be sent", extra={"reason": each.reason})
                continue
            address = topic.entity.address if topic.entity is not None else topic.name
            origin = f"{each.row.topic}/{each.row.partition}/{each.row.offset}"
            letter = DeadLetter("publish", each.rule, each.reason, origin, key=each.row.key)
            await put(connection, reached.plan.name, topic.name, address, [letter], self.seal(), to=dead)


def reach(plan: Plan, resolver: Resolver) -> Reached | None:
    """Return how a plan reaches its bus, None where it has none but the log; raises StartFailed."""
    events = plan.mesh.events
    if events.kafka is None:
        return None
    settings = connection(events.kafka, resolver.text, resolver.folder)
    try:
        admin = Admin(settings)
    except BusUnavailable as error:
        if error.fault is not None:
            raise StartFailed(str(error.fault), error.cure) from None
        raise StartFailed(
            f"events.kafka cannot be used ({error.code})",
            "see its bootstrap, sasl and tls, and that its files are there",
        ) from None
    return Reached(plan, wanted_topics(plan), (settings,), _schemas(plan, resolver), admin)


def registry_of(plan: Plan, resolver: Resolver) -> SchemaRegistry | None:
    """Return a client of a plan's schema registry, if it has one; raises StartFailed."""
    declared = plan.mesh.events.registry
    return None if declared is None else registry_at(declared, "events.registry", resolver)


def registry_at(declared: Registry, place: str, resolver: Resolver) -> SchemaRegistry:
    """Return a client of the schema registry that a section declares; raises StartFailed."""
    named = files(declared.tls or Tls(), resolver.text, resolver.folder, f"{place}.tls")
    try:
        trusted = trust(named) if declared.tls is not None else None
    except Unusable as found:
        raise StartFailed(str(found.fault), found.fault.cure) from None
    return SchemaRegistry(
        resolver.text(declared.url, f"{place}.url"),
        declared.timeout,
        None if declared.username is None else resolver.text(declared.username, f"{place}.username"),
        None if declared.password is None else resolver.text(declared.password, f"{place}.password"),
        trusted,
    )


def incompatible(found: Incompatible) -> StartFailed:
    """Return why a mesh does not start whose schemas do not fit those registered."""
    return StartFailed(
        str(found),
        "keep the field's type and add another field for the new one, or give the output port another topic",
    )


def _schemas(plan: Plan, resolver: Resolver) -> Schemas | None:
    registry, declared = registry_of(plan, resolver), plan.mesh.events.registry
    return Schemas(registry, declared.compatibility) if registry is not None and declared is not None else None


def ways_of(reached: Reached) -> dict[str, Outgoing]:
    """Return how events of each topic become messages, once its schemas are registered."""
    plan = reached.plan
    kafka = plan.mesh.events.kafka
    largest = kafka.producer.max_message if kafka is not None else 0
    ids = reached.schemas.ids if reached.schemas is not None else {}
    return {
        name: outgoing(
            plan.name,
            plan.products[topic.entity.product].version if topic.entity else "1",
            topic,
            ids.get(name),
            largest,
        )
        for name, topic in reached.topics.items()
    }

# SPDX-License-Identifier: Apache-2.0
"""Everything of events in a running mesh, started and stopped together: changes noticed, published, consumed."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import time
from typing import Any

from dictamesh.connectors.postgres.manifest import PostgresServer
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import surrogates
from dictamesh.runtime.bus.codec import Codec, codec
from dictamesh.runtime.bus.payload import PolicyPayloads
from dictamesh.runtime.capture.bad import DeadLetters
from dictamesh.runtime.capture.contract import Kind, Recorded, StateId
from dictamesh.runtime.capture.hashing import hashing_key, key_name
from dictamesh.runtime.capture.kafka import kafka
from dictamesh.runtime.capture.letters import KeptLetters
from dictamesh.runtime.capture.poll import poll
from dictamesh.runtime.capture.postgres.kept import kept
from dictamesh.runtime.capture.postgres.lag import Lag
from dictamesh.runtime.capture.postgres.making import postgres
from dictamesh.runtime.capture.recorder import CatalogRecorder
from dictamesh.runtime.capture.running import Captures, WayMaker
from dictamesh.runtime.capture.snapshot import snapshot
from dictamesh.runtime.capture.state import stands
from dictamesh.runtime.capture.webhook.building import receivers
from dictamesh.runtime.capture.webhook.receiver import Receiver, Receivers
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.log import Encode
from dictamesh.runtime.events.payload import PayloadMaker
from dictamesh.runtime.events.seal import Seal
from dictamesh.runtime.governance.authenticate import mask_keys
from dictamesh.runtime.mesh.foreign import ForeignSchemas, brokers_of, followed, registries_of
from dictamesh.runtime.mesh.hooks import webhook_secrets
from dictamesh.runtime.mesh.keys import seal
from dictamesh.runtime.mesh.lines import lines_of
from dictamesh.runtime.mesh.payloads import payload_maker
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.world import World
from dictamesh.runtime.observe.metrics import Metrics

_LOG = logging.getLogger("dictamesh.mesh")
_WATCH_SLOTS = 60.0


@dataclass(slots=True)
class Events:
    """The parts of events of one mesh. `use` tells them of a plan, `work` is what runs for as long as the mesh does."""

    pool: Pool
    metrics: Metrics
    resolver: Resolver
    data_dir: Path
    captures: Captures = field(init=False)
    receivers: Receivers = field(init=False)
    schemas: ForeignSchemas = field(init=False)
    _world: World = field(init=False)
    key: bytes = field(init=False, repr=False)
    _codecs: dict[str, tuple[EntityPlan, Codec]] = field(default_factory=dict, init=False, repr=False)
    _payload: PolicyPayloads | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.receivers = Receivers(counted=partial(self.metrics.count, "webhook_deliveries_total"))
        self.schemas = ForeignSchemas(self.resolver)

    async def begin(self, world: World) -> list[Coroutine[Any, Any, None]]:
        """Start with the plan that is served first, and return what is to run; raises StartFailed."""
        self.check(world.plan)
        self._world = world
        self.key = hashing_key(world.audit_key)
        makers: Mapping[Kind, WayMaker] = {
            "poll": poll,
            "snapshot": snapshot,
            "postgres": postgres(self._dsn, Capturing(self.metrics).lagging),
            "kafka": kafka(lambda entity: brokers_of(self._world.plan, self.resolver, entity), self.schemas.of),
        }
        self.captures = Captures(self.pool, makers, self.recorder, key_name(self.key), Capturing(self.metrics))
        await self.use(world)
        return [self.captures.run(), self._watch_slots()]

    async def _watch_slots(self) -> None:
        """Alarm while slots of removed products keep their sources' logs; louder once `slotKeep` is over."""
        while True:
            plan = self._world.plan
            try:
                left = kept(await stands(self.pool, plan.name), plan)
            except CatalogUnavailable as error:
                _LOG.warning("slots of removed products cannot be looked up", extra={"reason": str(error)})
            else:
                self.metrics.set("capture_slots_kept", len(left))
                for each in left:
                    level = logging.ERROR if each.overdue(plan.mesh.events.slot_keep) else logging.WARNING
                    told = {"server": each.server, "reason": f"since {each.since.isoformat(timespec='seconds')}"}
                    _LOG.log(
                        level, "nobody reads the slot %s; 'state reset --drop-slot' drops it", each.slot, extra=told
                    )
            await asyncio.sleep(_WATCH_SLOTS)

    def check(self, plan: Plan) -> None:
        """See that a plan can be used: that its references lead to something; raises StartFailed."""
        webhook_secrets(plan, self.resolver)
        for entity in followed(plan):
            brokers_of(plan, self.resolver, entity)
        registries_of(plan, self.resolver)

    async def use(self, world: World) -> None:
        """Go on with another plan, which is served already: what cannot be noted now is noted by the next one."""
        self._world = world
        await self.schemas.use(world.plan)  # first: messages name schemas
        try:
            await self.captures.use(world.plan, lines_of(world.lines))
        except CatalogUnavailable as error:
            _LOG.warning("capture of removed products is not noted as paused", extra={"reason": str(error)})
        self.receivers.use(self._taking(world.plan))

    async def close(self) -> None:
        """Take no more webhooks, and wait until those that were taken in are recorded."""
        await self.receivers.close()
        await self.schemas.close()

    def recorder(self, plan: Plan, entity: EntityPlan, epoch: int | None = None) -> CatalogRecorder:
        """Return what records changes of an entity; without an epoch it is nobody's alone, as for webhooks."""
        ids = self.ids(plan)
        made = CatalogRecorder(self.pool, plan, entity, ids, self.key, self.payload(plan), dead=self.dead_letters(plan))
        made.encoding(self._encode(plan, entity))
        return made if epoch is None else made.owned_by(epoch)

    def _encode(self, plan: Plan, entity: EntityPlan) -> Encode | None:
        """Return what encodes an entity's events for the relay, None where they are published as JSON or not at all."""
        if plan.mesh.events.kafka is None or plan.mesh.events.registry is None:
            return None
        known = self._codecs.get(entity.address)
        if known is None or known[0] is not entity:
            known = self._codecs[entity.address] = entity, codec(entity)
        return known[1].datum

    def payload(self, plan: Plan) -> PayloadMaker:
        """Return what decides what topics bear; raises StartFailed."""
        if self._payload is None or self._payload.plan is not plan:
            self._payload = payload_maker(plan, self.resolver, self.data_dir)
        return self._payload

    def _dsn(self, plan: Plan, server: str) -> str:
        options = self.resolver.options(PostgresServer, plan.servers[server].options, f"servers.{server}")
        return options.dsn

    def dead_letters(self, plan: Plan) -> DeadLetters:
        """Return what keeps bad records."""
        return KeptLetters(self.seal(plan), plan.mesh.events.dead_letters.topic)

    def seal(self, plan: Plan) -> Seal:
        """Return what seals the bodies of dead letters; raises StartFailed."""
        return seal(plan, self.resolver, self.data_dir)

    def _taking(self, plan: Plan) -> dict[tuple[str, str], Receiver]:
        secrets = webhook_secrets(plan, self.resolver)
        return receivers(
            plan, self.pool, self.seal(plan), secrets, self.ids(plan), lambda entity: self.recorder(plan, entity)
        )

    def ids(self, plan: Plan) -> RecordIds:
        """Return how records are named; raises StartFailed."""
        return RecordIds(surrogates(plan, mask_keys(plan.mesh.security, self.resolver.secrets(plan.mesh.security))))


@dataclass(frozen=True, slots=True)
class Capturing:
    """Metrics of capture."""

    metrics: Metrics

    def captured(self, state: StateId, recorded: Recorded) -> None:
        """Count what became of a batch."""
        labels = _labels(state)
        for outcome in ("created", "updated", "deleted", "unchanged", "bad", "doubted"):
            count = getattr(recorded, outcome)
            if count:
                self.metrics.count("captured_changes_total", *labels, outcome, by=count)
        self.metrics.set("capture_last_success_seconds", time(), *labels)
        if recorded.newest is not None:
            self.metrics.set("capture_lag_seconds", max(time() - recorded.newest.timestamp(), 0.0), *labels)

    def capture_failed(self, state: StateId, reason: str) -> None:
        """Count a way that broke off."""
        self.metrics.count("capture_failures_total", *_labels(state), reason)

    def owning(self, state: StateId, *, owned: bool) -> None:
        """Tell whether this process captures a state."""
        self.metrics.set("capture_owned", float(owned), *_labels(state))

    def lagging(self, product: str, server: str, lag: Lag) -> None:
        """Tell how far a slot is behind its source, and how much of the source's log it keeps."""
        self.metrics.set("capture_lag_bytes", lag.bytes, product, server)
        self.metrics.set("capture_waiting_seconds", lag.seconds, product, server)
        self.metrics.set("capture_slot_retained_bytes", lag.held, product, server)


def _labels(state: StateId) -> tuple[str, str, str]:
    product, _, entity = state.entity.partition("#")
    return product, entity, state.kind


async def begin_events(events: Events, world: World) -> list[Coroutine[Any, Any, None]]:
    """Start everything of events and return what is to run; raises StartFailed."""
    return await events.begin(world)


def resting(pool: Pool, resolver: Resolver, data_dir: Path, audit_key: bytes) -> Events:
    """Return what a command needs of events: recorders, names of records, the seal. Nothing is started."""
    events = Events(pool, Metrics(), resolver, data_dir)
    events.key = hashing_key(audit_key)
    return events

# SPDX-License-Identifier: Apache-2.0
"""A mesh from start to stop: catalog, worlds, servers, reload, drain."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from dictamesh.runtime.adapters.telemetry import Several
from dictamesh.runtime.capture.webhook.receiver import PATH as WEBHOOKS
from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.health import probe
from dictamesh.runtime.catalog.recording.usage import UsageCounts
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.weakening import weaker
from dictamesh.runtime.events.reading import Ear
from dictamesh.runtime.events.seal import Seal
from dictamesh.runtime.gateway.serving import Gateway
from dictamesh.runtime.mesh import telling
from dictamesh.runtime.mesh.api import api
from dictamesh.runtime.mesh.attestation import attest, renew
from dictamesh.runtime.mesh.build import build_file
from dictamesh.runtime.mesh.bus_metrics import BusMetrics
from dictamesh.runtime.mesh.consuming import Consuming, begin_consumers
from dictamesh.runtime.mesh.drift import compare
from dictamesh.runtime.mesh.duties import Duties, begin
from dictamesh.runtime.mesh.events import Events, begin_events
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import seal
from dictamesh.runtime.mesh.lineage.feed import Feed
from dictamesh.runtime.mesh.lines import states
from dictamesh.runtime.mesh.ports import listening, serve
from dictamesh.runtime.mesh.publishing import Publishing
from dictamesh.runtime.mesh.quality import QualityWatch, known_quality
from dictamesh.runtime.mesh.recording import Recording
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.start import Start
from dictamesh.runtime.mesh.store import Store
from dictamesh.runtime.mesh.telemetry import CountedAudit, PlanTelemetry, counted
from dictamesh.runtime.mesh.trees import changes
from dictamesh.runtime.mesh.web import application
from dictamesh.runtime.mesh.world import Needs, World, make_world
from dictamesh.runtime.observe.drain import Drain
from dictamesh.runtime.observe.health import Checks
from dictamesh.runtime.observe.metrics import Metrics, Served
from dictamesh.runtime.observe.server import Listening, listen, metrics_app
from dictamesh.runtime.resilience import L1, Listeners
from dictamesh.specs.diagnostics import Severity
from dictamesh.specs.model import Runtime

_LOG = logging.getLogger("dictamesh.mesh")

Trigger = Literal["watch", "signal"]
Reloaded = Literal["unchanged", "invalid", "refused", "failed", "applied"]

# Left for the end after the last operation: ports, audit, PostgreSQL.
_CLOSING = 3.0


class RunningMesh:
    """A started mesh. Make it with `start_mesh`."""

    def __init__(self, start: Start, store: Store, metrics: Metrics, drain: Drain) -> None:
        self.start = start
        self.store = store
        self.metrics = metrics
        self.drain = drain
        self.resolver = Resolver(start.config.parent)
        self.listeners = Listeners(on_state=self._moved, on_attempt=metrics.source_attempt)
        self.feed = Feed(store.pool, metrics, self.resolver)
        self.l1 = L1(start.plan.mesh.cache.size, stale_for=start.plan.mesh.cache.stale_for)
        self.checks = Checks(breakers=lambda: states(self.world.lines), draining=lambda: drain.draining)
        self.quality = QualityWatch(store.pool, metrics, lambda: self.world, self.feed.checked)
        self.events = Events(store.pool, metrics, self.resolver, Path(start.settings.data_dir))
        self.built = start.built
        self.ear = Ear(store.pool)
        self.publishing = Publishing(store.pool, self.resolver, BusMetrics(metrics), self._seal, self.ear)
        self.consuming = Consuming(store.pool, metrics, self.resolver, self._data_dir, self.ear)
        audit = CountedAudit(store.audit, metrics)
        self.catalog = Catalog(
            store.pool,
            lambda: self.world.plan,
            audit,
            store.locations,
            quality=known_quality(store.pool, lambda: self.world.plan),
            lineage_taken=metrics.lineage_received,
        )
        mesh = start.plan.mesh
        self.recording = Recording(UsageCounts(mesh.usage.days))
        self.recorder = self.recording.recorder(store.pool, mesh.catalog.write_every, metrics.catalog_written)
        self.world: World
        self.gateway: Gateway
        self.http: Listening
        self.metrics_http: Listening
        self._reloading = asyncio.Lock()
        self._probed: tuple[str, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{self.http.host}:{self.http.port}"

    @property
    def _data_dir(self) -> Path:
        return Path(self.start.settings.data_dir)

    def _seal(self) -> Seal:
        return seal(self.world.plan, self.resolver, self._data_dir)

    async def open(self) -> None:
        """Open the world and the ports; raises StartFailed."""
        telling.findings(self.built.diagnostics)
        self.world = await self._make(self.start.plan, None)
        _LOG.info("adapters ready", extra={"count": len(self.world.lines)})
        _LOG.info("governance ready", extra={"count": len(self.start.plan.rules.fields)})
        await self.publishing.check(self.start.plan)
        await self._register(self.start.plan)
        _LOG.info("catalog ready", extra={"count": len(self.start.plan.entities)})
        await self._attest(self.start.plan)
        self._use(self.world)
        for work in await begin_events(self.events, self.world):
            self._spawn(work)
        self.gateway = Gateway(self.world.serving, self._reading)
        for work in await begin_consumers(self.consuming, self.world, self.gateway, self.l1):
            self._spawn(work)
        _LOG.info("gateway ready", extra={"count": len(self.start.plan.entities)})
        await self._listen(self.start.settings)
        self.recorder.begin()
        self.checks.mark_started()
        self.metrics.set("ready", 1)
        self._spawn(self.quality.run())
        self._spawn(self.feed.work())
        self.publishing.use(self.start.plan)
        self.checks.add("events", self.publishing.health, required=False)
        self._spawn(self.ear.listen())
        self._spawn(self.publishing.run())
        if self.start.settings.watch:
            self._spawn(self._watch())

    async def _attest(self, plan: Plan) -> None:
        unpublished = partial(self.metrics.count, "audit_heads_total", "unpublished")
        heads = await attest(plan, self.store.pool, self.resolver, self._data_dir, self.world.audit_key, unpublished)
        self.store.heads = heads
        current, key = (lambda: self.world.plan), (lambda: self.world.audit_key)
        for work in await begin(Duties(self.store.pool, current, key, heads, self.l1, self.metrics)):
            self._spawn(work)

    async def _listen(self, settings: Runtime) -> None:
        routes = api(lambda: self.world, self.store.signer)
        heard = self.consuming.subscriptions
        app = application(heard, routes, self.catalog, lambda: self.world, self.checks, self.metrics, self.drain)
        app.add_routes(self.events.receivers.routes())
        self.metrics.allow_routes([WEBHOOKS])
        metrics = listen(metrics_app(self.metrics), settings.host, settings.metrics_port)
        self.metrics_http = await listening(metrics, settings.host, settings.metrics_port, "--metrics-port")
        self.http = await listening(serve(app, settings), settings.host, settings.port, "--port")

    async def reload(self, trigger: Trigger) -> Reloaded:
        """Serve what the tree says now, if it may be (S29); what is served stays as it is otherwise.

        A signal resolves references anew, too, where the specs are unchanged.
        """
        async with self._reloading:
            try:
                outcome = await self._reload(trigger)
            except Exception as error:  # noqa: BLE001 - the watcher must outlive whatever a change brings
                _LOG.error("the changed specs cannot be served; the mesh goes on as it was", exc_info=error)
                outcome = "failed"
        self.metrics.count("reloads_total", outcome)
        return outcome

    async def _reload(self, trigger: Trigger) -> Reloaded:
        built = await asyncio.to_thread(build_file, self.start.config)
        self.built = built
        if built.plan is None:
            telling.findings(built.diagnostics)
            errors = sum(each.severity is Severity.ERROR for each in built.diagnostics)
            _LOG.error("the changed specs have errors; the mesh goes on as it was", extra={"count": errors})
            return "invalid"
        old = self.world
        if built.plan.hash == old.plan.hash and trigger == "watch":
            return "unchanged"
        found = await asyncio.to_thread(weaker, old.plan, built.plan)
        if found and trigger == "watch" and not self.start.accept_weaker:
            telling.loosened(found)
            _LOG.error(
                "the changed specs would show more to somebody; send SIGHUP to accept, or start with --accept-weaker",
                extra={"count": len(found)},
            )
            return "refused"
        telling.findings(built.diagnostics)
        return await self._exchange(old, built.plan)

    async def _exchange(self, old: World, plan: Plan) -> Reloaded:
        new: World | None = None
        try:
            new = await self._make(plan, old)
            await self.publishing.check(plan)
            self.events.check(plan)
            await self._register(plan)
            if self.store.heads is not None:
                renew(self.store.heads, plan, self.resolver, self._data_dir)
            self.publishing.use(plan)
            await self.consuming.use(new)
        except StartFailed as failure:
            telling.failed("the changed specs cannot be served; the mesh goes on as it was", failure)
            if new is not None:
                await new.retire(old, 0)
            return "failed"
        self._use(new)
        # in one step: a request that holds the one and is answered by the other would have its lines closed under it
        self.world = new
        self.gateway.exchange(new.serving)
        self.quality.wake()
        try:
            await self.events.use(new)
        finally:
            self._spawn(old.retire(new, self.start.settings.shutdown_timeout))
        _LOG.info("reloaded", extra={"plan_hash": plan.hash[:12]})
        return "applied"

    async def stop(self) -> int:
        """Drain, then close everything; return how many operations were cut off (AR-8)."""
        self.drain.begin_drain()
        self.metrics.set("ready", 0)
        if hasattr(self.consuming, "subscriptions"):
            await self.consuming.subscriptions.drain(_CLOSING)
        left = await self.drain.wait(max(self.start.settings.shutdown_timeout - _CLOSING, 0))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for port in (getattr(self, "http", None), getattr(self, "metrics_http", None)):
            if port is not None:
                await port.close()
        await self.events.close()
        if hasattr(self, "world"):
            await self.world.retire(None, 0.1)
        await self.recorder.close()
        await self.feed.close()
        await self.store.close()
        return left

    async def _make(self, plan: Plan, before: World | None) -> World:
        needs = Needs(
            resolver=self.resolver,
            audit=self.catalog.audit,
            data_dir=self._data_dir,
            l1=self.l1,
            listeners=self.listeners,
            unknown_roles=lambda count: self.metrics.count("unknown_roles_total", by=count),
            observed=self.metrics.graphql_operation,
            telemetry=lambda plan: Several(
                PlanTelemetry(self.metrics, plan), self.recording.levels, self.feed.collected
            ),
            recording=self.recording,
            catalog=self.catalog,
            admitted=lambda authenticate: counted(self.metrics, authenticate),
            followed=self.feed.observed,
        )
        return await make_world(plan, needs, before)

    def _use(self, world: World) -> None:
        self.recording.use(world.plan)
        self.recorder.change(world.plan.mesh.catalog.write_every)
        rules = [rule.name for entity in world.plan.entities.values() for rule in entity.quality]
        self.metrics.use_plan(world.plan.hash, _served(world.plan), rules)
        self._probed = probing(self.checks, self._probed, world)
        self.checks.add("catalog", lambda: probe(self.store.pool))
        self._spawn(_held(world, compare(world.plan, world.lines)))

    async def _register(self, plan: Plan) -> None:
        await self.store.register(plan, self.resolver)
        await self.store.deployed(plan, self.start.config, self.built.sources)
        self.catalog.forget()
        await self.feed.use(plan)

    async def _watch(self) -> None:
        async for _ in changes(self.start.config, lambda: self.built.loaded):
            await self.reload("watch")

    def _reading(self) -> AbstractContextManager[None]:
        return self.world.held()

    def _moved(self, name: str, state: str) -> None:
        self.metrics.breaker_moved(name, state)
        _LOG.warning("a circuit breaker moved", extra={"server": name, "state": str(state)})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _served(plan: Plan) -> Iterable[Served]:
    return [Served(entity.server, entity.product, entity.name) for entity in plan.entities.values()]


def probing(checks: Checks, before: Iterable[str], world: World) -> tuple[str, ...]:
    """Ask the servers of a world how they are, and no longer those of `before`; return the names of the checks."""
    for name in before:
        checks.remove(name)
    for name, opened in world.lines.items():
        checks.add(f"server:{name}", opened.line.connector.health, required=False)
    return tuple(f"server:{name}" for name in world.lines)


async def _held(world: World, work: Coroutine[Any, Any, object]) -> None:
    with world.held():
        await work

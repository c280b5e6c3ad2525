# SPDX-License-Identifier: Apache-2.0
"""A mesh from start to stop: catalog, worlds, servers, reload, drain."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aiohttp import web

from dictamesh.connectors.sdk import Health, Status
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.weakening import Weaker, weaker
from dictamesh.runtime.gateway.serving import Gateway
from dictamesh.runtime.mesh.build import Built, build_file
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.lines import states
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.store import Store, open_store
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
Reloaded = Literal["same", "invalid", "refused", "failed", "done"]


@dataclass(frozen=True, slots=True)
class Start:
    """What a start needs: the mesh file, its plan, the settings of the process."""

    config: Path
    built: Built
    plan: Plan
    settings: Runtime
    accept_weaker: bool = False
    on_weaker: Callable[[tuple[Weaker, ...]], None] = lambda _found: None


class RunningMesh:
    """A started mesh. Make it with `start_mesh`."""

    def __init__(self, start: Start, store: Store, metrics: Metrics, drain: Drain) -> None:
        self.start = start
        self.store = store
        self.metrics = metrics
        self.drain = drain
        self.resolver = Resolver(start.config.parent)
        self.listeners = Listeners(on_state=self._moved, on_attempt=metrics.source_attempt)
        self.l1 = L1(start.plan.mesh.cache.size, stale_for=start.plan.mesh.cache.stale_for)
        self.checks = Checks(breakers=lambda: states(self.world.lines), draining=lambda: drain.draining)
        self.built = start.built
        self.world: World
        self.gateway: Gateway
        self.http: Listening
        self.metrics_http: Listening
        self._reloading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{self.http.host}:{self.http.port}"

    async def open(self) -> None:
        """Open the world and the ports; raises StartFailed."""
        self.world = await self._make(self.start.plan, None)
        await self.store.register(self.start.plan, self.resolver)
        _LOG.info("catalog ready", extra={"layer": "catalog"})
        self._use(self.world)
        self.gateway = Gateway(self.world.serving)
        _LOG.info("gateway ready", extra={"layer": "gateway"})
        settings = self.start.settings
        app = application(
            self.gateway,
            self.store.locations,
            lambda: (self.world.plan, self.world.access),
            self.checks,
            self.metrics,
            self.drain,
        )
        self.metrics_http = await _listening(
            listen(metrics_app(self.metrics), settings.host, settings.metrics_port), settings
        )
        self.http = await _listening(_serve(app, settings), settings)
        self.checks.mark_started()
        self.metrics.set("ready", 1)
        if settings.watch:
            self._spawn(self._watch())

    async def reload(self, trigger: Trigger) -> Reloaded:
        """Serve what the tree says now, if it may be (S29); what is served stays as it is otherwise."""
        async with self._reloading:
            outcome = await self._reload(trigger)
        self.metrics.count("reloads_total", outcome)
        return outcome

    async def _reload(self, trigger: Trigger) -> Reloaded:
        built = await asyncio.to_thread(build_file, self.start.config)
        self.built = built
        if built.plan is None:
            errors = sum(each.severity is Severity.ERROR for each in built.diagnostics)
            _LOG.error("the changed specs have errors; the mesh goes on as it was", extra={"count": errors})
            return "invalid"
        old = self.world
        if built.plan.hash == old.plan.hash:
            return "same"
        loosened = weaker(old.plan, built.plan)
        if loosened and trigger == "watch" and not self.start.accept_weaker:
            self.start.on_weaker(loosened)
            _LOG.error(
                "the changed specs would show more to somebody; send SIGHUP to accept, or start with --accept-weaker",
                extra={"count": len(loosened)},
            )
            return "refused"
        return await self._exchange(old, built.plan)

    async def _exchange(self, old: World, plan: Plan) -> Reloaded:
        try:
            new = await self._make(plan, old)
        except StartFailed as failed:
            _LOG.error("the changed specs cannot be served; the mesh goes on as it was", exc_info=failed)
            return "failed"
        try:
            await self.store.register(plan, self.resolver)
        except StartFailed as failed:
            _LOG.error("the changed specs cannot be registered; the mesh goes on as it was", exc_info=failed)
            await new.retire(old, 0)
            return "failed"
        self._use(new)
        self.world = new
        self.gateway.exchange(new.serving)
        self._spawn(old.retire(new, self.start.settings.shutdown_timeout))
        _LOG.info("reloaded", extra={"plan": plan.hash[:12]})
        return "done"

    async def stop(self) -> int:
        """Drain, then close everything; return how many operations were cut off (AR-8)."""
        self.drain.begin_drain()
        self.metrics.set("ready", 0)
        left = await self.drain.wait(self.start.settings.shutdown_timeout - 2)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listening in (getattr(self, "http", None), getattr(self, "metrics_http", None)):
            if listening is not None:
                await listening.close()
        if hasattr(self, "world"):
            await self.world.retire(None, 0.1)
        await self.store.close()
        return left

    async def _make(self, plan: Plan, before: World | None) -> World:
        needs = Needs(
            resolver=self.resolver,
            audit=self.store.audit,
            data_dir=Path(self.start.settings.data_dir),
            l1=self.l1,
            listeners=self.listeners,
            unknown_roles=lambda count: self.metrics.count("unknown_roles_total", by=count),
            observed=self.metrics.graphql_operation,
        )
        return await make_world(plan, needs, before)

    def _use(self, world: World) -> None:
        self.metrics.use_plan(world.plan.hash, _served(world.plan))
        for name in getattr(self, "_probed", ()):
            self.checks.remove(name)
        self._probed = [f"server:{name}" for name in world.lines]
        for name, opened in world.lines.items():
            self.checks.add(f"server:{name}", opened.line.connector.health, required=False)
        self.checks.add("catalog", self._catalog)

    async def _catalog(self) -> Health:
        await self.store.pool.rows(b"SELECT 1")
        return Health(Status.HEALTHY)

    async def _watch(self) -> None:
        async for _ in changes(self.start.config, lambda: self.built.loaded):
            await self.reload("watch")

    def _moved(self, name: str, state: str) -> None:
        self.metrics.breaker_moved(name, state)
        _LOG.warning("a circuit breaker moved", extra={"server": name, "state": str(state)})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def start_mesh(start: Start) -> RunningMesh:
    """Start a mesh and return once it is ready; raises StartFailed with nothing left running."""
    metrics = Metrics()
    drain = Drain(on_change=lambda count: metrics.set("operations_in_flight", count))
    resolver = Resolver(start.config.parent)
    store = await open_store(start.plan.mesh.catalog, Path(start.settings.data_dir), resolver)
    mesh = RunningMesh(start, store, metrics, drain)
    try:
        await mesh.open()
    except BaseException:
        await mesh.stop()
        raise
    return mesh


def _served(plan: Plan) -> Iterable[Served]:
    return [Served(entity.server, entity.product, entity.name) for entity in plan.entities.values()]


async def _serve(app: web.Application, settings: Runtime) -> Listening:
    # a client that goes away cancels its operation (S23)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return Listening(settings.host, int(runner.addresses[0][1]), runner)


async def _listening(opening: Awaitable[Listening], settings: Runtime) -> Listening:
    try:
        return await opening
    except OSError as error:
        raise StartFailed(
            f"a port of {settings.host} cannot be had ({error.strerror})",
            "choose others with --port and --metrics-port; 0 picks a free one",
        ) from None

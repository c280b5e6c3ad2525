# SPDX-License-Identifier: Apache-2.0
"""The lineage of a running mesh: registered with the plan, kept alive by what flows, sent as OpenLineage events."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dictamesh.runtime.catalog.data_lineage.activity import record_flows
from dictamesh.runtime.catalog.data_lineage.events import CatalogSink
from dictamesh.runtime.catalog.data_lineage.registration import lineage_rows, register_lineage
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.gateway.contract import Run as Execute
from dictamesh.runtime.lineage.openlineage import facets
from dictamesh.runtime.lineage.openlineage.describe import Described
from dictamesh.runtime.lineage.openlineage.events import Event, Run, job_event
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.lineage.collected import Collected, Window
from dictamesh.runtime.mesh.lineage.datasets import naming
from dictamesh.runtime.mesh.lineage.operations import Answered, telling
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.observe.lineage.emitter import Emitter, Sink, start_emitter
from dictamesh.runtime.observe.lineage.sinks import FileSink, HttpSink
from dictamesh.runtime.observe.metrics import Metrics
from dictamesh.runtime.quality.results import Outcome, Result
from dictamesh.specs.model.mesh import Lineage, OpenLineage

_LOG = logging.getLogger("dictamesh.lineage")

FLUSH_SECONDS = 15.0  # between two writes of flow activity
RETRY_SECONDS = 10.0
_JUDGED = {Outcome.PASSED, Outcome.FAILED}
UNCHECKED = "The quality rules could not be checked."
UNREGISTERED = "The catalog did not take the specs."


@dataclass(slots=True)
class Feed:
    """What a mesh tells of its data flows, whatever plan it serves. `close` it before the catalog."""

    pool: Pool
    metrics: Metrics
    resolver: Resolver
    collected: Collected = field(default_factory=Collected, init=False)
    _described: Described | None = field(default=None, init=False)
    _settings: Lineage | None = field(default=None, init=False)
    _sent_to: tuple[str | None, str | None] = field(default=(None, None), init=False)
    _emitter: Emitter | None = field(default=None, init=False)
    _wanted: Plan | None = field(default=None, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def observed(self, run: Execute, plan: Plan) -> Execute:
        """Return the same execution of operations, which the feed hears of."""
        if plan.mesh.lineage.openlineage.queries == "none":
            return run
        return telling(run, plan, self._answered)

    async def use(self, plan: Plan) -> None:
        """Tell of this plan from now on; its lineage is registered by `work`. Raises StartFailed."""
        await self._open(plan)
        self._wanted = plan
        self._changed.set()

    async def work(self) -> None:
        """Register, write activity, send what was collected, until cancelled."""
        await asyncio.gather(self._register_each(), self._flush_each())

    async def _register_each(self) -> None:
        """Register the plan that is wanted last; one that the catalog did not take is tried again."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                if self._wanted is not None and not await self._registered(self._wanted):
                    await asyncio.sleep(RETRY_SECONDS)
                    self._changed.set()
            except Exception as error:  # noqa: BLE001 - lineage must not end what serves the data
                _LOG.error("lineage could not be registered", exc_info=error)

    async def _registered(self, plan: Plan) -> bool:
        described = Described(plan, naming(plan, self.resolver))
        rows = await asyncio.to_thread(lambda: lineage_rows(plan, described.graph))
        run = Run(described.registration())
        self._emit([run.started(datetime.now(UTC))])
        try:
            await register_lineage(self.pool, rows)
        except CatalogUnavailable as error:
            _LOG.warning("lineage was not registered: %s", error)
            self._emit([run.failed(datetime.now(UTC), UNREGISTERED)])
            return False
        before, self._described = self._described, described
        if before is None or before.plan.hash != plan.hash:
            self._emit(await asyncio.to_thread(_described_products, described))
        self._emit([run.completed(datetime.now(UTC))])
        return True

    async def _flush_each(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._every
        while True:
            await asyncio.sleep(min(FLUSH_SECONDS, self._every))
            try:
                await self._flush()
                if loop.time() >= due:
                    due = loop.time() + self._every
                    self._tell_window()
            except Exception as error:  # noqa: BLE001 - likewise
                _LOG.error("what was collected could not be told", exc_info=error)

    async def close(self) -> None:
        """Write and send what is left; never raises."""
        try:
            await self._flush()
            self._tell_window()
        except Exception as error:  # noqa: BLE001 - likewise
            _LOG.error("what was collected could not be told", exc_info=error)
        if self._emitter is not None:
            await self._emitter.close()

    @property
    def _every(self) -> int:
        return self._settings.openlineage.every_seconds if self._settings is not None else 60

    async def _open(self, plan: Plan) -> None:
        """Open the sinks that a plan's mesh file names; the same ones go on."""
        wanted = plan.mesh.lineage
        places = self._places(wanted.openlineage)
        if (wanted, places) == (self._settings, self._sent_to) and self._emitter is not None:
            return
        before, self._emitter = self._emitter, start_emitter(self._sinks(wanted, places), self._counted)
        self._settings, self._sent_to = wanted, places
        if before is not None:
            await before.close()

    def _places(self, sent: OpenLineage) -> tuple[str | None, str | None]:
        """The collector's address and key, resolved anew each time: they may have been exchanged."""
        named = ((sent.url, "url"), (sent.api_key, "apiKey"))
        url, key = (self.resolver.text(text, f"lineage.openlineage.{name}") if text else None for text, name in named)
        if url is not None and not url.startswith(("http://", "https://")):
            raise StartFailed("lineage.openlineage.url is no address of a collector", "write http://host:port")
        return url, key

    def _sinks(self, wanted: Lineage, places: tuple[str | None, str | None]) -> Iterator[Sink]:
        if wanted.keep:
            yield CatalogSink(self.pool, wanted.keep)
        if places[0] is not None:
            yield HttpSink(places[0], places[1])
        if wanted.openlineage.file is not None:
            yield FileSink(self.resolver.folder / wanted.openlineage.file)

    def _counted(self, sink: str, outcome: str, count: int) -> None:
        self.metrics.count("lineage_events_total", sink, outcome, by=count)

    def _emit(self, events: list[Event]) -> None:
        if self._emitter is not None:
            self._emitter.emit(events)

    def checked(self, entity: EntityPlan, results: Sequence[Result], started: datetime) -> None:
        """Tell of a check of an entity's quality rules, by what became of each and without numbers."""
        described, done = self._described, [each for each in results if each.outcome in _JUDGED]
        if described is None or entity.address not in described.plan.entities:
            return
        run = Run(described.quality(entity, [_assertion(each) for each in done]))
        ended = datetime.now(UTC)
        self._emit([run.started(started), run.completed(ended) if done else run.failed(ended, UNCHECKED)])

    def _answered(self, answered: Answered) -> None:
        shape, described = answered.shape, self._described
        if self._settings is None or self._settings.openlineage.queries != "all" or described is None:
            self.collected.answered(shape.roots, shape.touched, failed=answered.failed)
        elif all(address in described.plan.entities for address in shape.touched):
            run = Run(described.query(shape.roots, shape.touched))
            self._emit([run.started(answered.started), _ended(run, datetime.now(UTC), failed=answered.failed)])

    async def _flush(self) -> None:
        plan = self._described.plan if self._described is not None else None
        if plan is None:
            return
        try:
            await record_flows(self.pool, plan.name, self.collected.take_flows())
        except CatalogUnavailable as error:
            _LOG.warning("flow activity was not recorded: %s", error)

    def _tell_window(self) -> None:
        window, described = self.collected.take_window(), self._described
        if described is None or self._settings is None or self._settings.openlineage.queries == "none":
            return
        self._emit(list(_runs(window, described, self._every)))


def _assertion(result: Result) -> facets.Assertion:
    rule = result.rule
    severity = "error" if rule.severity == "error" else "warn"
    column = ".".join(rule.path) or None
    return facets.Assertion(rule.check.value, result.outcome is Outcome.PASSED, column, severity, rule.name)


def _described_products(described: Described) -> list[Event]:
    return [job_event(described.product(each), datetime.now(UTC)) for each in described.plan.products.values()]


def _runs(window: Window, described: Described, every: int) -> Iterator[Event]:
    """A run for each entity that was read and each kind of operation that was answered."""
    entities = described.plan.entities
    for address, reads in window.reads.items():
        if address in entities:
            counts = {"calls": reads.calls, "failed": reads.failed, "rows": reads.rows}
            run = Run(described.reading(entities[address], every), facets=_of(window, counts))
            yield run.started(window.start)
            worked = reads.failed < reads.calls  # some of many calls fail on any day
            yield run.completed(window.end) if worked else run.failed(window.end, reads.message)
    for roots, answers in window.answers.items():
        if all(address in entities for address in answers.touched):
            counts = {"operations": answers.operations, "failed": answers.failed}
            run = Run(described.query(roots, answers.touched, every), facets=_of(window, counts))
            yield run.started(window.start)
            yield _ended(run, window.end, failed=answers.failed == answers.operations)


def _of(window: Window, counts: dict[str, int]) -> dict[str, facets.Facet]:
    return {
        "nominalTime": facets.nominal_time(window.start, window.end),
        "dictamesh_window": facets.own_facet("RunFacet", **counts),
    }


def _ended(run: Run, at: datetime, *, failed: bool) -> Event:
    return run.failed(at, "A part of the operation could not be answered.") if failed else run.completed(at)

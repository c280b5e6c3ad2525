# SPDX-License-Identifier: Apache-2.0
"""What a running mesh does besides answering: signs where the audit ends, retains, follows erasures."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dictamesh.runtime.audit.heads import HeadSigner
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.lease import leased
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.events.kept_letters import pending
from dictamesh.runtime.lifecycle.aged import aged_tables
from dictamesh.runtime.lifecycle.caches import drop_erased
from dictamesh.runtime.lifecycle.ledger import erased_since, standings
from dictamesh.runtime.lifecycle.retention import Retained, retain
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.observe.metrics import Metrics
from dictamesh.runtime.resilience import L1

_LOG = logging.getLogger("dictamesh.mesh")
_FIRST_RETENTION = 60.0  # seconds after the start at most: a mesh that is started often must get to it
_FOLLOW = 5.0
_COUNT = 60.0


@dataclass(slots=True)
class Duties:
    """The duties of one mesh; `plan` and `audit_key` give what is served now, `heads` signs."""

    pool: Pool
    plan: Callable[[], Plan]
    audit_key: Callable[[], bytes]
    heads: HeadSigner
    l1: L1
    metrics: Metrics
    _erasures: set[int] = field(default_factory=set, init=False)
    _overdue: int = field(default=0, init=False)

    async def begin(self) -> list[Coroutine[Any, Any, None]]:
        """Sign for the first time, and return what is to run for as long as the mesh does."""
        await self.sign()
        self._erasures = {number for number, _, _ in await erased_since(self.pool, self.plan().name, 0)}
        await self.count_erasures()
        return [
            self._repeat(self.sign_and_publish, lambda: self.plan().mesh.audit.sign_every),
            self._repeat(self.retain, lambda: self.plan().mesh.retention.every, _FIRST_RETENTION),
            self._repeat(self.follow_erasures, lambda: _FOLLOW),
            self._repeat(self.count_erasures, lambda: _COUNT),
            self._repeat(self.count_letters, lambda: _COUNT, _FOLLOW),
        ]

    async def sign(self) -> None:
        """Sign where the audit ends; raises `CatalogUnavailable`."""
        try:
            head = await self.heads.sign()
        except CatalogUnavailable:
            self.metrics.count("audit_heads_total", "failed")
            raise
        self.metrics.count("audit_heads_total", "signed" if head is not None else "unchanged")

    async def sign_and_publish(self) -> None:
        """Sign, and publish elsewhere, which may take its time; raises `CatalogUnavailable`."""
        await self.sign()
        await self.heads.publish()

    async def retain(self) -> None:
        """Run retention, unless it is switched off or another replica is at it."""
        plan = self.plan()
        if not plan.mesh.retention.enabled:
            return
        try:
            async with leased(self.pool, f"retention of {plan.name}") as mine:
                done = await retain(self.pool, plan, datetime.now(UTC), aged_tables(plan)) if mine else None
        except CatalogUnavailable:
            self.metrics.count("retention_runs_total", "failed")
            raise
        self.metrics.count("retention_runs_total", "done" if done else "elsewhere")
        if done:
            self._tell(done)

    async def follow_erasures(self) -> None:
        """Drop from the cache whom any process has erased meanwhile."""
        last = max(self._erasures, default=0)
        found = await erased_since(self.pool, self.plan().name, last)
        new = {(kind, token) for number, kind, token in found if number not in self._erasures}
        self._erasures |= {number for number, _, _ in found}
        if new:
            dropped = drop_erased(self.l1, self.plan(), self.audit_key(), new)
            _LOG.info("data subjects were erased", extra={"count": len(new), "rows": dropped})
            await self.count_erasures()

    async def count_erasures(self) -> None:
        """Tell how many erasures are pending, and how many of them are overdue."""
        now = datetime.now(UTC)
        pending = [each for each in await standings(self.pool, self.plan().name) if each.entry.state == "pending"]
        overdue = sum(each.overdue(now) for each in pending)
        self.metrics.set("erasures_pending", len(pending))
        self.metrics.set("erasures_overdue", overdue)
        if overdue > self._overdue:
            _LOG.warning("erasures are overdue; see 'dictamesh-runtime erase list'", extra={"count": overdue})
        self._overdue = overdue

    async def count_letters(self) -> None:
        """Tell how many dead letters of each entity wait."""
        found = await pending(self.pool, self.plan().name)
        for address, entity in self.plan().entities.items():
            self.metrics.set("dead_letters_pending", found.get(address, 0), entity.product, entity.name)

    def _tell(self, done: Retained) -> None:
        counts = {
            "record": sum(each.withdrawn.archived for each in done.records),
            "event": sum(count for _, count in done.events),
            "row": sum(count for _, count in done.rows),
        }
        for what, count in counts.items():
            self.metrics.count("retention_removed_total", what, by=count)
        if any(counts.values()):
            _LOG.info("retention took out what was too old", extra={"count": counts["record"], "rows": counts["event"]})

    async def _repeat(
        self, work: Callable[[], Awaitable[None]], every: Callable[[], float], first: float | None = None
    ) -> None:
        await asyncio.sleep(every() if first is None else min(first, every()))
        while True:
            try:
                await work()
            except CatalogUnavailable as error:
                _LOG.warning("a background task could not use the catalog", extra={"reason": str(error)})
            except Exception as error:  # noqa: BLE001 - the next round may succeed, and the mesh serves meanwhile
                _LOG.error("a background task failed", exc_info=error)
            await asyncio.sleep(every())


async def begin(duties: Duties) -> list[Coroutine[Any, Any, None]]:
    """Begin the duties of a mesh and return what is to run; raises StartFailed."""
    try:
        return await duties.begin()
    except CatalogUnavailable as error:
        raise StartFailed(error.message, error.cure) from None

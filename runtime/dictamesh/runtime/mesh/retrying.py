# SPDX-License-Identifier: Apache-2.0
"""What a command needs to try dead letters again: recorders, and sources that are opened when they are asked."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.capture.retry import Retrying
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.events import resting
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import audit_key, needed_keys
from dictamesh.runtime.mesh.lines import close_lines, open_line
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.resilience import Listeners


@dataclass(slots=True)
class _Lines:
    """Lines of servers, each opened once; None for one that cannot be."""

    plan: Plan
    resolver: Resolver
    stack: contextlib.AsyncExitStack
    opened: dict[str, Line | None] = field(default_factory=dict)

    async def line(self, server: str) -> Line | None:
        if server not in self.opened:
            self.opened[server] = await self._open(server)
        return self.opened[server]

    async def _open(self, server: str) -> Line | None:
        try:
            made = await open_line(self.plan, self.plan.servers[server], self.resolver, Listeners())
        except StartFailed:
            return None
        self.stack.push_async_callback(close_lines, [made])
        return made.line


@contextlib.asynccontextmanager
async def retrying(pool: Pool, plan: Plan, resolver: Resolver, data_dir: Path) -> AsyncIterator[Retrying]:
    """What tries dead letters again, for the block; raises StartFailed."""
    keys = needed_keys(plan, resolver, [plan.mesh.audit.key])
    events = resting(pool, resolver, data_dir, audit_key(plan, keys, data_dir))
    async with contextlib.AsyncExitStack() as stack:
        await events.schemas.use(plan)
        stack.push_async_callback(events.schemas.close)
        yield Retrying(
            pool=pool,
            plan=plan,
            seal=events.seal(plan),
            ids=events.ids(plan),
            key=events.key,
            recorder=lambda entity: events.recorder(plan, entity),
            line=_Lines(plan, resolver, stack).line,
            schemas=events.schemas.schema,
        )

# SPDX-License-Identifier: Apache-2.0
"""What a command needs to try dead letters again: recorders, and sources that are opened when they are asked."""

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.capture.retry import Retrying
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.consumers.catalog import GROUP as CATALOG
from dictamesh.runtime.consumers.catalog import CatalogConsumer
from dictamesh.runtime.consumers.consuming import Connection, Consumer
from dictamesh.runtime.consumers.hooks import PREFIX, HookConsumer, signing_key
from dictamesh.runtime.events.log import LoggedEvent
from dictamesh.runtime.mesh.events import resting
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import audit_key, needed_keys
from dictamesh.runtime.mesh.lines import close_lines, open_line
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.observe.faults import exception_fields
from dictamesh.runtime.resilience import Listeners

_LOG = logging.getLogger("dictamesh.events")


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


class _Undelivered(Exception):  # noqa: N818 - it leaves this module nowhere
    """A consumer gave an event up again."""


async def _given_up(connection: Connection, group: str, event: LoggedEvent, attempts: int) -> None:  # noqa: ARG001
    raise _Undelivered


@dataclass(frozen=True, slots=True)
class _Groups:
    """The consumers of a plan, made when an event is handed to them."""

    pool: Pool
    plan: Plan
    resolver: Resolver

    async def handle(self, group: str, event: LoggedEvent) -> bool:
        """Hand an event to a group; whether it took it. Raises LookupError, StartFailed, `CatalogUnavailable`."""
        consumer = self._consumer(group)
        try:
            rest = await consumer.handle([event])
            async with self.pool.transaction() as connection:
                await rest(connection)
        except (CatalogUnavailable, StartFailed):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the next letter is tried
            _LOG.warning("an event could not be handled again", extra={"group": group, **exception_fields(error)})
            return False
        return True

    def _consumer(self, group: str) -> Consumer:
        if group == CATALOG:
            return CatalogConsumer(lambda: self.plan)
        name = group.removeprefix(PREFIX)
        if name == group or name not in self.plan.mesh.events.hooks:
            raise LookupError(group)
        hook = self.plan.mesh.events.hooks[name]
        key = signing_key(self.resolver.text(hook.secret, f"events.hooks.{name}.secret").strip())
        return HookConsumer(name, hook, key, lambda: self.plan, lambda: 0, _given_up)


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
            handle=_Groups(pool, plan, resolver).handle,
            schemas=events.schemas.of,
        )

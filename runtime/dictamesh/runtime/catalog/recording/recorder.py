# SPDX-License-Identifier: Apache-2.0
"""Writes what collectors have counted, every so often and at the end; a crash loses what was not written yet."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool

_LOG = logging.getLogger("dictamesh.catalog")
# SQLSTATE classes that blame the entries, not the server: data exception, integrity constraint.
_BLAMES_ENTRIES = ("22", "23")

Told = Callable[[str, int, int], None]
"""Is told the name of a collector, how many entries were written, and how many were dropped."""


class Collector(Protocol):
    """Counts in memory; its methods for the hot path neither wait nor raise, and drop what is too much."""

    @property
    def name(self) -> str:
        """A word for metrics."""

    def take(self) -> tuple[Sequence[Any], int]:
        """What was collected since the last call, which begins anew, and how many entries were dropped."""

    def give_back(self, entries: Sequence[Any]) -> None:
        """Collect again what could not be written."""

    async def write(self, connection: AsyncConnection[TupleRow], entries: Sequence[Any]) -> int:
        """Write entries within a transaction; returns how many rows they came to."""


@dataclass(slots=True)
class Recorder:
    """Collectors and the task that writes what they have; open it with ``begin``, ``close`` it before the pool."""

    pool: Pool
    collectors: tuple[Collector, ...]
    every: float = 60.0
    told: Told = lambda _name, _written, _dropped: None
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def begin(self) -> None:
        """Write every ``every`` seconds from now on; once only."""
        self._task = asyncio.get_running_loop().create_task(self._write_forever(), name="dictamesh-recorder")

    def change(self, every: float) -> None:
        """Write every so many seconds from now on."""
        if every != self.every:
            self.every = every
            self._changed.set()

    async def flush(self) -> None:
        """Write all that is collected; what cannot be written now is kept for the next time, never raised."""
        async with self._writing:
            for collector in self.collectors:
                await self._write(collector)

    async def close(self) -> None:
        """Write a last time. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            await self.flush()

    async def _write_forever(self) -> None:
        while True:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.every):
                    await self._changed.wait()
            await self.flush()

    async def _write(self, collector: Collector) -> None:
        entries, dropped = collector.take()
        written = 0
        if entries:
            try:
                async with self.pool.transaction() as connection:
                    written = await collector.write(connection, entries)
            except CatalogUnavailable as error:
                about = {"operation": collector.name, "reason": str(error)}
                _LOG.warning("entries of the catalog could not be written", extra=about)
                if (error.sqlstate or "")[:2] in _BLAMES_ENTRIES:
                    dropped += len(entries)
                else:
                    collector.give_back(entries)
            except Exception as error:  # noqa: BLE001 - the task must outlive whatever one batch brings
                about = {"operation": collector.name}
                _LOG.error("entries of the catalog could not be written", exc_info=error, extra=about)
                dropped += len(entries)
        if written or dropped:
            self.told(collector.name, written, dropped)

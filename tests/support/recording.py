# SPDX-License-Identifier: Apache-2.0
"""A recorder in memory that keeps values, so that a replay can be compared with the table it came from.

The real one keeps hashes alone; this one obeys the same contract, and can be told to fail.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dictamesh.runtime.capture.contract import Batch, Recorded, StateId
from dictamesh.runtime.catalog.errors import CatalogUnavailable


class MemoryRecorder:
    """Keeps the rows of each entity by key, the position of each state, and every write in order."""

    def __init__(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        self.keys = keys
        self.rows: dict[str, dict[tuple[Any, ...], Mapping[str, Any]]] = defaultdict(dict)
        self.positions: dict[StateId, Mapping[str, Any]] = {}
        self.writes: list[list[Batch]] = []
        self.fails: Callable[[Sequence[Batch]], bool] = lambda _batches: False
        self.passed: dict[StateId, dict[str, set[tuple[Any, ...]]]] = defaultdict(dict)
        self.ids: set[str] = set()
        self.repeated: list[str] = []
        self._changed = asyncio.Condition()

    async def record(self, batch: Batch) -> Recorded:
        (done,) = await self.record_all([batch])
        return done

    async def record_all(self, batches: Sequence[Batch]) -> Sequence[Recorded]:
        assert len({batch.state for batch in batches}) == len(batches)
        await asyncio.sleep(0)
        if self.fails(batches):
            raise CatalogUnavailable("the catalog is away", "wait")
        for batch in batches:
            self._take(batch)
        self.writes.append(list(batches))
        async with self._changed:
            self._changed.notify_all()
        return [Recorded() for _ in batches]

    async def position(self, state: StateId) -> Mapping[str, Any] | None:
        return self.positions.get(state)

    async def until(self, met: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until something holds after a write."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(met)

    def _take(self, batch: Batch) -> None:
        table = self.rows[batch.state.entity]
        if batch.pass_id is not None:
            self.passed[batch.state].setdefault(batch.pass_id, set())
        for seen in batch.seen:
            columns = seen.columns or {}
            key = tuple(columns[name] for name in self.keys[batch.state.entity])
            if seen.event_id is not None:
                if seen.event_id in self.ids:
                    self.repeated.append(seen.event_id)
                self.ids.add(seen.event_id)
            if seen.deleted:
                table.pop(key, None)
            else:
                table[key] = dict(columns)
            for each in self.passed[batch.state].values():
                each.add(key)
        if batch.complete is not None:
            kept = self.passed[batch.state].pop(batch.complete)
            for key in set(table) - kept:
                del table[key]
        if batch.position is not None:
            self.positions[batch.state] = batch.position

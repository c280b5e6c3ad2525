# SPDX-License-Identifier: Apache-2.0
"""Recorders of several entities that write together what their source changed together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dictamesh.runtime.capture.contract import Batch, Recorded, StateId
from dictamesh.runtime.capture.recorder import CatalogRecorder
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool


@dataclass(frozen=True, slots=True)
class Together:
    """`StreamRecorder` over the catalog's database; `recorders` by the entity's address."""

    pool: Pool
    recorders: Mapping[str, CatalogRecorder]

    async def record(self, batch: Batch) -> Recorded:
        """Write a batch of one entity; raises `CatalogUnavailable` or `Ousted`."""
        return await self.recorders[batch.state.entity].record(batch)

    async def record_all(self, batches: Sequence[Batch]) -> Sequence[Recorded]:
        """Write batches in one transaction, in the order of their entities, so that writers cannot deadlock.

        All states are moved first, then all turns are taken: whoever holds what follows waits for neither.
        Where the database cannot keep a value of some record, each batch goes by itself and the positions last: a
        crash in between repeats what changes nothing. Raises `CatalogUnavailable` or `Ousted`.
        """
        now = datetime.now(UTC)
        ordered = sorted(batches, key=lambda batch: batch.state.entity)
        read = [await self.recorders[batch.state.entity].read(batch, now) for batch in ordered]
        try:
            async with self.pool.transaction() as connection:
                for batch, rows in zip(ordered, read, strict=True):
                    await self.recorders[batch.state.entity].move(connection, batch, rows)
                for batch, rows in zip(ordered, read, strict=True):
                    if rows:
                        await self.recorders[batch.state.entity].take_turn(connection, batch)
                written = [
                    await self.recorders[batch.state.entity].write(connection, batch, rows, now)
                    for batch, rows in zip(ordered, read, strict=True)
                ]
        except (CatalogUnavailable, TypeError, UnicodeError) as error:
            if isinstance(error, CatalogUnavailable) and (error.sqlstate or "")[:2] != "22":
                raise
            done = await self._apart(ordered)
        else:
            done = {batch.state: recorded for batch, (recorded, _) in zip(ordered, written, strict=True)}
            for batch, (_, told) in zip(ordered, written, strict=True):
                self.recorders[batch.state.entity].settle(told)
        return [done[batch.state] for batch in batches]

    async def position(self, state: StateId) -> Mapping[str, object] | None:
        """Return where a source stood, None before the first batch; raises `CatalogUnavailable`."""
        found: Mapping[str, object] | None = await self.recorders[state.entity].position(state)
        return found

    async def unseen(self, state: StateId, pass_id: str) -> int:
        """Return how many records a full pass did not see so far; raises `CatalogUnavailable`."""
        return await self.recorders[state.entity].unseen(state, pass_id)

    async def _apart(self, batches: Sequence[Batch]) -> dict[StateId, Recorded]:
        done = {batch.state: await self.record(replace(batch, position=None)) for batch in batches}
        async with self.pool.transaction() as connection:
            for batch in batches:
                await self.recorders[batch.state.entity].move(connection, replace(batch, seen=(), bad=()), [])
        return done

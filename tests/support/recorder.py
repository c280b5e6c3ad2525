# SPDX-License-Identifier: Apache-2.0
"""The recorder of a mesh, which also tells what it was given and what stands in the log."""

from collections.abc import Mapping
from typing import Any

from dictamesh.runtime.adapters.keys import json_form
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.capture.contract import Batch, Recorded, StateId
from dictamesh.runtime.capture.hashing import hashing_key
from dictamesh.runtime.capture.letters import KeptLetters
from dictamesh.runtime.capture.recorder import CatalogRecorder
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.dead_letters import TOPIC
from dictamesh.runtime.events.log import bounds, read_events
from dictamesh.runtime.events.payload import NoPayload
from dictamesh.runtime.events.seal import Seal

IDS = RecordIds(Surrogates("test", {}))


class InClear(NoPayload):
    """Lets the topic bear every field."""

    async def ready(self, connection: Any, entity: EntityPlan, rows: Any) -> None:
        """Needs no key of anybody."""

    def of(self, entity: EntityPlan, row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return None if row is None else {name: json_form(value) for name, value in row.items()}


class Listening:
    """Records as a mesh does."""

    def __init__(self, pool: Pool, plan: Plan, entity: EntityPlan, seal: Seal) -> None:
        self.pool, self.entity = pool, entity
        dead = KeptLetters(seal, TOPIC)
        self.real = CatalogRecorder(pool, plan, entity, IDS, hashing_key(b"test"), InClear(), dead=dead)
        self.batches: list[Batch] = []

    async def record(self, batch: Batch) -> Recorded:
        done = await self.real.record(batch)
        self.batches.append(batch)
        return done

    async def position(self, state: StateId) -> Mapping[str, Any] | None:
        return await self.real.position(state)

    async def unseen(self, state: StateId, pass_id: str) -> int:
        return await self.real.unseen(state, pass_id)

    async def log(self) -> list[Any]:
        """Every event of the entity's topic, in order per partition."""
        name, found = self.entity.topic.name, []
        for partition, held in (await bounds(self.pool, name)).items():
            for start in range(held.beginning, held.end, 10_000):
                found += await read_events(self.pool, name, partition, start, 10_000)
        return found

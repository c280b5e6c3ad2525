# SPDX-License-Identifier: Apache-2.0
"""A replica that only captures, to be killed: ``python -m tests.integration.logical.replica CATALOG SOURCE``."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import surrogates
from dictamesh.runtime.capture.contract import Recorded, StateId
from dictamesh.runtime.capture.hashing import key_name
from dictamesh.runtime.capture.postgres.making import postgres
from dictamesh.runtime.capture.recorder import CatalogRecorder
from dictamesh.runtime.capture.running import Captures
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.payload import NoPayload
from tests.integration.logical.sources import shop
from tests.support.plans import plan

KEY = b"k" * 32


class Everything(NoPayload):
    """Bears every field: the tables hold no personal data."""

    def of(self, entity: EntityPlan, row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if row is None:
            return None
        return {field.name: row[field.name] for field in entity.fields}


class Silent:
    def captured(self, state: StateId, recorded: Recorded) -> None: ...

    def capture_failed(self, state: StateId, reason: str) -> None: ...

    def owning(self, state: StateId, *, owned: bool) -> None: ...


def shop_plan(**changes: Any) -> Plan:
    return plan(*shop(**changes).entities, events={"lease": 0.5})


def captures(pool: Pool, source: str, **more: Any) -> Captures:
    """Capture as a mesh does."""

    def recorder(made: Plan, entity: EntityPlan, epoch: int) -> CatalogRecorder:
        ids = RecordIds(surrogates(made, {}))
        return CatalogRecorder(pool, made, entity, ids, KEY, Everything()).owned_by(epoch)

    return Captures(
        pool, {"postgres": postgres(lambda _plan, _server: source, **more)}, recorder, key_name(KEY), Silent()
    )


async def _run(catalog: str, source: str) -> None:
    pool = await open_pool(catalog, PoolSettings(max_size=5, idle=1))
    found = captures(pool, source)
    await found.use(shop_plan(), {})
    await found.run()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))

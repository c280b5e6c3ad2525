# SPDX-License-Identifier: Apache-2.0
"""Who writes several things in a transaction takes their locks in one order (ADR 15): nobody dies of another."""

import asyncio
from typing import Any

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.capture.contract import Batch, Seen, StateId
from dictamesh.runtime.capture.letters import KeptLetters
from dictamesh.runtime.capture.recorder import CatalogRecorder
from dictamesh.runtime.capture.together import Together
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.dead_letters import TOPIC, put
from dictamesh.runtime.events.kept_letters import Which, letters
from dictamesh.runtime.events.payload import NoPayload
from tests.integration.capture.conftest import KEY, plan_of
from tests.integration.events.test_dead_letters import SEAL, letter

PLAN = plan_of()
CUSTOMER, STORE = PLAN.entities["customers#Customer"], PLAN.entities["customers#Store"]
MANY = 40


class Held:
    """Keeps letters, and stops after those of one entity until it is free."""

    def __init__(self, at: str) -> None:
        self.at, self.there, self.free = at, asyncio.Event(), asyncio.Event()

    async def put(self, connection: Any, entity: Any, state: Any, bad: Any) -> None:
        await KeptLetters(SEAL, TOPIC).put(connection, entity, state, bad)
        if entity.address == self.at:
            self.there.set()
            await self.free.wait()


def recorder(pool: Pool, entity: Any, dead: Any) -> CatalogRecorder:
    ids = RecordIds(Surrogates(PLAN.name, {"pepper": b"pepper"}))
    return CatalogRecorder(pool, PLAN, entity, ids, KEY, NoPayload(), dead=dead)


def batch(entity: Any) -> Batch:
    """Records without keys, so many that their letters stand in every partition."""
    state = StateId(PLAN.name, entity.address, "postgres", entity.server, entity.source.physical_name)
    seen = [Seen(columns={"id": None, "name": f"n{n}"}, origin=f"{entity.name} {n}") for n in range(MANY)]
    return Batch(state, seen)


async def test_a_transaction_of_two_entities_and_one_of_the_second_alone(catalog: Pool) -> None:
    """The first one holds the dead letters of one entity when it asks for its turn at the other."""
    held = Held(CUSTOMER.address)
    both = Together(catalog, {each.address: recorder(catalog, each, held) for each in (CUSTOMER, STORE)})
    first = asyncio.create_task(both.record_all([batch(STORE), batch(CUSTOMER)]))
    await held.there.wait()
    second = asyncio.create_task(recorder(catalog, STORE, KeptLetters(SEAL, TOPIC)).record(batch(STORE)))
    await asyncio.sleep(0.5)  # it has its turn, and waits for the dead letters
    held.free.set()
    done = await asyncio.gather(first, second)
    assert sum(each.bad for each in done[0]) == 2 * MANY
    assert len(await letters(catalog, Which(PLAN.name))) == 2 * MANY


async def test_two_writers_of_dead_letters_who_write_twice(catalog: Pool) -> None:
    async def writer(name: str, began: asyncio.Event, other: asyncio.Event) -> None:
        async with catalog.transaction() as connection:
            await put(connection, "m", "t", f"shop#{name}", [letter(key="first")], SEAL)
            began.set()
            try:
                async with asyncio.timeout(0.5):
                    await other.wait()
            except TimeoutError:
                pass
            many = [letter(key=str(n)) for n in range(MANY)]
            await put(connection, "m", "t", f"shop#{name}", many, SEAL)

    for turn in range(6):
        one, two = asyncio.Event(), asyncio.Event()
        await asyncio.gather(writer(f"One{turn}", one, two), writer(f"Two{turn}", two, one))
    assert len(await letters(catalog, Which("m"))) == 12 * (MANY + 1)

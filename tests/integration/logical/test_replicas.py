# SPDX-License-Identifier: Apache-2.0
"""Two replicas that are killed while the source changes and is killed: the log's replay equals the tables."""

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dictamesh.runtime.capture import state as states
from dictamesh.runtime.capture.postgres.kept import drop, kept
from dictamesh.runtime.capture.postgres.session import session
from dictamesh.runtime.capture.postgres.slot import slot_of
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.events.log import bounds, read_events
from tests.integration.logical.replica import captures, shop_plan
from tests.integration.logical.sources import TABLES, held, shop
from tests.integration.logical.test_stream import change
from tests.support.plans import plan
from tests.support.postgres import embedded_dsn, fresh_database
from tests.support.sources import Source

__all__ = ["embedded_dsn"]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def catalog(embedded_dsn: str) -> AsyncIterator[Pool]:
    with fresh_database(embedded_dsn) as dsn:
        pool = await open_pool(dsn, PoolSettings(max_size=5, idle=1))
        await up(pool)
        yield pool
        await pool.close()


def replica(catalog: str, source: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.integration.logical.replica", catalog, source], cwd=ROOT)


async def replayed(pool: Pool, topic: str) -> tuple[dict[str, Any], Counter[str]]:
    """The last payload of each key that is there, and how often each event id occurs; versions only grow, by one."""
    rows: dict[str, Any] = {}
    versions: dict[str, int] = {}
    ids: Counter[str] = Counter()
    for partition, each in (await bounds(pool, topic)).items():
        at = each.beginning
        while at < each.end:
            events = await read_events(pool, topic, partition, at, 1000)
            for event in events:
                version = int(event.envelope["entity"]["version"])
                assert version == versions.get(event.entity_id, 0) + 1
                versions[event.entity_id] = version
                ids[str(event.event_id)] += 1
                if event.event_type == "DELETED":
                    rows.pop(event.entity_id, None)
                else:
                    rows[event.entity_id] = event.envelope["payload"]
            at = events[-1].offset + 1 if events else each.end
    return rows, ids


async def agrees(pool: Pool, source: str) -> bool:
    stream = shop()
    for each in stream.entities:
        found, ids = await replayed(pool, each.topic.name)
        assert max(ids.values(), default=1) == 1
        if _told(found) != _told(held(source, each)):
            return False
    return True


def _told(rows: Mapping[Any, Any]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows.values())


async def until(check: Any, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.3)


async def test_nothing_is_lost_when_replicas_and_source_are_killed(source: Source, base: str, catalog: Pool) -> None:
    with psycopg.connect(base, autocommit=True) as writer:
        writer.execute(TABLES)
        writer.execute("INSERT INTO orders SELECT g, 'open', 'n' FROM generate_series(1, 200) g")
    dsn = str(catalog.connections.conninfo)
    running = [replica(dsn, base) for _ in range(2)]
    rng = random.Random(3)

    async def write(changes: int) -> None:
        done = 0
        while done < changes:
            try:
                with psycopg.connect(base, autocommit=True) as writer:
                    while done < changes:
                        await asyncio.to_thread(change, writer, rng)
                        await asyncio.sleep(0.004)
                        done += 1
            except psycopg.OperationalError:
                await asyncio.sleep(0.2)

    try:
        writing = asyncio.create_task(write(700))  # transactions: about 2,000 changes
        for number in range(4):
            await asyncio.sleep(rng.uniform(1.0, 2.0))
            victim = running.pop(0)
            victim.kill()
            victim.wait()
            if number == 1:
                await asyncio.to_thread(source.kill)
                await source.start()
            running.append(replica(dsn, base))
        await writing
        await until(lambda: agrees(catalog, base))
    finally:
        for each in running:
            each.kill()
            each.wait()


async def test_a_lost_slot_is_told_and_waits_for_a_reset(base: str, catalog: Pool) -> None:
    with psycopg.connect(base, autocommit=True) as writer:
        writer.execute(TABLES)
        writer.execute("INSERT INTO orders VALUES (1, 'open')")
        made, slot = shop_plan(), shop().slot
        task = await began(catalog, base, made)
        await until(lambda: agrees(catalog, base))
        await until(lambda: statuses(catalog, {"running"}))
        await until(lambda: positioned(catalog))  # a slot that is still being made may be made again
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: unread(base, slot))
        await drop(base, slot, slot)
        writer.execute("DELETE FROM orders; INSERT INTO orders VALUES (2, 'open')")
        task = await began(catalog, base, made)
        await until(lambda: statuses(catalog, {"lost"}))
        (error,) = {each.error for each in await states.stands(catalog, made.name)}
        assert error is not None and f"the slot {slot} is gone" in error and "state reset" in error
        await asyncio.sleep(2.5)
        assert not await agrees(catalog, base)
        assert await statuses(catalog, {"lost"})
        await states.reset(catalog, made.name)
        await until(lambda: agrees(catalog, base))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_slot_of_a_product_that_left_is_kept_and_told(base: str, catalog: Pool) -> None:
    with psycopg.connect(base, autocommit=True) as writer:
        writer.execute(TABLES)
        made = shop_plan()
        task = await began(catalog, base, made)
        await until(lambda: agrees(catalog, base))
        await until(lambda: positioned(catalog))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert kept(await states.stands(catalog, made.name), made) == ()
        empty = plan()
        await captures(catalog, base).use(empty, {})
        (left,) = kept(await states.stands(catalog, made.name), empty)
        assert (left.slot, left.entities) == (shop().slot, ("lines#Line", "orders#Order"))
        assert not left.overdue(86_400) and left.overdue(-1)
        assert writer.execute(
            "SELECT count(*) FROM pg_replication_slots WHERE slot_name = %s", (left.slot,)
        ).fetchone() == (1,)
        await until(lambda: unread(base, left.slot))
        assert await drop(base, left.slot, left.publication) == (True, True)
        assert await drop(base, left.slot, left.publication) == (False, False)


async def unread(source: str, slot: str) -> bool:
    async with session(source, "test") as connection:
        found = await slot_of(connection, slot)
    return found is not None and not found.active


async def began(pool: Pool, source: str, made: Any) -> asyncio.Task[None]:
    found = captures(pool, source)
    await found.use(made, {})
    return asyncio.create_task(found.run())


async def statuses(pool: Pool, wanted: set[str]) -> bool:
    return {each.status for each in await states.stands(pool, "test")} == wanted


async def positioned(pool: Pool) -> bool:
    found = await states.stands(pool, "test")
    return bool(found) and all("lsn" in (each.position or {}) for each in found)

# SPDX-License-Identifier: Apache-2.0
"""Logical decoding of a real PostgreSQL: the first pass, the stream, restarts; what is recorded equals the tables."""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence

import psycopg
import pytest

from dictamesh.runtime.capture.contract import Batch, Recorded
from dictamesh.runtime.capture.postgres.lsn import lsn_of
from tests.integration.logical.sources import TABLES, followed, held, recorder_for, same, shop
from tests.support.recording import MemoryRecorder

_STATES = ("open", "paid", "late")


@pytest.fixture
def writer(base: str) -> Iterator[psycopg.Connection]:
    """A connection to the source, with the tables there."""
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(TABLES)
        yield connection


def fill(writer: psycopg.Connection, rows: int) -> None:
    writer.execute("INSERT INTO orders SELECT g, 'open', 'note ' || g FROM generate_series(1, %s) g", (rows,))


async def test_rows_that_are_there_come_first_and_changes_after_them(base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    fill(writer, 250)
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        await recorder.until(same(recorder, base, stream))
        writer.execute("UPDATE orders SET status = 'paid' WHERE id <= 10")
        writer.execute("DELETE FROM orders WHERE id = 11")
        writer.execute("INSERT INTO orders (id, status) VALUES (1000, 'open')")
        await recorder.until(same(recorder, base, stream))
    assert len(recorder.rows["orders#Order"]) == 250


async def test_a_transaction_over_several_tables_is_one_write(base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        await recorder.until(same(recorder, base, stream))
        with writer.transaction():
            writer.execute("INSERT INTO orders (id, status) VALUES (1, 'open')")
            writer.execute("INSERT INTO lines VALUES (1, 1, 5), (1, 2, 7)")
        await recorder.until(same(recorder, base, stream))
    (write,) = [write for write in recorder.writes if any(batch.seen for batch in write)]
    assert {batch.state.entity: len(batch.seen) for batch in write} == {"orders#Order": 1, "lines#Line": 2}


async def test_signs_of_life_tell_of_nothing_that_is_not_stored(base: str, writer: psycopg.Connection) -> None:
    """A heartbeat whose write hangs, as with a catalog that is away, must not be acknowledged by a sign of life."""
    stream = shop(heartbeat=0.2)
    recorder = HangingRecorder({each.address: each.source.key for each in stream.entities})
    async with followed(stream, base, recorder):
        await recorder.until(same(recorder, base, stream))
        recorder.free.clear()
        writer.execute("CREATE TABLE others (id integer)")
        for _ in range(10):
            writer.execute("INSERT INTO others SELECT generate_series(1, 100)")
            await asyncio.sleep(0.2)
        (confirmed,) = writer.execute("SELECT confirmed_flush_lsn::text FROM pg_replication_slots").fetchone() or ("",)
        stored = max(lsn_of(str(each["lsn"])) for each in recorder.positions.values())
        assert recorder.waiting, "a heartbeat is being written"
        assert lsn_of(confirmed) <= stored
        recorder.free.set()


class HangingRecorder(MemoryRecorder):
    """Holds writes without rows back until it is free."""

    def __init__(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(keys)
        self.free = asyncio.Event()
        self.free.set()
        self.waiting = 0

    async def record_all(self, batches: Sequence[Batch]) -> Sequence[Recorded]:
        if not any(batch.seen for batch in batches):
            self.waiting += 1
            await self.free.wait()
            self.waiting -= 1
        return await super().record_all(batches)


async def test_random_changes_and_restarts_lose_and_double_nothing(base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    fill(writer, 100)
    recorder = recorder_for(stream)
    rng = random.Random(7)
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(500):
            await asyncio.to_thread(change, writer, rng)
        done.set()

    writing = asyncio.create_task(write())
    while not done.is_set():
        async with followed(stream, base, recorder):
            await asyncio.sleep(rng.uniform(0.05, 0.6))
    await writing
    async with followed(stream, base, recorder):
        await recorder.until(same(recorder, base, stream))
    assert recorder.repeated == []


def change(writer: psycopg.Connection, rng: random.Random) -> None:
    """One transaction of one to five changes, key changes and deletes among them."""
    with writer.transaction():
        for _ in range(rng.randint(1, 5)):
            one, two = rng.randint(1, 300), rng.randint(1, 300)
            match rng.randrange(6):
                case 0 | 1:
                    writer.execute(
                        "INSERT INTO orders VALUES (%s, 'open', %s)"
                        " ON CONFLICT (id) DO UPDATE SET note = excluded.note",
                        (one, str(rng.random())),
                    )
                case 2:
                    writer.execute("UPDATE orders SET status = %s WHERE id = %s", (rng.choice(_STATES), one))
                case 3:
                    writer.execute("DELETE FROM orders WHERE id = %s", (one,))
                case 4:
                    writer.execute(
                        "UPDATE orders SET id = %s WHERE id = %s AND NOT EXISTS (SELECT FROM orders WHERE id = %s)",
                        (two, one, two),
                    )
                case 5:
                    writer.execute("INSERT INTO lines VALUES (%s, %s, 1) ON CONFLICT DO NOTHING", (one, two))
                    writer.execute("UPDATE lines SET quantity = quantity + 1 WHERE order_id = %s", (one,))


async def test_values_stored_out_of_line_are_never_null(base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    writer.execute("ALTER TABLE orders ALTER note SET STORAGE EXTERNAL")
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        writer.execute("INSERT INTO orders VALUES (1, 'open', repeat('x', 50000)), (2, 'open', repeat('y', 50000))")
        await recorder.until(same(recorder, base, stream))
        writer.execute("UPDATE orders SET status = 'paid'")
        await recorder.until(lambda: recorder.rows["orders#Order"][1,]["status"] == "paid")
        assert recorder.rows["orders#Order"] == held(base, stream.entities[1])
        writer.execute("ALTER TABLE orders REPLICA IDENTITY FULL")
        writer.execute("UPDATE orders SET id = id + 10")
        await recorder.until(lambda: (11,) in recorder.rows["orders#Order"])
        assert recorder.rows["orders#Order"] == held(base, stream.entities[1])


async def test_a_table_that_is_emptied_is_emptied_there(base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    fill(writer, 20)
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        await recorder.until(same(recorder, base, stream))
        with writer.transaction():
            writer.execute("INSERT INTO lines VALUES (1, 1, 1)")
            writer.execute("TRUNCATE orders, lines")
            writer.execute("INSERT INTO orders VALUES (7, 'late', NULL)")
        await recorder.until(same(recorder, base, stream))
    assert list(recorder.rows["orders#Order"]) == [(7,)]


@pytest.mark.parametrize("fails_at", [1, 3])
async def test_a_pass_that_breaks_begins_anew(base: str, writer: psycopg.Connection, fails_at: int) -> None:
    stream = shop()
    fill(writer, 350)
    recorder = recorder_for(stream)
    recorder.fails = lambda batches: sum(bool(batch.seen) for w in recorder.writes for batch in w) >= fails_at
    async with followed(stream, base, recorder) as task:
        with pytest.raises(Exception, match="the catalog is away"):
            await task
    writer.execute("DELETE FROM orders WHERE id = 5")
    writer.execute("UPDATE orders SET status = 'paid' WHERE id = 6")
    recorder.fails = lambda _batches: False
    async with followed(stream, base, recorder):
        await recorder.until(same(recorder, base, stream))
        writer.execute("DELETE FROM orders WHERE id = 7")
        await recorder.until(same(recorder, base, stream))

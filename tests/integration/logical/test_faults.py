# SPDX-License-Identifier: Apache-2.0
"""What may happen to a source: killed, stopped, its slot lost, moved, its tables changed under the stream."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from dictamesh.runtime.capture.contract import CaptureFailed, CaptureLost
from dictamesh.runtime.capture.postgres.faults import SourceGone
from dictamesh.runtime.capture.postgres.kept import drop
from dictamesh.runtime.capture.postgres.lag import Lag
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.specs.types import INT, STRING
from tests.integration.logical.sources import (
    ORDERS,
    TABLES,
    captured,
    followed,
    recorder_for,
    same,
    shop,
    stream_of,
    streaming,
)
from tests.support.sources import Source


@pytest.fixture
def writer(base: str) -> Iterator[psycopg.Connection]:
    """A connection to the source, with the tables there."""
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(TABLES)
        yield connection


async def dropped(source: str, slot: str) -> None:
    """Drop a slot once the server has noticed that its reader is gone."""
    async with asyncio.timeout(30):
        while True:
            try:
                await drop(source, slot, slot)
            except SourceGone:
                await asyncio.sleep(0.1)
            else:
                return


async def ended(task: asyncio.Task[None]) -> BaseException | None:
    await asyncio.wait([task], timeout=30)
    return task.exception()


async def test_a_source_that_is_killed_is_followed_again(source: Source, base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        await recorder.until(lambda: streaming(recorder, stream))
        for number in range(3):
            with psycopg.connect(base, autocommit=True) as other:
                other.execute("INSERT INTO orders VALUES (%s, 'open')", (number,))
            await asyncio.to_thread(source.kill)
            await source.start()
        with psycopg.connect(base, autocommit=True) as other:
            other.execute("UPDATE orders SET status = 'paid'")
        await recorder.until(same(recorder, base, stream))
    assert recorder.repeated == []


async def test_a_source_that_stops_does_not_wait_for_the_stream(
    source: Source, base: str, writer: psycopg.Connection
) -> None:
    stream = shop(heartbeat=3600)
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        await recorder.until(lambda: streaming(recorder, stream))
        writer.execute("CREATE TABLE other AS SELECT generate_series(1, 1000)")
        writer.close()
        began = asyncio.get_running_loop().time()
        await source.stop()
        assert source.process is not None and source.process.returncode == 0  # not killed for want of an end
        assert asyncio.get_running_loop().time() - began < 9
        await source.start()
        with psycopg.connect(base, autocommit=True) as other:
            other.execute("INSERT INTO orders VALUES (1, 'open')")
        await recorder.until(same(recorder, base, stream))


async def test_a_slot_that_is_gone_stops_it_until_somebody_resets(base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        await recorder.until(lambda: streaming(recorder, stream))
    await dropped(base, stream.slot)
    writer.execute("INSERT INTO orders VALUES (1, 'open')")
    before = len(recorder.writes)
    for _ in range(2):
        async with followed(stream, base, recorder) as task:
            lost = await ended(task)
        assert isinstance(lost, CaptureLost) and lost.reason == "slot_missing"
    assert len(recorder.writes) == before
    assert writer.execute(
        "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    ).fetchone() == (0,)
    recorder.positions.clear()  # what `state reset` does
    async with followed(stream, base, recorder):
        await recorder.until(same(recorder, base, stream))


async def test_a_slot_whose_log_was_removed_stops_it(source: Source, base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        await recorder.until(lambda: streaming(recorder, stream))
    source.set(max_slot_wal_keep_size="1MB")
    try:
        for _ in range(4):
            writer.execute("INSERT INTO orders (id, status) SELECT 1, repeat('x', 1000) ON CONFLICT DO NOTHING")
            writer.execute("SELECT pg_switch_wal()")
            writer.execute("CHECKPOINT")
        async with followed(stream, base, recorder) as task:
            lost = await ended(task)
        assert isinstance(lost, CaptureLost) and lost.reason == "slot_lost"
    finally:
        source.set(max_slot_wal_keep_size="-1")


async def test_a_slot_that_moved_on_without_us_stops_it(base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        await recorder.until(lambda: streaming(recorder, stream))
    writer.execute("INSERT INTO orders VALUES (1, 'open')")
    writer.execute("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", (stream.slot,))
    async with followed(stream, base, recorder) as task:
        lost = await ended(task)
    assert isinstance(lost, CaptureLost) and lost.reason == "slot_ahead"


async def test_a_slot_of_somebody_else_is_not_dropped(base: str, writer: psycopg.Connection) -> None:
    stream = shop(slot="theirs")
    writer.execute("SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')")
    async with followed(stream, base, recorder_for(stream)) as task:
        failed = await ended(task)
    assert isinstance(failed, CaptureFailed) and "was not made by this mesh" in str(failed)
    assert writer.execute("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'theirs'").fetchone() == (1,)


async def test_an_idle_table_keeps_no_log(base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    recorder, lags = recorder_for(stream), list[Lag]()
    async with followed(stream, base, recorder, observe=lambda _p, _s, lag: lags.append(lag)):
        await recorder.until(lambda: streaming(recorder, stream))
        writer.execute("CREATE TABLE busy (id integer)")
        writer.execute("INSERT INTO busy SELECT generate_series(1, 50000)")
        (end,) = writer.execute("SELECT pg_current_wal_lsn()").fetchone()
        async with asyncio.timeout(20):
            while not writer.execute(
                "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots WHERE slot_name = %s", (end, stream.slot)
            ).fetchone()[0]:
                await asyncio.sleep(0.1)
    assert all(not batch.seen for write in recorder.writes for batch in write)
    assert max(lag.bytes for lag in lags) > 1_000_000 and lags[-1].seconds == 0


async def test_a_large_transaction_is_recorded_in_parts_and_resumed_within(
    base: str, writer: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dictamesh.runtime.capture.postgres.assembly.MOST_CHANGES", 100)
    stream = shop()
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder) as task:
        await recorder.until(lambda: streaming(recorder, stream))
        with writer.transaction():
            writer.execute("INSERT INTO orders SELECT g, 'open' FROM generate_series(1, 1000) g")
            writer.execute("UPDATE orders SET status = 'paid' WHERE id <= 500")
        recorder.fails = lambda _batches: len(recorder.rows["orders#Order"]) >= 300
        assert isinstance(await ended(task), CatalogUnavailable)
    assert 300 <= len(recorder.rows["orders#Order"]) < 1000
    recorder.fails = lambda _batches: False
    async with followed(stream, base, recorder):
        await recorder.until(same(recorder, base, stream))
    assert recorder.repeated == []
    assert max(len(batch.seen) for write in recorder.writes for batch in write) <= 101


async def test_a_column_may_come_and_one_that_is_read_may_not_go(base: str, writer: psycopg.Connection) -> None:
    stream = shop()
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder) as task:
        await recorder.until(lambda: streaming(recorder, stream))
        writer.execute("ALTER TABLE orders ADD extra integer, DROP hidden")
        writer.execute("INSERT INTO orders VALUES (1, 'open', 'n', 5)")
        writer.execute("ALTER TABLE orders RENAME extra TO more")
        writer.execute("INSERT INTO orders VALUES (2, 'open', 'n', 6)")
        await recorder.until(same(recorder, base, stream))
        writer.execute("ALTER TABLE orders DROP note")
        writer.execute("INSERT INTO orders VALUES (3, 'open')")
        failed = await ended(task)
    assert isinstance(failed, CaptureFailed) and "note" in str(failed) and "change the spec" in str(failed)


async def test_a_renamed_column_is_found_once_the_spec_follows(base: str, writer: psycopg.Connection) -> None:
    before = shop()
    recorder = recorder_for(before)
    async with followed(before, base, recorder):
        await recorder.until(lambda: streaming(recorder, before))
    writer.execute("INSERT INTO orders VALUES (1, 'open', 'told before')")
    writer.execute("ALTER TABLE orders RENAME note TO remark")
    writer.execute("INSERT INTO orders VALUES (2, 'open', 'told after')")
    after = stream_of(
        captured("Order", "orders", {"id": INT, "status": STRING, "remark": STRING}),
        captured("Line", "lines", {"order_id": INT, "line": INT}, ("order_id", "line")),
    )
    async with followed(after, base, recorder):
        await recorder.until(same(recorder, base, after))


async def test_a_table_that_joins_is_read_where_its_stream_begins(base: str, writer: psycopg.Connection) -> None:
    first = stream_of(captured("Order", "orders", ORDERS))
    both, recorder = shop(), recorder_for(shop())
    async with followed(first, base, recorder):
        await recorder.until(lambda: streaming(recorder, first))
    writer.execute("INSERT INTO orders VALUES (1, 'open')")
    writer.execute("INSERT INTO lines SELECT 1, g, g FROM generate_series(1, 300) g")
    async with followed(both, base, recorder):
        writer.execute("UPDATE lines SET quantity = 7 WHERE line = 3")
        writer.execute("UPDATE orders SET status = 'paid'")
        await recorder.until(same(recorder, base, both))
    assert recorder.repeated == []
    async with followed(first, base, recorder):
        writer.execute("INSERT INTO orders VALUES (2, 'open')")
        await recorder.until(same(recorder, base, first))
    left = writer.execute("SELECT tablename FROM pg_publication_tables").fetchall()
    assert left == [("orders",)]


async def test_partitions_are_told_as_their_root(base: str, writer: psycopg.Connection) -> None:
    writer.execute(
        "CREATE TABLE parted (id integer, region text, note text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);"
        "CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');"
        "CREATE TABLE parted_b (note text, region text NOT NULL, id integer NOT NULL, PRIMARY KEY (id, region));"
        "ALTER TABLE parted ATTACH PARTITION parted_b FOR VALUES IN ('b');"
        "INSERT INTO parted VALUES (1, 'a', 'x'), (2, 'b', 'y')"
    )
    columns = {"id": INT, "region": STRING, "note": STRING}
    stream = stream_of(captured("Parted", "parted", columns, ("id", "region")))
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        await recorder.until(same(recorder, base, stream))
        writer.execute("UPDATE parted SET region = 'b' WHERE id = 1")
        writer.execute("CREATE TABLE parted_c PARTITION OF parted FOR VALUES IN ('c')")
        writer.execute("INSERT INTO parted VALUES (3, 'c', 'z')")
        writer.execute("DELETE FROM parted WHERE id = 2")
        await recorder.until(same(recorder, base, stream))


async def test_generated_columns_are_told_or_read(base: str, writer: psycopg.Connection) -> None:
    writer.execute(
        "CREATE TABLE sums (id integer PRIMARY KEY, one integer, twice integer GENERATED ALWAYS AS (one * 2) STORED)"
    )
    stream = stream_of(captured("Sum", "sums", {"id": INT, "one": INT, "twice": INT}))
    recorder = recorder_for(stream)
    async with followed(stream, base, recorder):
        await recorder.until(lambda: streaming(recorder, stream))
        writer.execute("INSERT INTO sums SELECT g, g FROM generate_series(1, 50) g")
        writer.execute("UPDATE sums SET one = one + 1 WHERE id > 25")
        writer.execute("DELETE FROM sums WHERE id = 50")
        await recorder.until(same(recorder, base, stream))


@pytest.mark.parametrize(
    ("ddl", "says"),
    [
        ("ALTER TABLE orders DROP CONSTRAINT orders_pkey", "REPLICA IDENTITY"),
        ("ALTER TABLE orders REPLICA IDENTITY NOTHING", "REPLICA IDENTITY"),
        ("ALTER TABLE orders SET UNLOGGED", "SET LOGGED"),
        ("DROP TABLE orders; CREATE VIEW orders AS SELECT 1 AS id, 'x' AS status, 'y' AS note", "no table"),
        ("DROP TABLE orders", "has no table orders"),
        ("ALTER TABLE orders DROP note", "has no column note"),
    ],
)
async def test_a_table_that_cannot_be_followed_is_refused_with_the_cure(
    base: str, writer: psycopg.Connection, ddl: str, says: str
) -> None:
    writer.execute(ddl)
    stream = shop()
    async with followed(stream, base, recorder_for(stream)) as task:
        failed = await ended(task)
    assert isinstance(failed, CaptureFailed) and says in str(failed)
    assert writer.execute("SELECT count(*) FROM pg_publication").fetchone() == (0,)


async def test_a_role_without_rights_is_told_which_to_grant(base: str, writer: psycopg.Connection) -> None:
    role = f"reader_{id(writer):x}"
    writer.execute(f"CREATE ROLE {role} LOGIN REPLICATION")
    dsn = psycopg.conninfo.make_conninfo(base, user=role)
    stream = shop()
    recorder = recorder_for(stream)
    try:
        says = []
        async with followed(stream, dsn, recorder) as task:
            says.append(str(await ended(task)))
        writer.execute(f"GRANT SELECT ON orders, lines TO {role}")
        async with followed(stream, dsn, recorder) as task:
            says.append(str(await ended(task)))
        assert f"GRANT SELECT ON public.lines TO {role}" in says[0]
        assert "GRANT CREATE ON DATABASE" in says[1] and f"CREATE PUBLICATION {stream.publication} FOR TABLE" in says[1]
        writer.execute(f"CREATE PUBLICATION {stream.publication} FOR TABLE orders, lines")
        async with followed(stream, dsn, recorder):
            await recorder.until(lambda: streaming(recorder, stream))
            writer.execute("INSERT INTO orders VALUES (1, 'open')")
            await recorder.until(same(recorder, base, stream))
        writer.execute(f"ALTER ROLE {role} NOREPLICATION")
        async with followed(stream, dsn, recorder) as task:
            assert "REPLICATION" in str(await ended(task))
    finally:
        writer.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")

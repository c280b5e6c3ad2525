# SPDX-License-Identifier: Apache-2.0
"""What it costs to follow a PostgreSQL: changes a second and a core, memory, and the time from commit to log.

``python -m tests.bench.logical [CHANGES]`` starts a source and a catalog of its own. One table with a text key and
eight columns; half of the changes are updates, one in twenty is a delete. The reader is a process of its own.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.specs.types import INT, STRING, TIMESTAMP
from tests.bench import processes
from tests.integration.logical.replica import captures
from tests.integration.logical.sources import captured
from tests.support.plans import plan
from tests.support.postgres import fresh_database
from tests.support.sources import running

ROOT = Path(__file__).resolve().parents[2]
RATE = 1000  # changes a second while latency is measured
TABLE = """
CREATE TABLE bench_orders (
    id text PRIMARY KEY, customer text, status text, note text, quantity integer, cents integer, store text,
    created_at timestamptz DEFAULT now(), changed_at timestamptz DEFAULT now()
)
"""
_TOOK = b"""
SELECT count(*), extract(epoch FROM max(ingested_at) - min(ingested_at)) AS seconds FROM dictamesh_event_log
"""
_LATENCIES = b"""
SELECT count(*), percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
           ORDER BY 1000 * extract(epoch FROM ingested_at - event_timestamp))
  FROM dictamesh_event_log WHERE ingested_at >= %(since)s
"""


@dataclass(frozen=True)
class Costs:
    """`each` is processor time of the reader per change in microseconds, `rss` in MiB, p50 and p99 in milliseconds."""

    name: str
    changes: int
    seconds: float
    each: float
    rss: float
    p50: float
    p99: float

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.changes / self.seconds:,.0f} changes/s, {1e6 / self.each:,.0f}/s per core"
            f" ({self.each:.0f} us each), {self.rss:.0f} MiB, p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms"
        )


def bench_plan() -> Plan:
    columns = dict.fromkeys(("id", "customer", "status", "note", "store"), STRING)
    columns |= {"quantity": INT, "cents": INT, "created_at": TIMESTAMP, "changed_at": TIMESTAMP}
    return plan(captured("Order", "bench_orders", columns, heartbeat=5), events={"lease": 0.5})


def write(writer: psycopg.Connection, number: int, rows: int) -> None:
    """Make the `number`-th change, of `rows` rows that come to be."""
    key = f"o{number % rows}"
    if number % 20 == 19:
        writer.execute("DELETE FROM bench_orders WHERE id = %s", (f"o{(number - 1) % rows}",))
    else:
        writer.execute(
            "INSERT INTO bench_orders (id, customer, status, note, quantity, cents, store)"
            " VALUES (%s, 'c' || %s, 'open', repeat('n', 40), %s, %s, 's1')"
            " ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity, changed_at = clock_timestamp()",
            (key, number % 100, number, number),
        )


def backlog(dsn: str, changes: int, first: int = 0) -> None:
    """Make changes as fast as they go, ten in a transaction."""
    with psycopg.connect(dsn, autocommit=True) as writer:
        for at in range(first, first + changes, 10):
            with writer.transaction():
                for number in range(at, at + 10):
                    write(writer, number, changes // 2)


def steadily(dsn: str, seconds: float, first: int, together: int = 1) -> int:
    """Make `RATE` changes a second, so many in a transaction; returns how many."""
    with psycopg.connect(dsn, autocommit=True) as writer:
        began, done = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while done < passed * RATE:
                with writer.transaction() if together > 1 else contextlib.nullcontext():
                    for number in range(done, done + together):
                        write(writer, first + number, 5000)
                done += together
            time.sleep(0.002)
    return done


def reader(catalog: str, source: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.bench.logical", "--reader", catalog, source], cwd=ROOT)


async def ours(pool: Pool, source: str, changes: int) -> Costs:
    """Measure us on an empty table of a source: a backlog first, then a steady stream for ten seconds."""
    catalog = str(pool.connections.conninfo)
    first = reader(catalog, source)
    await _until(pool, "SELECT count(*) FROM dictamesh_capture_state WHERE position ? 'lsn'", 1)
    _end(first)
    await asyncio.to_thread(backlog, source, changes)
    last = "SELECT coalesce((position->>'lsn')::pg_lsn - %(end)s::pg_lsn, -1) FROM dictamesh_capture_state"
    end = _end_of(source)
    second = reader(catalog, source)
    await _until(pool, last, 0, end=end)
    used = processes.cpu(second.pid)
    (took,) = await pool.rows(_TOOK)
    since = (await pool.rows(b"SELECT clock_timestamp() AS now"))[0]["now"]
    await asyncio.to_thread(steadily, source, 10.0, changes)
    await _until(pool, last, 0, end=_end_of(source))
    rss = processes.memory(second.pid) / 2**20
    _end(second)
    (row,) = await pool.rows(_LATENCIES, {"since": since})
    (p50, p99) = row["percentile_cont"]
    seconds, count = float(took["seconds"]), int(took["count"])
    return Costs("DictaMesh (commit to log)", count, seconds, used / count * 1e6, rss, float(p50), float(p99))


def _end_of(source: str) -> str:
    with psycopg.connect(source, autocommit=True) as admin:
        row = admin.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        assert row is not None
        admin.execute("SELECT pg_logical_emit_message(true, 'bench', 'end')")
        return str(row[0])


async def _until(pool: Pool, statement: str, least: float, **values: str) -> None:
    async with asyncio.timeout(600):
        while True:
            rows = await pool.rows(statement.encode(), dict(values))
            if rows and float(next(iter(rows[0].values()))) >= least:
                return
            await asyncio.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait()


async def _read(catalog: str, source: str) -> None:
    pool = await open_pool(catalog, PoolSettings(max_size=3, idle=1))
    found = captures(pool, source)
    await found.use(bench_plan(), {})
    await found.run()


async def measured(catalog: str, source: str, changes: int) -> Costs:
    """Migrate a catalog, make the table, and measure."""
    with psycopg.connect(source, autocommit=True) as writer:
        writer.execute(TABLE)
    pool = await open_pool(catalog, PoolSettings(max_size=3, idle=1))
    try:
        await up(pool)
        return await ours(pool, source, changes)
    finally:
        await pool.close()


def main() -> None:
    changes = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with running(None) as source, running(None) as other, fresh_database(other.dsn) as catalog:
        print(asyncio.run(measured(catalog, source.dsn, changes)), f"({os.cpu_count()} cores)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reader"]:
        import uvloop

        uvloop.run(_read(*sys.argv[2:]))
    else:
        main()

# SPDX-License-Identifier: Apache-2.0
"""Signed webhook deliveries recorded per second, and how long a sender waits: `python -m tests.bench.webhooks`.

Sender, receiver and embedded PostgreSQL share the machine; each answer comes after the commit.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from dictamesh.runtime.catalog import cluster
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import open_pool
from tests.support.webhooks import Shop, delivery, order, shop

DELIVERIES, AT_ONCE = 5_000, 100


async def _send(one: Shop, numbers: list[int], waits: list[float]) -> None:
    for number in numbers:
        body = json.dumps(delivery(number)).encode()
        began = time.perf_counter()
        status = (await one.send_raw(body))[0]
        waits.append(time.perf_counter() - began)
        assert status == 202, status


async def main() -> int:
    """Print deliveries per second and the milliseconds of the median and the 99th percentile."""
    with tempfile.TemporaryDirectory(prefix="dictamesh-bench-") as folder:
        Path(folder).chmod(0o755)
        async with await cluster.start(Path(folder)) as started:
            pool = await open_pool(started.dsn)
            await up(pool)
            async with shop(pool, order({"buffer": 1000})) as one:
                waits: list[float] = []
                began = time.perf_counter()
                await asyncio.gather(
                    *(_send(one, list(range(lane, DELIVERIES, AT_ONCE)), waits) for lane in range(AT_ONCE))
                )
                seconds = time.perf_counter() - began
                batches = [len(batch.seen) for batch in one.recorder.batches]
            await pool.close()
    cuts = statistics.quantiles(waits, n=100)
    print(
        f"{DELIVERIES / seconds:,.0f} deliveries/s, p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms,"
        f" {statistics.mean(batches):.1f} in a transaction"
    )
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

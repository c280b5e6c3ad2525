# SPDX-License-Identifier: Apache-2.0
"""What an audited read costs: rows chained and committed, beside the same rows merely committed, by turns in one run.

Both go through the audit log's queue and group commit; the floor inserts into a table of the columns that there were
before the chains. Processor time is that of this process and of its PostgreSQL.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import uvloop

from dictamesh.runtime.audit.append import Appender
from dictamesh.runtime.audit.examine import examine_database
from dictamesh.runtime.audit.keys import known_keys
from dictamesh.runtime.audit.log import open_audit
from dictamesh.runtime.catalog.cluster import start
from dictamesh.runtime.catalog.migrate import known_migrations, up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.governance.audit import AuditRow
from tests.bench import processes
from tests.bench.figures import Figure

FLOOR = "unchained"
CALLERS = {1: 300, 8: 2000, 64: 10_000}
"""Callers at once, and the rows that they have recorded in one round."""
_PLAIN = b"""
INSERT INTO plain_audit_logs
    (id, occurred_at, principal, purpose, operation, entity_type, fields, denied_fields, success, error_code,
     subject_tokens, subject_count, occurrences, plan_hash, trace_id, duration_ms)
SELECT id, occurred_at, principal, purpose, operation, entity_type, fields, denied_fields, success, error_code,
       subject_tokens, subject_count, occurrences, plan_hash, trace_id, duration_ms
  FROM jsonb_to_recordset(%s::jsonb) AS r (id uuid, occurred_at timestamptz, principal text, purpose text,
       operation text, entity_type text, fields text[], denied_fields text[], success boolean, error_code text,
       subject_tokens text[], subject_count bigint, occurrences bigint, plan_hash text, trace_id text,
       duration_ms double precision)
    ON CONFLICT (id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class _Unchained:
    """What the audit log did before there were chains: one statement, its own transaction."""

    pool: Pool

    async def append(self, rows: Sequence[AuditRow]) -> None:
        await self.pool.execute(_PLAIN, (orjson.dumps(list(rows)).decode(),))


def measure(folder: Path, rounds: int, scale: float = 1.0) -> list[Figure]:
    """Record rows both ways by turns, then verify what was chained."""
    return uvloop.run(_measured(folder, rounds, scale))


async def _measured(folder: Path, rounds: int, scale: float) -> list[Figure]:
    async with await start(folder / "audit") as cluster:
        pool = await open_pool(cluster.dsn, PoolSettings(max_size=5, idle=2))
        try:
            await up(pool)
            async with pool.transaction() as connection:
                before = known_migrations()[1].up.replace(b"dictamesh_audit", b"plain_audit")
                await connection.execute(before.replace(b"dictamesh_refuse_change", b"plain_refuse_change"))
            figures = []
            for callers, rows in CALLERS.items():
                figures += await _compared(pool, callers, max(callers, int(rows * scale)), rounds)
            return [*figures, await _verified(pool, rounds)]
        finally:
            await pool.close()


async def _compared(pool: Pool, callers: int, rows: int, rounds: int) -> list[Figure]:
    ways: dict[str, Callable[[Pool], Appender | _Unchained]] = {"chained": Appender, FLOOR: _Unchained}
    spent: dict[str, list[processes.Spent]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, appender in ways.items():
            spent[name].append(await _recorded(pool, appender(pool), callers, rows))
    ours, floor = (spent[name][1:] for name in ways)  # the first round warms up
    name = f"audited read, {callers} at once"
    return [
        Figure(name, "CPU us/row", [each.cpu for each in ours], [each.cpu for each in floor], FLOOR),
        Figure(f"- {name}", "wall us/row", [each.wall for each in ours], [each.wall for each in floor], FLOOR),
    ]


async def _recorded(pool: Pool, appender: Appender | _Unchained, callers: int, rows: int) -> processes.Spent:
    """Microseconds for each row."""
    log, count = open_audit(pool), rows // callers
    log._appender = appender

    async def calling() -> None:
        for number in range(count):
            await log.record([_row(number)])

    before, began = processes.cpu(os.getpid()), time.perf_counter()
    await asyncio.gather(*(calling() for _ in range(callers)))
    await log.close()
    wall, cpu = time.perf_counter() - began, processes.cpu(os.getpid()) - before
    return processes.Spent(wall / (count * callers) * 1e6, cpu / (count * callers) * 1e6)


def _row(number: int) -> AuditRow:
    return AuditRow(
        "support-desk",
        "customers",
        "Customer",
        "5f" * 32,
        purpose="service",
        fields=("email", "name"),
        subject_tokens=("0123456789abcdef0123456789abcdef",) * 3,
        subject_count=3,
        trace_id="4b" * 16,
        duration_ms=3.5 + number / 7,
    )


async def _verified(pool: Pool, rounds: int) -> Figure:
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        report = await examine_database(pool, "bench", known_keys([]))
        found.append((time.perf_counter() - began) / report.rows * 1e6)
        assert report.intact
    return Figure("`audit verify`", "wall us/row", found)

# SPDX-License-Identifier: Apache-2.0
"""Tables whose rows have an age, and how long they are kept: one line for each."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import Plan

DELIVERIES = 7.0
"""Days for which a webhook's delivery is known: the id of an older one may come again."""
_DAY = 86_400
_BATCH = 5000
_THERE = b"SELECT to_regclass(%(table)s) IS NOT NULL AS there"


@dataclass(frozen=True, slots=True)
class Aged:
    """Rows of `table` whose `column`, a time or a day, lies more than `days` back are deleted."""

    table: str
    column: str
    days: float

    def statement(self, head: str, tail: str = "") -> bytes:
        """Return a statement over the rows that are too old; names are quoted, the time is a parameter."""
        where = sql.SQL("{head} FROM {table} WHERE {column} < %(before)s {tail}").format(
            head=sql.SQL(head), table=sql.Identifier(self.table), column=sql.Identifier(self.column), tail=sql.SQL(tail)
        )
        return where.as_bytes()


def aged_tables(plan: Plan) -> tuple[Aged, ...]:
    """Return what a mesh keeps for a time only, the event log apart, whose topics say it themselves."""
    letters = plan.mesh.events.dead_letters.keep / _DAY
    return (
        Aged("dictamesh_dead_letters", "last_failed_at", letters),
        Aged("dictamesh_webhook_deliveries", "received_at", DELIVERIES),
    )


async def count_aged(pool: Pool, aged: Aged, now: datetime) -> int:
    """Count the rows that are too old; 0 where the table is not there. Raises `CatalogUnavailable`."""
    if not await _there(pool, aged):
        return 0
    found = await pool.rows(aged.statement("SELECT count(*) AS n"), {"before": now - timedelta(days=aged.days)})
    return int(found[0]["n"])


async def delete_aged(pool: Pool, aged: Aged, now: datetime) -> int:
    """Delete them, 5,000 at a time, and return how many there were; raises `CatalogUnavailable`."""
    if not await _there(pool, aged):
        return 0
    deleted, inner = 0, aged.statement("SELECT ctid", f"LIMIT {_BATCH}")
    statement = sql.SQL("DELETE FROM {table} WHERE ctid IN ({inner})").format(
        table=sql.Identifier(aged.table), inner=sql.SQL(inner.decode())
    )
    while True:
        async with pool.transaction() as connection:
            cursor = await connection.execute(statement, {"before": now - timedelta(days=aged.days)})
        deleted += cursor.rowcount
        if cursor.rowcount < _BATCH:
            return deleted


async def _there(pool: Pool, aged: Aged) -> bool:
    return bool((await pool.rows(_THERE, {"table": aged.table}))[0]["there"])

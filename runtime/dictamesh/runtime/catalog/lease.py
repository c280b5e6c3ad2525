# SPDX-License-Identifier: Apache-2.0
"""Work that one replica at a time may do, by an advisory lock that PostgreSQL releases when its holder is gone."""

import contextlib
from collections.abc import AsyncIterator, Sequence

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.pool import Pool, database_errors

_TAKE = b"SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 7163846505))"
# The transaction is idle for as long as the work takes; it holds no snapshot.
_PATIENT = b"SET LOCAL idle_in_transaction_session_timeout = 0"
_TAKE_SOME = b"""
SELECT t.task FROM unnest(%s::text[]) WITH ORDINALITY AS t (task, place)
 WHERE pg_try_advisory_xact_lock(hashtextextended(t.task, 7163846505)) ORDER BY t.place
"""
# Where a host vanishes, its end of the connection says nothing: the server has to ask.
_NOTICED = (
    b"SET LOCAL tcp_keepalives_idle = 3; SET LOCAL tcp_keepalives_interval = 2; SET LOCAL tcp_keepalives_count = 2"
)


@contextlib.asynccontextmanager
async def leased(pool: Pool, task: str) -> AsyncIterator[bool]:
    """Hold the lease of a task for the block; gives False where another one holds it.

    The lease is a transaction on a connection beside the pool's, so that it works behind a pooler, and ends with the
    process. Raises `CatalogUnavailable`.
    """
    with database_errors():
        connection = await psycopg.AsyncConnection.connect(
            str(pool.connections.conninfo), connect_timeout=5, fallback_application_name="dictamesh-lease"
        )
    try:
        with database_errors():
            await connection.execute(_PATIENT)
            row = await (await connection.execute(_TAKE, (task,))).fetchone()
        yield row is not None and bool(row[0])
    finally:
        with contextlib.suppress(psycopg.Error):
            await connection.rollback()  # the server would notice the end of the connection a little later
        await connection.close()


class Leases:
    """Any number of leases on one connection beside the pool's, held until it ends; make it with `leases`."""

    def __init__(self, connection: psycopg.AsyncConnection[TupleRow]) -> None:
        self._connection = connection

    async def take(self, tasks: Sequence[str]) -> list[str]:
        """Take what nobody holds of some tasks and return it; raises `CatalogUnavailable` once all leases are lost.

        To be asked again every few seconds, without tasks, too: so a connection that is cut is noticed on both ends.
        """
        with database_errors():
            rows = await (await self._connection.execute(_TAKE_SOME, (list(tasks),))).fetchall()
        return [row[0] for row in rows]


@contextlib.asynccontextmanager
async def leases(pool: Pool) -> AsyncIterator[Leases]:
    """Open a connection for leases, which end with it or with the process; raises `CatalogUnavailable`."""
    with database_errors():
        connection = await psycopg.AsyncConnection.connect(
            str(pool.connections.conninfo),
            connect_timeout=5,
            fallback_application_name="dictamesh-leases",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=2,
        )
    try:
        with database_errors():
            await connection.execute(_PATIENT)
            await connection.execute(_NOTICED)
        yield Leases(connection)
    finally:
        with contextlib.suppress(psycopg.Error):
            await connection.rollback()
        await connection.close()

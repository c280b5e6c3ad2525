# SPDX-License-Identifier: Apache-2.0
"""Work that one replica at a time may do, by an advisory lock that PostgreSQL releases when its holder is gone."""

import contextlib
from collections.abc import AsyncIterator

import psycopg

from dictamesh.runtime.catalog.pool import Pool, database_errors

_TAKE = b"SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 7163846505))"
# The transaction is idle for as long as the work takes; it holds no snapshot.
_PATIENT = b"SET LOCAL idle_in_transaction_session_timeout = 0"


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

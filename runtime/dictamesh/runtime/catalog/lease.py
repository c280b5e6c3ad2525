# SPDX-License-Identifier: Apache-2.0
"""Work that one replica at a time may do, by an advisory lock that PostgreSQL releases when its holder is gone."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg

from dictamesh.runtime.catalog.pool import Pool, database_errors

_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "fallback_application_name": "dictamesh-lease",
    "connect_timeout": 5,
}
_RELEASE = b"SELECT pg_advisory_unlock_all()"
_TAKE = b"SELECT pg_try_advisory_lock(hashtextextended(%s, 7163846505))"


@contextlib.asynccontextmanager
async def leased(pool: Pool, task: str) -> AsyncIterator[bool]:
    """Hold the lease of a task for the block; gives False where another one holds it.

    The lease is a connection beside the pool's, and ends with it. Raises `CatalogUnavailable`.
    """
    with database_errors():
        connection = await psycopg.AsyncConnection.connect(str(pool.connections.conninfo), **_OPTIONS)
    try:
        with database_errors():
            row = await (await connection.execute(_TAKE, (task,))).fetchone()
        yield row is not None and bool(row[0])
    finally:
        with contextlib.suppress(psycopg.Error):
            await connection.execute(_RELEASE)  # the server would notice the end of the connection a little later
        await connection.close()

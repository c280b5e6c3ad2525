# SPDX-License-Identifier: Apache-2.0
"""Work that one replica at a time may do, by an advisory lock that PostgreSQL releases when its holder is gone."""

import contextlib
from collections.abc import AsyncIterator

from dictamesh.runtime.catalog.pool import Pool, database_errors

_TAKE = b"SELECT pg_try_advisory_lock(hashtextextended(%s, 7163846505))"
_RELEASE = b"SELECT pg_advisory_unlock(hashtextextended(%s, 7163846505))"


@contextlib.asynccontextmanager
async def leased(pool: Pool, task: str) -> AsyncIterator[bool]:
    """Hold the lease of a task for the block, on a connection of its own; gives False where another one holds it.

    Needs a connection that stays the same for a session: no pooler in transaction mode. Raises `CatalogUnavailable`.
    """
    with database_errors():
        async with pool.connections.connection() as connection:
            row = await (await connection.execute(_TAKE, (task,))).fetchone()
            taken = row is not None and bool(row[0])
            try:
                yield taken
            finally:
                if taken:
                    await connection.execute(_RELEASE, (task,))

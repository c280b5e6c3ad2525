# SPDX-License-Identifier: Apache-2.0
"""Work that one of several runtimes does: whoever holds the lock of PostgreSQL that the work's name stands for."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import cast

import psycopg

from dictamesh.runtime.catalog.pool import Pool, database_errors

_TRY = b"SELECT pg_try_advisory_xact_lock(%s)"
# The transaction is idle for as long as the work takes; it holds no snapshot.
_PATIENT = b"SET LOCAL idle_in_transaction_session_timeout = 0"


@contextlib.asynccontextmanager
async def lease(pool: Pool, name: str) -> AsyncIterator[bool]:
    """Try to be the one that does `name`, without waiting; yields whether that is so.

    The lock is of a transaction on a connection of its own, so that it works behind a pooler, takes none from the pool,
    and ends with the process. Raises ``CatalogUnavailable`` where it cannot be asked for.
    """
    dsn = cast("str", pool.connections.conninfo)
    with database_errors():
        connection = await psycopg.AsyncConnection.connect(
            dsn, connect_timeout=5, fallback_application_name="dictamesh-lease"
        )
    try:
        with database_errors():
            await connection.execute(_PATIENT)
            row = await (await connection.execute(_TRY, (_key(name),))).fetchone()
        yield bool(row and row[0])
    finally:
        with contextlib.suppress(psycopg.Error):
            await connection.rollback()  # the server lets go before this returns, which it need not at the close
        await connection.close()


def _key(name: str) -> int:
    """A signed integer of 64 bits for a name."""
    return int.from_bytes(hashlib.sha256(f"dictamesh lease {name}".encode()).digest()[:8], "big", signed=True)

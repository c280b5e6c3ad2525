# SPDX-License-Identifier: Apache-2.0
"""An ordinary connection to the source beside the stream: what tables are, rows by key, publications, slots."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow, dict_row

from dictamesh.runtime.capture.contract import CaptureFailed
from dictamesh.runtime.capture.postgres.faults import source_errors

OLDEST_SERVER = 150_000
_RIGHT = b"SELECT rolname AS role, rolsuper OR rolreplication AS may FROM pg_roles WHERE rolname = current_user"
Connection = psycopg.AsyncConnection[TupleRow]
# A pass may lie idle between two pages, and read for long.
_SETTINGS = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex';"
    "SET extra_float_digits = 1; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
    "SET client_min_messages = warning"
)


@contextlib.asynccontextmanager
async def session(dsn: str, name: str) -> AsyncIterator[Connection]:
    """Connect to a source for the block; values come as through the connector. Raises `CaptureFailed`."""
    given = conninfo_to_dict(dsn)
    whole = make_conninfo(
        dsn,
        application_name=name,
        client_encoding="UTF8",
        connect_timeout=given.get("connect_timeout") or "5",
        keepalives_idle="10",
        tcp_user_timeout="30000",
    )
    with source_errors("connecting to the source"):
        connection = await psycopg.AsyncConnection.connect(whole, autocommit=True)
    try:
        if connection.info.server_version < OLDEST_SERVER:
            raise CaptureFailed("the source is older than PostgreSQL 15", "use `poll`, or a newer server")
        with source_errors("connecting to the source"):
            await connection.execute(_SETTINGS)
        yield connection
    finally:
        with contextlib.suppress(psycopg.Error):
            await connection.close()


async def may_replicate(connection: Connection) -> None:
    """Raise `CaptureFailed` where the role has no right to stream changes."""
    found = await rows(connection, _RIGHT, doing="looking at the role's rights")
    if not found[0]["may"]:
        role = found[0]["role"]
        raise CaptureFailed(f"the role {role} may not stream changes", f"ALTER ROLE {role} REPLICATION")


async def rows(
    connection: Connection,
    statement: bytes | psycopg.sql.Composed,
    values: Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    doing: str,
    cures: dict[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of a statement by column; raises `CaptureFailed`."""
    with source_errors(doing, cures):
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement, values)
            return await cursor.fetchall() if cursor.description is not None else []

# SPDX-License-Identifier: Apache-2.0
"""Connections to the catalog's PostgreSQL, bounded in number, age and patience (MC-14)."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import TupleRow, dict_row
from psycopg_pool import AsyncConnectionPool

from dictamesh.runtime.catalog.errors import CatalogUnavailable

OLDEST_SERVER = 15
_REACH = "see that PostgreSQL runs, that catalog.dsn is right and that its user may connect"
_REPORT = "see the log of PostgreSQL for the statement that failed"


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Sizes in connections, times in seconds; the defaults are those of MC-14.

    ``idle`` connections are kept open however quiet it is, those above it are closed after ``idle_time``. Raises
    ``ValueError`` naming the setting that is out of range.
    """

    max_size: int = 25
    idle: int = 10
    lifetime: float = 1800.0
    idle_time: float = 600.0
    statement_timeout: float = 30.0
    idle_in_transaction: float = 60.0
    acquire_timeout: float = 5.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_size <= 1000:
            raise ValueError("catalog.pool.max_size must be between 1 and 1000")
        if not 0 <= self.idle <= self.max_size:
            raise ValueError(f"catalog.pool.idle must be between 0 and max_size ({self.max_size})")
        for name in ("lifetime", "idle_time", "statement_timeout", "idle_in_transaction", "acquire_timeout"):
            if not 0 < getattr(self, name) <= 86_400:
                raise ValueError(f"catalog.pool.{name} must be above 0 and at most 86400 seconds")


@dataclass(frozen=True, slots=True)
class Pool:
    """An open pool; every connection it lends has been checked to be alive."""

    connections: AsyncConnectionPool[psycopg.AsyncConnection[TupleRow]]

    @property
    def exhausted(self) -> bool:
        """Whether every connection is on loan, and no more may be opened."""
        stats = self.connections.get_stats()
        return not stats["pool_available"] and stats["pool_size"] >= stats["pool_max"]

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[TupleRow]]:
        """A connection within one transaction: committed at the end, rolled back on an error.

        Raises ``CatalogUnavailable`` in place of every exception of the driver.
        """
        with database_errors():
            async with self.connections.connection() as connection, connection.transaction():
                yield connection

    async def execute(self, statement: bytes, parameters: Sequence[Any] | Mapping[str, Any]) -> int:
        """Run one statement that is its own transaction, in one round trip; returns the number of rows it met."""
        with database_errors():
            async with self.connections.connection() as connection:
                return (await connection.execute(statement, parameters)).rowcount

    async def rows(
        self, statement: bytes, parameters: dict[str, Any] | None = None, *, binary: bool = False
    ) -> list[dict[str, Any]]:
        """The answer to one reading statement, one dict per row; ``binary`` reads long arrays in half the time."""
        with database_errors():
            async with (
                self.connections.connection() as connection,
                connection.cursor(row_factory=dict_row, binary=binary) as cursor,
            ):
                await cursor.execute(statement, parameters)
                return await cursor.fetchall()

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[psycopg.AsyncConnection[TupleRow]]:
        """A connection for several statements, each of which is a transaction; errors as of `transaction`."""
        with database_errors():
            async with self.connections.connection() as connection:
                yield connection

    async def close(self) -> None:
        """Close every connection; those on loan when they come back."""
        await self.connections.close()


async def open_pool(dsn: str, settings: PoolSettings | None = None) -> Pool:
    """Connect to ``dsn`` and see that the server is PostgreSQL 15 or later.

    Raises ``CatalogUnavailable`` when it is not or cannot be reached within ``acquire_timeout``.
    """
    settings = settings or PoolSettings()
    check_dsn(dsn)
    connections = AsyncConnectionPool(
        dsn,
        min_size=settings.idle,
        max_size=settings.max_size,
        max_lifetime=settings.lifetime,
        max_idle=settings.idle_time,
        timeout=settings.acquire_timeout,
        open=False,
        name="dictamesh-catalog",
        configure=_session(settings),
        check=AsyncConnectionPool.check_connection,
        kwargs={"autocommit": True, "fallback_application_name": "dictamesh", "connect_timeout": 5},
    )
    await connections.open(wait=False)
    pool = Pool(connections)
    try:
        async with pool.transaction() as connection:
            version = connection.info.server_version // 10_000
            if version < OLDEST_SERVER:
                raise CatalogUnavailable(
                    f"the catalog's server is PostgreSQL {version}", f"use PostgreSQL {OLDEST_SERVER} or later"
                )
    except BaseException:
        await pool.close()
        raise
    return pool


def check_dsn(dsn: str) -> None:
    """Refuse a conninfo or URL that libpq cannot read or whose port is none (1-65535), without repeating it."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise CatalogUnavailable(
            "catalog.dsn is neither a PostgreSQL URL nor a conninfo string",
            "write postgresql://user@host:5432/database",
        ) from None
    for port in str(parts.get("port") or "5432").split(","):
        if not port.isdecimal() or not 1 <= int(port) <= 65_535:
            raise CatalogUnavailable("catalog.dsn names a port outside 1-65535", "correct the port")


@contextlib.contextmanager
def database_errors() -> Iterator[None]:
    """Turn the driver's exceptions into ``CatalogUnavailable`` with the SQLSTATE and nothing else of theirs (S26)."""
    try:
        yield
    except psycopg.DataError as error:
        # the driver refuses what no text of PostgreSQL can hold before it asks
        state = error.sqlstate or "22021"
        raise CatalogUnavailable(
            f"the catalog's database refuses a value, SQLSTATE {state}", _REPORT, sqlstate=state
        ) from None
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise CatalogUnavailable("the catalog's database cannot be reached", _REACH) from None
        message = f"the catalog's database answered with SQLSTATE {error.sqlstate}"
        cure = _REACH if error.sqlstate[:2] in {"08", "28", "3D", "53", "57"} else _REPORT
        raise CatalogUnavailable(message, cure, sqlstate=error.sqlstate) from None


def _session(settings: PoolSettings) -> Callable[[psycopg.AsyncConnection[TupleRow]], Awaitable[None]]:
    # Sent as statements: connection poolers refuse the start-up parameter that would carry them.
    statement = (
        f"SET statement_timeout = {int(settings.statement_timeout * 1000)};"
        f"SET idle_in_transaction_session_timeout = {int(settings.idle_in_transaction * 1000)};"
        "SET timezone = 'UTC'; SET client_min_messages = warning"
    ).encode()

    async def configure(connection: psycopg.AsyncConnection[TupleRow]) -> None:
        await connection.execute(statement)

    return configure

# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL through a pool of psycopg connections."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from dictamesh.connectors.exact_json import loads
from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal, Transient

MAX_ROWS = 100_000
_PREPARE_AFTER = 2  # executions of one text on one connection

# The pool reports why it cannot connect in a log of its own, with the server's words: they never travel (S26).
logging.getLogger("psycopg.pool").propagate = False
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
T = TypeVar("T")

_BY_CLASS: dict[str, tuple[type[SourceError], Fault]] = {
    "08": (Transient, Fault.CONNECTION_FAILED),
    "22": (Terminal, Fault.BAD_REQUEST),
    "25": (Terminal, Fault.REFUSED),  # a statement that would write
    "28": (Terminal, Fault.UNAUTHORIZED),
    "3D": (Terminal, Fault.INVALID_CONFIG),
    "40": (Transient, Fault.SERVER_ERROR),
    "42": (Terminal, Fault.BAD_REQUEST),
    "53": (Transient, Fault.SERVER_ERROR),
    "54": (Terminal, Fault.TOO_LARGE),
    "57": (Transient, Fault.CONNECTION_FAILED),
    "58": (Transient, Fault.SERVER_ERROR),
}
_BY_STATE: dict[str, tuple[type[SourceError], Fault]] = {
    "42501": (Terminal, Fault.FORBIDDEN),
    "57014": (Transient, Fault.TIMEOUT),
}
# Dates that Python cannot hold (`infinity`, year 20000) come as text, to spoil their cell and not the statement.
_DELICATE = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")


class _AsText(Loader):
    def load(self, data: Buffer) -> str:
        return bytes(data).decode()


def _json(raw: str | bytes) -> Any:
    try:
        return loads(raw)
    except ValueError:  # nested too deep: its text spoils the cell and not the statement
        return raw


class PostgresClient:
    """Runs statements with values bound as `%(name)s`. `timeout` is in seconds, for one statement."""

    def __init__(self, dsn: str, smallest: int, largest: int, timeout: float) -> None:
        self._dsn = dsn
        self._sizes = (smallest, largest)
        self._timeout = timeout
        self._pool: AsyncConnectionPool[Connection] | None = None

    async def open(self) -> None:
        """Start the pool; it connects in the background."""
        if self._pool is not None:
            return
        smallest, largest = self._sizes
        pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self._dsn,
            min_size=smallest,
            max_size=largest,
            open=False,
            timeout=self._timeout,
            configure=self._configure,
            kwargs={"autocommit": True, "prepare_threshold": _PREPARE_AFTER, "connect_timeout": 5},
        )
        await pool.open(wait=False)
        self._pool = pool

    async def close(self) -> None:
        """Close every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def rows(self, sql: str, values: Mapping[str, Any], place: str) -> list[tuple[Any, ...]]:
        """Run one statement in a read-only transaction; raises `SourceError`. Cancelling cancels it on the server."""
        return await self._guarded(lambda connection: _rows(connection, sql, values, place), place)

    async def probe(self, place: str) -> None:
        """Connect outside the pool, which hides why it cannot, and run a statement; raises `SourceError`."""
        try:
            async with asyncio.timeout(self._timeout):
                connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)
                async with connection:
                    await connection.execute("SELECT 1")
        except TimeoutError:
            raise Transient(Fault.TIMEOUT, place=place) from None
        except psycopg.Error as error:
            raise _in_our_words(error, place) from None

    async def _configure(self, connection: Connection) -> None:
        set_json_loads(_json, context=connection)
        milliseconds = max(1, int(self._timeout * 1000))
        await connection.execute(
            f"SET default_transaction_read_only = on; SET statement_timeout = {milliseconds}; SET TimeZone = 'UTC'"
        )

    async def _guarded(self, work: Callable[[Connection], Awaitable[T]], place: str) -> T:
        try:
            return await self._in_pool(work, place)
        except (PoolTimeout, TooManyRequests, PoolClosed):
            raise Transient(Fault.CONNECTION_FAILED, place=place) from None
        except psycopg.Error as error:
            raise _in_our_words(error, place) from None
        except (UnicodeError, OverflowError):
            raise Terminal(Fault.BAD_REQUEST, place=place) from None

    async def _in_pool(self, work: Callable[[Connection], Awaitable[T]], place: str) -> T:
        if self._pool is None:
            raise Terminal(Fault.CONNECTION_FAILED, place=place)
        async with self._pool.connection() as connection:
            try:
                return await work(connection)
            except psycopg.OperationalError:
                if not connection.closed:
                    raise
        # The server closed the line while it lay idle, as after a restart: the others did not survive either.
        await self._pool.check()
        async with self._pool.connection() as connection:
            return await work(connection)


async def _rows(connection: Connection, sql: str, values: Mapping[str, Any], place: str) -> list[tuple[Any, ...]]:
    async with connection.cursor() as cursor:
        await cursor.execute(sql, values)
        if cursor.rowcount > MAX_ROWS:
            raise Terminal(Fault.TOO_LARGE, place=place)
        try:
            return await cursor.fetchall()
        except errors.DataError:
            pass
    async with connection.cursor() as cursor:
        for name in _DELICATE:
            cursor.adapters.register_loader(name, _AsText)
        await cursor.execute(sql, values)
        return await cursor.fetchall()


def _in_our_words(error: psycopg.Error, place: str) -> SourceError:
    state = error.sqlstate
    if state is None:
        if isinstance(error, psycopg.OperationalError):
            return Transient(Fault.CONNECTION_FAILED, place=place)
        return Terminal(Fault.BAD_REQUEST, place=place)  # psycopg itself refused a value
    kind, fault = _BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or (Transient, Fault.SERVER_ERROR)
    return kind(fault, status=state, place=place)


def usable(dsn: str) -> bool:
    """Whether a connection string can be read."""
    try:
        psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        return False
    return True

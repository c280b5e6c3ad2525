# SPDX-License-Identifier: Apache-2.0
"""DuckDB that reads one folder and nothing else: no network, extensions or settings, no statement but SELECT (S24)."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal, Transient

T = TypeVar("T")

_WORKERS = 2  # threads that DuckDB itself splits a scan among
_INTERRUPT_AGAIN = 0.05  # seconds: an interrupt before the statement begins goes unheard

_FAULTS: tuple[tuple[type[Exception], Fault], ...] = (
    (duckdb.PermissionException, Fault.REFUSED),
    (duckdb.OutOfMemoryException, Fault.TOO_LARGE),
    (duckdb.BinderException, Fault.BAD_REQUEST),
    (duckdb.CatalogException, Fault.BAD_REQUEST),
    (duckdb.ParserException, Fault.BAD_REQUEST),
)


class DuckClient:
    """Runs SELECTs over the files of `folder`. `memory` is in MiB, `timeout` in seconds for one statement."""

    def __init__(self, folder: Path, threads: int, memory: int, timeout: float) -> None:
        self._folder = folder
        self._threads = threads
        self._memory = memory
        self._timeout = timeout
        self._pool: ThreadPoolExecutor | None = None
        self._database: duckdb.DuckDBPyConnection | None = None

    async def open(self) -> None:
        """Start the threads and the engine."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="files")
            try:
                self._database = await asyncio.get_running_loop().run_in_executor(self._pool, self._connect)
            except duckdb.Error:
                raise Terminal(Fault.INVALID_CONFIG, place="files") from None

    async def close(self) -> None:
        """Wait for statements under way and stop the engine."""
        pool, self._pool = self._pool, None
        database, self._database = self._database, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)
        if database is not None:
            database.close()

    async def rows(self, sql: str, values: Mapping[str, Any], place: str) -> list[tuple[Any, ...]]:
        """Run one SELECT with values bound as `$name`; raises `SourceError`. Cancelling stops it."""
        if self._database is None:
            raise Terminal(Fault.CONNECTION_FAILED, place=place)
        cursor = self._database.cursor()
        running = self._start(lambda: _selected(cursor, sql, values, place), place)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(running)
        except TimeoutError:
            raise Transient(Fault.TIMEOUT, place=place) from None
        finally:
            _interrupt(cursor, running)

    async def in_thread(self, work: Callable[[], T], place: str) -> T:
        """Run other work over the files in the same threads."""
        return await asyncio.shield(self._start(work, place))

    def _start(self, work: Callable[[], T], place: str) -> "asyncio.Future[T]":
        if self._pool is None:
            raise Terminal(Fault.CONNECTION_FAILED, place=place)
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        running.add_done_callback(_forget)
        return running

    def _connect(self) -> duckdb.DuckDBPyConnection:
        database = duckdb.connect(
            ":memory:",
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "memory_limit": f"{self._memory}MiB",
                "threads": str(_WORKERS),
                "temp_directory": "",
            },
        )
        folder = str(self._folder.resolve()).replace("'", "''")
        database.execute("SET GLOBAL TimeZone = 'UTC'")
        # The folder must be named while settings are open, before access to everything else is shut.
        database.execute(f"SET allowed_directories = ['{folder}/']")
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        return database


def _selected(
    cursor: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any], place: str
) -> list[tuple[Any, ...]]:
    try:
        statements = cursor.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise Terminal(Fault.REFUSED, place=place)
        return cursor.execute(statements[0], values).fetchall()
    except duckdb.Error as error:
        raise _in_our_words(error, place) from None
    except (UnicodeError, OverflowError, ValueError):
        raise Terminal(Fault.BAD_REQUEST, place=place) from None
    finally:
        cursor.close()


def _in_our_words(error: Exception, place: str) -> SourceError:
    name = type(error).__name__
    if isinstance(error, duckdb.InterruptException):
        return Transient(Fault.TIMEOUT, status=name, place=place)
    fault = next((fault for kind, fault in _FAULTS if isinstance(error, kind)), Fault.INVALID_RESPONSE)
    return Terminal(fault, status=name, place=place)


def _interrupt(cursor: duckdb.DuckDBPyConnection, running: "asyncio.Future[Any]") -> None:
    if running.done():
        return
    try:
        cursor.interrupt()
    except duckdb.Error:
        return  # closed: it has just ended
    asyncio.get_running_loop().call_later(_INTERRUPT_AGAIN, _interrupt, cursor, running)


def _forget(done: "asyncio.Future[Any]") -> None:
    if not done.cancelled():
        done.exception()  # marks it as seen, where nobody waits any more

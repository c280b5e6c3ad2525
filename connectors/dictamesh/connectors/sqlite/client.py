# SPDX-License-Identifier: Apache-2.0
"""A read-only SQLite file through a few threads, one connection each."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal, Transient

MAX_ROWS = 100_000
MAX_VALUE_BYTES = 16 * 1024 * 1024
_STEPS = 5_000  # virtual machine steps between two looks at the clock: well under a millisecond
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_TRANSIENT = {"SQLITE_BUSY": Fault.TIMEOUT, "SQLITE_LOCKED": Fault.TIMEOUT, "SQLITE_INTERRUPT": Fault.TIMEOUT}
_TERMINAL = {"SQLITE_NOTADB": Fault.INVALID_RESPONSE, "SQLITE_CORRUPT": Fault.INVALID_RESPONSE,
             "SQLITE_TOOBIG": Fault.TOO_LARGE, "SQLITE_AUTH": Fault.REFUSED}  # fmt: skip

Functions = Sequence[tuple[str, int, Callable[..., Any]]]  # name, number of arguments, function


@dataclass(slots=True)
class _Call:
    """One statement under way: it stops at its deadline, or when it is told to."""

    deadline: float
    cancelled: bool = False

    def over(self) -> bool:
        return self.cancelled or time.monotonic() > self.deadline


class SqliteClient:
    """Runs statements with bound values. `timeout` is in seconds, for one statement."""

    def __init__(self, path: Path, threads: int, timeout: float, functions: Functions) -> None:
        self._path = path
        self._timeout = timeout
        self._functions = functions
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._idle: list[sqlite3.Connection] = []

    def open(self) -> None:
        """Prepare the threads; the file is opened with the first statement."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="sqlite")

    def close(self) -> None:
        """Wait for statements under way, close every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True)
        while self._idle:
            self._idle.pop().close()

    async def rows(self, sql: str, values: Mapping[str, Any], place: str) -> list[tuple[Any, ...]]:
        """Run one statement with values bound as `:name`; raises `SourceError`.

        Cancelling stops the statement and leaves the connection usable.
        """
        if self._pool is None:
            raise Terminal(Fault.CONNECTION_FAILED, place=place)
        call = _Call(time.monotonic() + self._timeout)
        running = asyncio.get_running_loop().run_in_executor(self._pool, self._run, call, sql, values, place)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            call.cancelled = True
            running.add_done_callback(_forget)
            raise

    def _run(self, call: _Call, sql: str, values: Mapping[str, Any], place: str) -> list[tuple[Any, ...]]:
        if call.over():
            raise Transient(Fault.TIMEOUT, place=place)
        try:
            connection = self._borrow()
            connection.set_progress_handler(call.over, _STEPS)
            try:
                return _fetched(connection, sql, values, place)
            finally:
                connection.set_progress_handler(None, 0)
                self._idle.append(connection)
        except sqlite3.Error as error:
            raise _in_our_words(error, place) from None
        except (OverflowError, UnicodeEncodeError):
            raise Terminal(Fault.BAD_REQUEST, place=place) from None

    def _borrow(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path.absolute().as_uri() + "?mode=ro",
            uri=True,
            timeout=self._timeout / 2,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
            for name, arity, function in self._functions:
                connection.create_function(name, arity, function, deterministic=True)
            connection.execute("SELECT value FROM json_each('[]')")  # its first use would need more rights
            connection.set_authorizer(_authorize)
        except BaseException:
            connection.close()
            raise
        return connection


def _authorize(action: int, first: str | None, *_rest: str | None) -> int:
    asks_columns = action == sqlite3.SQLITE_PRAGMA and first in {"table_xinfo", "table_info"}
    return sqlite3.SQLITE_OK if action in _ALLOWED or asks_columns else sqlite3.SQLITE_DENY


def _fetched(connection: sqlite3.Connection, sql: str, values: Mapping[str, Any], place: str) -> list[tuple[Any, ...]]:
    try:
        return _all(connection, sql, values, place)
    except sqlite3.OperationalError as error:
        # Text that is no UTF-8 must spoil its cell, not the statement: read it again with such cells as bytes.
        if getattr(error, "sqlite_errorname", None) is not None:
            raise
    connection.text_factory = _lenient
    try:
        return _all(connection, sql, values, place)
    finally:
        connection.text_factory = str


def _all(connection: sqlite3.Connection, sql: str, values: Mapping[str, Any], place: str) -> list[tuple[Any, ...]]:
    cursor = connection.execute(sql, values)
    try:
        found: list[tuple[Any, ...]] = cursor.fetchmany(MAX_ROWS + 1)
    finally:
        cursor.close()
    if len(found) > MAX_ROWS:
        raise Terminal(Fault.TOO_LARGE, place=place)
    return found


def _lenient(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _in_our_words(error: sqlite3.Error, place: str) -> SourceError:
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    short = "_".join(name.split("_")[:2])  # extended codes refine: SQLITE_BUSY_SNAPSHOT
    if short in _TRANSIENT:
        return Transient(_TRANSIENT[short], status=name, place=place)
    if short in {"SQLITE_CANTOPEN", "SQLITE_IOERR"}:
        return Transient(Fault.CONNECTION_FAILED, status=name, place=place)
    return Terminal(_TERMINAL.get(short, Fault.BAD_REQUEST), status=name, place=place)


def _forget(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()  # nobody waits for it any more

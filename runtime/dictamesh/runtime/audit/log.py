# SPDX-License-Identifier: Apache-2.0
"""Writing the audit log: concurrent operations share one append and commit, nobody is answered before it (S30)."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from dictamesh.runtime.audit.append import Appender, append_rows
from dictamesh.runtime.audit.chain import Unhashable
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.governance.audit import AuditRow, AuditUnavailable

_LOG = logging.getLogger("dictamesh.audit")
_UNWRITTEN = "the audit log cannot be written"
_COMMIT_SECONDS = 10.0
_LARGEST_BATCH = 1000
_WAITING_OPERATIONS = 2000
# SQLSTATE classes that blame the rows, not the server: data exception, integrity constraint.
_BLAMES_ROWS = ("22", "23")
_UNHASHABLE = "22P05"  # what the server says of a character that it cannot hold
_SumKey = tuple[str, str, str, str, str | None, str | None]


async def write_rows(pool: Pool, rows: Sequence[AuditRow]) -> None:
    """Chain and commit ``rows``; those that are there already, by id, are left alone.

    Raises ``CatalogUnavailable``, and ``Unhashable`` for a row that no JSON can hold.
    """
    async with pool.transaction() as connection:
        await append_rows(connection, rows)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Rows of one operation, and the promise that it waits for."""

    rows: tuple[AuditRow, ...]
    written: asyncio.Future[None]


@dataclass(slots=True)
class _Sum:
    """Denials of anonymous callers within the running minute, of one entity, purpose and plan."""

    first: AuditRow
    fields: set[str]
    times: int = 0

    def row(self) -> AuditRow:
        first = self.first
        return AuditRow(
            principal=None,
            product=first.product,
            entity_type=first.entity_type,
            plan_hash=first.plan_hash,
            purpose=first.purpose,
            operation=first.operation,
            denied_fields=tuple(sorted(self.fields)),
            success=first.success,
            error_code=first.error_code,
            occurrences=self.times,
            occurred_at=first.occurred_at,
            id=first.id,
        )


@dataclass(slots=True)
class AuditLog:
    """An ``AuditSink`` over a pool; open it with :func:`open_audit`, and ``close`` it before the pool."""

    pool: Pool
    flush_seconds: float = 60.0
    _queue: asyncio.Queue[_Waiting] = field(default_factory=lambda: asyncio.Queue(_WAITING_OPERATIONS), init=False)
    _sums: dict[_SumKey, _Sum] = field(default_factory=dict, init=False)
    _unflushed: list[AuditRow] = field(default_factory=list, init=False)
    _appender: Appender = field(init=False)
    _tasks: tuple[asyncio.Task[None], ...] = field(default=(), init=False)
    _closed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._appender = Appender(self.pool)

    def begin(self) -> None:
        """Start the writer; once only."""
        loop = asyncio.get_running_loop()
        self._tasks = (
            loop.create_task(self._write_forever(), name="dictamesh-audit-writer"),
            loop.create_task(self._flush_forever(), name="dictamesh-audit-sums"),
        )

    async def record(self, rows: Sequence[AuditRow]) -> None:
        """Return after the commit of ``rows``; mere denials of anonymous are summed and return at once.

        Waits while too many operations are waiting. Raises ``AuditUnavailable`` when the rows are not known to be on
        disk.
        """
        if self._closed:
            raise AuditUnavailable(_UNWRITTEN)
        kept = tuple(row for row in rows if not self._summed(row))
        if not kept:
            return
        waiting = _Waiting(kept, asyncio.get_running_loop().create_future())
        await self._queue.put(waiting)
        await waiting.written

    async def close(self) -> None:
        """Write all that waits, then the sums; afterwards ``record`` is refused. Idempotent."""
        if self._closed:
            return
        self._closed = True
        await self._queue.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while not self._queue.empty():
            _settle(self._queue.get_nowait(), failed=True)
        await self._flush()
        if self._unflushed:
            lost = sum(row.occurrences for row in self._unflushed)
            _LOG.error("sums of %d denied operations of anonymous were lost", lost)

    def _summed(self, row: AuditRow) -> bool:
        if row.principal is not None or row.fields:
            return False
        key = (row.product, row.entity_type, row.plan_hash, row.operation, row.purpose, row.error_code)
        total = self._sums.setdefault(key, _Sum(row, set()))
        total.fields.update(row.denied_fields)
        total.times += row.occurrences
        return True

    async def _write_forever(self) -> None:
        while True:
            batch = [await self._queue.get()]
            count = len(batch[0].rows)
            while count < _LARGEST_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
                count += len(batch[-1].rows)
            try:
                await self._commit(batch)
            finally:
                for waiting in batch:
                    _settle(waiting, failed=True)  # only what a cancelled commit left open
                    self._queue.task_done()

    async def _commit(self, batch: list[_Waiting]) -> None:
        fault = await self._written([row for waiting in batch for row in waiting.rows])
        if fault is not None and fault[:2] in _BLAMES_ROWS and len(batch) > 1:
            # One operation's row is at fault: the others shall not suffer for it.
            for waiting in batch:
                _settle(waiting, failed=await self._written(list(waiting.rows)) is not None)
            return
        for waiting in batch:
            _settle(waiting, failed=fault is not None)

    async def _written(self, rows: list[AuditRow]) -> str | None:
        """None after the commit, else a SQLSTATE (``HY000`` where there is none)."""
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await self._appender.append(rows)
        except CatalogUnavailable as error:
            _LOG.error("audit rows not written: %s", error)
            return error.sqlstate or "HY000"
        except Unhashable:
            _LOG.error("audit rows not written: one holds what JSON cannot")
            return _UNHASHABLE
        except Exception as error:  # noqa: BLE001 - whatever it is, the operations must hear of it and the writer live on
            _LOG.error("audit rows not written: %s", type(error).__name__)
            return "HY000"
        return None

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(self.flush_seconds)
            await self._flush()

    async def _flush(self) -> None:
        # A failed write may have reached the disk all the same: its rows are tried again as they are, never added to.
        rows = [*self._unflushed, *(total.row() for total in self._sums.values())]
        self._sums = {}
        self._unflushed = rows
        if not rows or await self._written(rows) is None:
            self._unflushed = []


def open_audit(pool: Pool, flush_seconds: float = 60.0) -> AuditLog:
    """An audit log whose writer runs on the current event loop; the sums are written every ``flush_seconds``."""
    log = AuditLog(pool, flush_seconds)
    log.begin()
    return log


def _settle(waiting: _Waiting, *, failed: bool) -> None:
    if waiting.written.done():  # the client went away
        return
    if failed:
        waiting.written.set_exception(AuditUnavailable(_UNWRITTEN))
    else:
        waiting.written.set_result(None)

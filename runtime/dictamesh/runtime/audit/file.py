# SPDX-License-Identifier: Apache-2.0
"""The audit log of whoever runs without a PostgreSQL: a private file, imported exactly once at the next start (S31)."""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from dictamesh.runtime.audit.earlier import with_products
from dictamesh.runtime.audit.log import write_rows
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.governance.audit import AuditRow, AuditUnavailable

FILE_NAME = "audit.jsonl"
_LOG = logging.getLogger("dictamesh.audit")
_ROW = TypeAdapter(AuditRow)
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class JsonlAudit:
    """An ``AuditSink`` that appends one JSON object per row to ``path``, mode 0600.

    Any number of processes may share it.
    """

    path: Path

    async def record(self, rows: Sequence[AuditRow]) -> None:
        """Return once the rows are on disk; raises ``AuditUnavailable`` when the file cannot be written."""
        if not rows:
            return
        try:
            await asyncio.to_thread(_append, self.path, rows)
        except OSError as error:
            raise AuditUnavailable(f"the audit file {self.path} cannot be written ({error.strerror})") from None


@dataclass(frozen=True, slots=True)
class Imported:
    """``rows`` were read; ``rejected`` lines were none and went to the file ``audit.rejected.jsonl``."""

    rows: int
    rejected: int


async def import_jsonl(pool: Pool, path: Path) -> Imported:
    """Bring the file's rows into the audit log and remove it.

    Killed at any moment, the next import goes on: rows are known by their ids. A line torn by a kill was never
    acknowledged; like any line that is no row it is set aside. Raises ``CatalogUnavailable``, the file then stays.
    """
    if not await asyncio.to_thread(path.exists):
        return Imported(0, 0)
    with _locked(path) as descriptor:
        rows, rejected = await asyncio.to_thread(_parsed, descriptor)
        for start in range(0, len(rows), _BATCH):
            await write_rows(pool, await with_products(pool, rows[start : start + _BATCH]))
        if rejected:
            aside = path.with_name("audit.rejected.jsonl")
            await asyncio.to_thread(_append_bytes, aside, b"".join(line + b"\n" for line in rejected))
            _LOG.warning("%d lines of %s are no audit rows; they are kept in %s", len(rejected), path, aside)
        await asyncio.to_thread(path.unlink)
    return Imported(len(rows), len(rejected))


def _append(path: Path, rows: Sequence[AuditRow]) -> None:
    lines = b"".join(orjson.dumps(row) + b"\n" for row in rows)  # dataclasses natively
    _append_bytes(path, lines)


def _append_bytes(path: Path, lines: bytes) -> None:
    with _locked(path) as descriptor:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            lines = b"\n" + lines  # whoever died in the middle of a line shall not spoil ours
        with open(descriptor, "ab", closefd=False) as file:
            file.write(lines)
        os.fsync(descriptor)
        if not size:
            _sync_folder(path.parent)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file under its lock, opened anew when an import removed it while we waited."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _parsed(descriptor: int) -> tuple[list[AuditRow], list[bytes]]:
    rows: list[AuditRow] = []
    rejected: list[bytes] = []
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        for line in file.read().splitlines():
            try:
                # a line of a release before the chains names no product
                rows.append(_ROW.validate_python({"product": "", **orjson.loads(line)}, strict=False))
            except (ValidationError, TypeError, orjson.JSONDecodeError):
                if line:
                    rejected.append(line)
    return rows, rejected


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

# SPDX-License-Identifier: Apache-2.0
"""The audit log of whoever runs without a PostgreSQL: a private file, imported exactly once at the next start (S31)."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from dictamesh.runtime.audit.earlier import with_products
from dictamesh.runtime.audit.lines import append_bytes, locked
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
    with locked(path) as descriptor:
        rows, rejected = await asyncio.to_thread(_parsed, descriptor)
        for start in range(0, len(rows), _BATCH):
            await write_rows(pool, await with_products(pool, rows[start : start + _BATCH]))
        if rejected:
            aside = path.with_name("audit.rejected.jsonl")
            await asyncio.to_thread(append_bytes, aside, b"".join(line + b"\n" for line in rejected))
            _LOG.warning("%d lines of %s are no audit rows; they are kept in %s", len(rejected), path, aside)
        await asyncio.to_thread(path.unlink)
    return Imported(len(rows), len(rejected))


def _append(path: Path, rows: Sequence[AuditRow]) -> None:
    append_bytes(path, b"".join(orjson.dumps(row) + b"\n" for row in rows))  # dataclasses natively


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

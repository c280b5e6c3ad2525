# SPDX-License-Identifier: Apache-2.0
"""Audit without a running owner: a private file, imported exactly once whatever is killed when (S31)."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dictamesh.runtime.audit.file import Imported, JsonlAudit, import_jsonl
from dictamesh.runtime.audit.log import write_rows
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.governance.audit import AuditRow, AuditSink, AuditUnavailable

# Appends until it is killed; prints each acknowledged id.
WRITER = """
import asyncio, sys
from pathlib import Path
from dictamesh.runtime.audit.file import JsonlAudit
from dictamesh.runtime.governance.audit import AuditRow
async def main():
    sink = JsonlAudit(Path(sys.argv[1]))
    while True:
        rows = [AuditRow("p", "customers", "Customer", "h", fields=("email",)) for _ in range(3)]
        await sink.record(rows)
        print("\\n".join(str(row.id) for row in rows), flush=True)
asyncio.run(main())
"""


def row(**changes: object) -> AuditRow:
    return AuditRow("bi-tool", "customers", "Customer", "plan-1", **{"fields": ("name",), **changes})


async def ids(pool: Pool) -> set[str]:
    return {found["id"] for found in await pool.rows(b"SELECT id::text FROM dictamesh_audit_logs")}


async def test_file_is_private_and_rows_come_back_as_written(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.jsonl"
    sink: AuditSink = JsonlAudit(path)
    one = row(purpose="analytics", subject_tokens=("t",), subject_count=9, trace_id="x", duration_ms=0.25)
    await sink.record([one, row()])
    await sink.record([row(denied_fields=("email",), success=False, error_code="FORBIDDEN")])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes().splitlines()) == 3
    assert await import_jsonl(catalog, path) == Imported(3, 0)
    assert not path.exists()
    (stored,) = await catalog.rows(b"SELECT * FROM dictamesh_audit_logs WHERE id = %(id)s", {"id": one.id})
    assert (stored["occurred_at"], stored["purpose"], stored["subject_count"]) == (one.occurred_at, "analytics", 9)
    assert (stored["subject_tokens"], stored["trace_id"], stored["duration_ms"]) == (["t"], "x", 0.25)
    assert await import_jsonl(catalog, path) == Imported(0, 0)


async def test_import_killed_after_the_commit_goes_on(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    rows = [row() for _ in range(5)]
    await JsonlAudit(path).record(rows)
    await write_rows(catalog, rows[:3])
    assert await import_jsonl(catalog, path) == Imported(5, 0)
    assert await ids(catalog) == {str(one.id) for one in rows}


async def test_failed_import_keeps_the_file(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    await JsonlAudit(path).record([row()])
    await catalog.execute(b"ALTER TABLE dictamesh_audit_logs RENAME TO dictamesh_away", ())
    with pytest.raises(CatalogUnavailable):
        await import_jsonl(catalog, path)
    assert path.exists()


async def test_torn_line_is_set_aside_and_spoils_no_other(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    first, second = row(), row()
    await JsonlAudit(path).record([first])
    with path.open("ab") as file:
        file.write(b'{"principal":"bi-t')
    await JsonlAudit(path).record([second])
    assert await import_jsonl(catalog, path) == Imported(2, 1)
    assert await ids(catalog) == {str(first.id), str(second.id)}
    assert (tmp_path / "audit.rejected.jsonl").read_bytes() == b'{"principal":"bi-t\n'


async def test_line_that_contradicts_itself_is_set_aside(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    await JsonlAudit(path).record([row()])
    line = json.loads(path.read_text())
    path.write_text(json.dumps({**line, "subject_tokens": ["a", "b"], "subject_count": 1}) + "\n")
    assert await import_jsonl(catalog, path) == Imported(0, 1)


async def test_writers_and_an_import_at_the_same_time_lose_nothing(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written: list[str] = []

    def write_many() -> None:
        async def run() -> None:
            for _ in range(50):
                one = row()
                await JsonlAudit(path).record([one])
                written.append(str(one.id))

        asyncio.run(run())

    writers = [threading.Thread(target=write_many) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        await import_jsonl(catalog, path)
    await import_jsonl(catalog, path)
    assert await ids(catalog) == set(written)
    assert len(written) == 150


async def test_killed_writer_loses_no_acknowledged_row(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    acknowledged: list[str] = []
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        while len(acknowledged) < 200:
            acknowledged.append(writer.stdout.readline().strip())
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += writer.stdout.read().splitlines()
    await import_jsonl(catalog, path)
    stored = await ids(catalog)
    assert [one for one in acknowledged if len(one) == 36 and one not in stored] == []


async def test_unwritable_file_is_no_audit(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(AuditUnavailable, match=r"audit\.jsonl"):
        await JsonlAudit(tmp_path / "audit.jsonl").record([row()])
    await JsonlAudit(tmp_path / "audit.jsonl").record([])

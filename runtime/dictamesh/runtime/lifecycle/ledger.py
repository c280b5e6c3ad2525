# SPDX-License-Identifier: Apache-2.0
"""The ledger of erasures: a table, and a file outside the database that a restore cannot turn back (GV-12, DR-5)."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
import psycopg
from psycopg.rows import TupleRow
from pydantic import TypeAdapter, ValidationError

from dictamesh.runtime.audit.lines import append_bytes
from dictamesh.runtime.catalog.pool import Pool

FILE_NAME = "erasures.jsonl"
State = Literal["pending", "done"]
Records = Mapping[str, Mapping[str, list[str]]]
"""Tokens of the records concerned, by product and entity."""
_COLUMNS = (
    b"id, mesh, subject_kind, subject_token, token_key_id, state, requested_at, requested_by, reason, deadline,"
    b" entered_at, records"
)
_STORE = (
    b"INSERT INTO dictamesh_erasures ("
    + _COLUMNS
    + b", receipts, replayed) SELECT "
    + _COLUMNS
    + b", receipts, replayed"
    b" FROM jsonb_to_recordset(%s::jsonb) AS r (id uuid, mesh text, subject_kind text, subject_token text,"
    b" token_key_id text, state text, requested_at timestamptz, requested_by text, reason text, deadline timestamptz,"
    b" entered_at timestamptz,"
    b" records jsonb, receipts jsonb, replayed boolean)"
)
_ALL = b"SELECT " + _COLUMNS + b" FROM dictamesh_erasures WHERE mesh = %(mesh)s ORDER BY number"
_LATEST = (
    b"SELECT DISTINCT ON (subject_kind, subject_token) receipts, "
    + _COLUMNS
    + b" FROM dictamesh_erasures WHERE mesh = %(mesh)s AND (%(token)s::text IS NULL OR subject_token = %(token)s)"
    b" ORDER BY subject_kind, subject_token, entered_at DESC, number DESC"
)

# Numbers are given before the commit: one below the last that was seen may appear after it.
_SINCE = b"""
SELECT number, subject_kind, subject_token FROM dictamesh_erasures
 WHERE mesh = %(mesh)s AND number > %(last)s - 1000 ORDER BY number
"""


class DamagedLedger(Exception):  # noqa: N818 - the state of a file
    """The ledger's file holds a line that is no entry: nobody can say who must stay erased. The text is ours."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; those of a subject grow: the last one holds all records that were ever concerned."""

    mesh: str
    subject_kind: str
    subject_token: str
    token_key_id: str
    state: State
    requested_at: datetime
    requested_by: str
    deadline: datetime
    records: Records
    reason: str | None = None
    entered_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: uuid.UUID = field(default_factory=uuid.uuid4)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an erasure stands: its last entry, and what was done in each product."""

    entry: Entry
    receipts: Sequence[Mapping[str, Any]]

    def overdue(self, now: datetime) -> bool:
        """Whether a source still holds the subject, or may, and its owner's time is over."""
        return self.entry.state == "pending" and self.entry.deadline < now


_ENTRY = TypeAdapter(Entry)


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """The mirror of the table: one entry a line, mode 0600."""

    path: Path

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append entries and wait for the disk; raises OSError."""
        if entries:
            lines = b"".join(orjson.dumps(each) + b"\n" for each in entries)
            await asyncio.to_thread(append_bytes, self.path, lines, drop_torn=True)

    async def entries(self) -> list[Entry]:
        """Return all entries; a last line without an end was torn by a kill, and never acknowledged.

        Raises OSError and DamagedLedger.
        """
        return await asyncio.to_thread(self._entries)

    def _entries(self) -> list[Entry]:
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return []
        found = []
        for number, line in enumerate(text.splitlines(keepends=True), 1):
            if not line.strip():
                continue
            try:
                found.append(_ENTRY.validate_json(line, strict=False))
            except ValidationError:
                if line.endswith(b"\n"):
                    raise DamagedLedger(f"line {number} of the erasure ledger {self.path} is damaged") from None
        return found


async def store(
    connection: psycopg.AsyncConnection[TupleRow],
    entry: Entry,
    receipts: Sequence[Mapping[str, Any]],
    *,
    replayed: bool = False,
) -> None:
    """Write an entry within the caller's transaction; raises what psycopg raises."""
    row = orjson.loads(orjson.dumps(entry)) | {"receipts": list(receipts), "replayed": replayed}
    await connection.execute(_STORE, (orjson.dumps([row]).decode(),))


async def stored_entries(pool: Pool, mesh: str) -> list[Entry]:
    """Return all entries of the table in order; raises `CatalogUnavailable`."""
    return [Entry(**row) for row in await pool.rows(_ALL, {"mesh": mesh})]


async def standings(pool: Pool, mesh: str, token: str | None = None) -> list[Standing]:
    """Return how the erasures of all subjects stand, or of one; raises `CatalogUnavailable`."""
    found = []
    for row in await pool.rows(_LATEST, {"mesh": mesh, "token": token}):
        receipts = row.pop("receipts")
        found.append(Standing(Entry(**row), receipts))
    return found


async def erased_since(pool: Pool, mesh: str, last: int) -> list[tuple[int, str, str]]:
    """Return number, kind and token of entries behind `last`, and of some before; raises `CatalogUnavailable`."""
    rows = await pool.rows(_SINCE, {"mesh": mesh, "last": last})
    return [(row["number"], row["subject_kind"], row["subject_token"]) for row in rows]

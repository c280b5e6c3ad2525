# SPDX-License-Identifier: Apache-2.0
"""Verifying a log where it is: in the database, also while a mesh writes to it, or in an exported file."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg.rows import TupleRow, dict_row

from dictamesh.runtime.audit.chain import Tip, untouched
from dictamesh.runtime.audit.chain_check import Known
from dictamesh.runtime.audit.findings import Report
from dictamesh.runtime.audit.keys import KnownKeys
from dictamesh.runtime.audit.reading import ALL, SNAPSHOT, Span, anchors_of, entries_of, tips_of
from dictamesh.runtime.audit.statements import Heads, Mark, Place, SignedHead, check, of_mesh, read_line
from dictamesh.runtime.audit.verify import Verifier
from dictamesh.runtime.catalog.pool import Pool

_HEADS = b"""
SELECT number, statement, key_id, signature,
       to_char(signed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS signed_at
  FROM dictamesh_audit_heads
 WHERE mesh = %(mesh)s AND (%(since)s::timestamptz IS NULL OR signed_at >= %(since)s) ORDER BY number
"""
_BEFORE = b"""
SELECT coalesce(max(number), 0) FROM dictamesh_audit_heads
 WHERE mesh = %(mesh)s AND signed_at < %(since)s::timestamptz
"""
_GUARDS = b"""
SELECT c.relname AS name FROM pg_class c
 WHERE c.relname IN ('dictamesh_audit_logs', 'dictamesh_audit_heads') AND c.relkind = 'r' AND pg_table_is_visible(c.oid)
   AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled = 'A'
                      AND t.tgname = 'trg_' || c.relname || '_append_only')
"""
_ROW_SHAPE: Mapping[str, type] = {
    "product": str,
    "day": str,
    "sequence": int,
    "id": str,
    "previous_hash": str,
    "hash": str,
}


class NoExport(ValueError):  # noqa: N818 - the state of a file, not a fault of the program
    """A file is no export of an audit log; the text is ours and names the line."""


def read_heads(path: Path) -> list[SignedHead]:
    """Read a published file; a last line without an end was torn by a kill and does not count.

    Raises OSError, and ValueError naming the line that is no signed head.
    """
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if not line.strip() or not line.endswith(b"\n"):
            continue
        try:
            found.append(read_line(line))
        except ValueError:
            raise ValueError(f"line {number} of {path} is no signed head") from None
    return found


async def examine_database(
    pool: Pool, mesh: str, keys: KnownKeys, published: Sequence[SignedHead] = (), span: Span = ALL
) -> Report:
    """Verify the rows and heads of the database, all as they are at one instant, beside heads published before.

    Read `published` first: what is published is in the database already. Raises `CatalogUnavailable`.
    """
    since = None if span.since is None else datetime.combine(span.since, time(), UTC)
    async with pool.transaction() as connection:
        await connection.execute(SNAPSHOT)
        stored = await _stored(connection, mesh, since)
        copies = _younger(of_mesh(mesh, published), stored, await _before(connection, mesh, since))
        heads = check(mesh, stored, copies, keys, from_the_first=since is None)
        anchors = await anchors_of(connection, span)
        tips = await tips_of(connection, span) if span.until is None else {}
        names = {*anchors, *tips, *heads.marks} if span.product is None else {span.product}
        known = {name: _known(name, anchors, tips, _within(heads, name, span)) for name in names}
        verifier = Verifier(known)
        async for entry in entries_of(connection, span):
            verifier.take(entry)
        notes = [f"the append-only trigger of {name} is off" for name in await _unguarded(connection)]
    return _report(verifier, heads, notes)


def examine_export(lines: Iterable[bytes], mesh: str, keys: KnownKeys, published: Sequence[SignedHead]) -> Report:
    """Verify an export beside published heads, without a database; raises NoExport.

    What the header says of the place where the rows begin is proved by the first signed head among them.
    """
    numbered = enumerate(lines, 1)
    header = _header(next(numbered, (1, b""))[1])
    span = Span(_day(header["since"]), _day(header["until"]), header["product"])
    ours = of_mesh(mesh, published)
    known_then = [head for head in ours if head.number <= header["statement"]]
    heads = check(mesh, None, known_then, keys, from_the_first=False)
    anchors = {each["product"]: Tip(**each) for each in header["anchors"]}
    names = {*anchors, *heads.marks} if span.product is None else {span.product}
    known = {name: _known(name, anchors, {}, _within(heads, name, span)) for name in names}
    verifier = Verifier(known)
    for number, line in numbered:
        verifier.take(_entry(number, line))
    younger = len(ours) - len(known_then)
    notes = [f"{younger} of the signed heads are younger than the export"] if younger else []
    return _report(verifier, heads, notes)


def header_of(mesh: str, span: Span, anchors: Mapping[str, Tip], statement: int) -> dict[str, Any]:
    """Return the first line of an export: what it holds, where its chains begin, the last head signed before it."""
    return {
        "export": "dictamesh-audit-export/1",
        "mesh": mesh,
        "since": span.since.isoformat() if span.since else None,
        "until": span.until.isoformat() if span.until else None,
        "product": span.product,
        "statement": statement,
        "anchors": [anchors[name] for name in sorted(anchors)],
    }


async def _stored(connection: psycopg.AsyncConnection[TupleRow], mesh: str, since: datetime | None) -> list[SignedHead]:
    async with connection.cursor("dictamesh_audit_heads", row_factory=dict_row) as cursor:
        await cursor.execute(_HEADS, {"mesh": mesh, "since": since})
        return [SignedHead(**row) async for row in cursor]


async def _before(connection: psycopg.AsyncConnection[TupleRow], mesh: str, since: datetime | None) -> int:
    """The number of the last head before the time that is looked at, 0 where there is none."""
    row = await (await connection.execute(_BEFORE, {"mesh": mesh, "since": since})).fetchone()
    return int(row[0]) if row is not None else 0


def _younger(published: Sequence[SignedHead], stored: Sequence[SignedHead], before: int) -> Sequence[SignedHead]:
    """The published heads of the time that is looked at, where those of the days before are not missed."""
    first = min([before + 1, *(head.number for head in stored[:1])])
    return [head for head in published if head.number >= first]


async def _unguarded(connection: psycopg.AsyncConnection[TupleRow]) -> list[str]:
    return [row[0] for row in await (await connection.execute(_GUARDS)).fetchall()]


def _known(name: str, anchors: Mapping[str, Tip], tips: Mapping[str, Tip], marks: Mapping[Place, Mark]) -> Known:
    return Known(anchors.get(name) or untouched(name), marks, tips.get(name))


def _within(heads: Heads, product: str, span: Span) -> Mapping[Place, Mark]:
    """The marks of a product on the days of a span."""
    since, until = str(span.since or ""), str(span.until or "9")
    return {place: mark for place, mark in heads.marks.get(product, {}).items() if since <= place[0] <= until}


def _report(verifier: Verifier, heads: Heads, notes: Iterable[str]) -> Report:
    findings = (*verifier.finish(), *heads.findings)
    told = (*heads.notes, *notes)
    return Report(verifier.rows, verifier.chains, heads.count, verifier.unsigned, heads.signed_at, findings, told)


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = orjson.loads(line)
        if header["export"] != "dictamesh-audit-export/1" or type(header["statement"]) is not int:
            raise NoExport("line 1 is not the header of an audit export")
        for each in header["anchors"]:
            Tip(**each)
        for name in ("since", "until"):
            _day(header[name])
        return dict(header)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise NoExport("line 1 is not the header of an audit export") from None


def _day(text: str | None) -> Any:
    return None if text is None else datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()


def _entry(number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        entry = None
    if not isinstance(entry, dict) or any(type(entry.get(name)) is not kind for name, kind in _ROW_SHAPE.items()):
        raise NoExport(f"line {number} is no row of an audit export")
    return entry

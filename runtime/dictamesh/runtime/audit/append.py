# SPDX-License-Identifier: Apache-2.0
"""Appending to the chains in the database: one append per product and batch, under a lock that replicas share."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson
import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.audit.chain import Entry, Tip, genesis, linked
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.governance.audit import AuditRow

# Tips are made and locked in one order, so that writers cannot deadlock, and held until the commit.
_TIPS = b"""
INSERT INTO dictamesh_audit_chains AS c (product, hash)
SELECT g.product, decode(g.genesis, 'hex') FROM jsonb_to_recordset(%s::jsonb) AS g (product text, genesis text)
 ORDER BY g.product COLLATE "C"
    ON CONFLICT ON CONSTRAINT pk_dictamesh_audit_chains DO UPDATE SET row_count = c.row_count
RETURNING product, day::text, sequence, row_count, encode(hash, 'hex')
"""
# A statement of its own: its snapshot is younger than the locks, so it sees what others committed before they let go.
_KNOWN = b"SELECT clock_timestamp(), ARRAY(SELECT id FROM dictamesh_audit_logs WHERE id = ANY(%s))"
_ROWS = b"""
    INSERT INTO dictamesh_audit_logs
        (product, day, sequence, previous_hash, hash, id, occurred_at, recorded_at, principal, purpose, operation,
         entity_type, fields, denied_fields, success, error_code, subject_tokens, subject_count, occurrences, plan_hash,
         trace_id, duration_ms)
    SELECT product, day, sequence, decode(previous_hash, 'hex'), decode(hash, 'hex'), id, occurred_at, recorded_at,
           principal, purpose, operation, entity_type, fields, denied_fields, success, error_code, subject_tokens,
           subject_count, occurrences, plan_hash, trace_id, duration_ms
      FROM jsonb_to_recordset(%(entries)s::jsonb) AS r (product text, day date, sequence bigint, previous_hash text,
           hash text, id uuid, occurred_at timestamptz, recorded_at timestamptz, principal text, purpose text,
           operation text, entity_type text, fields text[], denied_fields text[], success boolean, error_code text,
           subject_tokens text[], subject_count bigint, occurrences bigint, plan_hash text, trace_id text,
           duration_ms double precision)
"""
_MOVED = b"""
    UPDATE dictamesh_audit_chains c
       SET day = t.day, sequence = t.sequence, row_count = t.rows, hash = decode(t.hash, 'hex')
      FROM jsonb_to_recordset(%(tips)s::jsonb) AS t (product text, day date, sequence bigint, rows bigint, hash text)
     WHERE c.product = t.product
"""
_APPEND = b"WITH added AS (" + _ROWS + b")" + _MOVED
# All or nothing: only where every chain still ends as expected, on the newest version of its row.
_APPEND_AT_ONCE = (
    b"""
WITH held AS MATERIALIZED (
    SELECT c.product
      FROM dictamesh_audit_chains c
      JOIN jsonb_to_recordset(%(expected)s::jsonb) AS e (product text, hash text)
        ON e.product = c.product AND c.hash = decode(e.hash, 'hex')
     ORDER BY c.product FOR UPDATE OF c
), all_held AS MATERIALIZED (
    SELECT count(*) = jsonb_array_length(%(expected)s::jsonb) AS yes FROM held
), added AS ("""
    + _ROWS
    + b"     WHERE (SELECT yes FROM all_held)), moved AS ("
    + _MOVED
    + b"       AND (SELECT yes FROM all_held)) SELECT yes FROM all_held"
)
# SQLSTATE classes of what the lock would have prevented: a row that is there already, a conflict of transactions.
_TRY_LOCKED = {"23", "40"}


@dataclass(frozen=True, slots=True)
class Appended:
    """Rows as they stand in their chains, the tips behind them, and how far the database's clock is ahead of ours."""

    entries: list[Entry]
    tips: dict[str, Tip]
    ahead: timedelta


async def append_rows(connection: psycopg.AsyncConnection[TupleRow], rows: Sequence[AuditRow]) -> Appended:
    """Chain rows within the caller's transaction; those that are there by id are left alone and out of `entries`.

    The chains stay locked until the transaction ends. Raises Unhashable before anything is written, and what psycopg
    raises.
    """
    products = sorted({row.product for row in rows})
    wanted = [{"product": product, "genesis": genesis(product)} for product in products]
    ids = list(dict.fromkeys(row.id for row in rows))
    locked = await connection.execute(_TIPS, (orjson.dumps(wanted).decode(),))
    tips = {row[0]: Tip(*row) for row in await locked.fetchall()}
    ((now, known),) = await (await connection.execute(_KNOWN, (ids,))).fetchall()
    entries = linked(_fresh(rows, set(known)), tips, now)
    if entries:
        await connection.execute(_APPEND, {"entries": _json(entries), "tips": _json(list(tips.values()))})
    return Appended(entries, tips, now - datetime.now(UTC))


@dataclass(slots=True)
class Appender:
    """Appends batch after batch in one transaction each.

    It remembers where the chains ended. While nobody else writes, that is where they end, and a batch costs one round
    trip as it would without chains; else it is chained anew under the lock.
    """

    pool: Pool
    _tips: dict[str, Tip] = field(default_factory=dict, init=False)
    _ahead: timedelta = field(default=timedelta(0), init=False)

    async def append(self, rows: Sequence[AuditRow]) -> None:
        """Commit rows; those that are there by id are left alone. Raises Unhashable, `CatalogUnavailable`."""
        if await self._appended_at_once(rows):
            return
        async with self.pool.transaction() as connection:
            done = await append_rows(connection, rows)
        self._tips |= done.tips
        self._ahead = done.ahead

    async def _appended_at_once(self, rows: Sequence[AuditRow]) -> bool:
        products = {row.product for row in rows}
        if not products <= self._tips.keys():
            return False
        tips = {product: self._tips[product] for product in products}
        parameters = {"expected": _json(list(tips.values()))}
        entries = linked(rows, tips, datetime.now(UTC) + self._ahead)
        parameters |= {"entries": _json(entries), "tips": _json(list(tips.values()))}
        try:
            (answer,) = await self.pool.rows(_APPEND_AT_ONCE, parameters)
        except CatalogUnavailable as error:
            if (error.sqlstate or "")[:2] in _TRY_LOCKED:
                return False
            raise
        if answer["yes"]:
            self._tips |= tips
        return bool(answer["yes"])


def _fresh(rows: Sequence[AuditRow], known: set[uuid.UUID]) -> list[AuditRow]:
    """The rows that are not there yet, each id once."""
    first: dict[uuid.UUID, AuditRow] = {}
    for row in rows:
        if row.id not in known:
            first.setdefault(row.id, row)
    return list(first.values())


def _json(values: Sequence[object]) -> str:
    return orjson.dumps(values).decode()

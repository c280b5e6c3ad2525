# SPDX-License-Identifier: Apache-2.0
"""Rows of the chains out of the database, in the order of their chains, as the entries that were hashed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import TupleRow, dict_row

from dictamesh.runtime.audit.chain import FORMAT, Entry, Tip
from dictamesh.runtime.catalog.pool import Pool, database_errors

SNAPSHOT = b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0"
"""Makes a transaction see the log as it is at one instant, however long that takes; the first thing in it."""

_BATCH = 2000
# Times as text, made by the server: whatever somebody wrote into a row must be readable, if only to differ.
COLUMNS = b"""
SELECT product, day::text, sequence, encode(previous_hash, 'hex') AS previous_hash, encode(hash, 'hex') AS hash,
       id::text, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS occurred_at,
       to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS recorded_at, principal, purpose,
       operation, entity_type, fields, denied_fields, pii_access, success, error_code, subject_tokens, subject_count,
       occurrences, plan_hash, trace_id, duration_ms
  FROM dictamesh_audit_logs
"""
_RANGE = b"""
 WHERE (%(since)s::date IS NULL OR day >= %(since)s) AND (%(until)s::date IS NULL OR day <= %(until)s)
   AND (%(product)s::text IS NULL OR product = %(product)s)
"""
_IN_ORDER = COLUMNS + _RANGE + b"ORDER BY product, day, sequence, id"
_ANCHORS = b"""
SELECT DISTINCT ON (product) product, day::text, sequence,
       count(*) OVER (PARTITION BY product) AS rows, encode(hash, 'hex') AS hash
  FROM dictamesh_audit_logs
 WHERE day < %(since)s AND (%(product)s::text IS NULL OR product = %(product)s)
 ORDER BY product, day DESC, sequence DESC
"""
_TIPS = b"""
SELECT product, day::text, sequence, row_count AS rows, encode(hash, 'hex') AS hash
  FROM dictamesh_audit_chains
 WHERE sequence > 0 AND (%(product)s::text IS NULL OR product = %(product)s)
 ORDER BY product
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows: days from `since` through `until`, and one product or all."""

    since: date | None = None
    until: date | None = None
    product: str | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the span as statements take it."""
        return {"since": self.since, "until": self.until, "product": self.product}


ALL = Span()


async def read_entries(pool: Pool, span: Span = ALL) -> AsyncIterator[Entry]:
    """Yield entries by product, day and sequence; raises `CatalogUnavailable`."""
    with database_errors():
        async with pool.transaction() as connection:
            async for entry in entries_of(connection, span):
                yield entry


async def entries_of(connection: psycopg.AsyncConnection[TupleRow], span: Span = ALL) -> AsyncIterator[Entry]:
    """Yield entries within a transaction of the caller; raises what psycopg raises."""
    async with connection.cursor("dictamesh_audit_entries", row_factory=dict_row) as cursor:
        cursor.itersize = _BATCH
        await cursor.execute(_IN_ORDER, span.parameters())
        async for row in cursor:
            yield {"format": FORMAT, **row}


async def anchors_of(connection: psycopg.AsyncConnection[TupleRow], span: Span) -> dict[str, Tip]:
    """Return where each chain stood before the span began."""
    return {} if span.since is None else await _tips(connection, _ANCHORS, span)


async def tips_of(connection: psycopg.AsyncConnection[TupleRow], span: Span = ALL) -> dict[str, Tip]:
    """Return where the database says that each chain ends now."""
    return await _tips(connection, _TIPS, span)


async def _tips(connection: psycopg.AsyncConnection[TupleRow], statement: bytes, span: Span) -> dict[str, Tip]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, span.parameters())
        return {row["product"]: Tip(**row) for row in await cursor.fetchall()}

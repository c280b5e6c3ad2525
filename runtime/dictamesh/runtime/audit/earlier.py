# SPDX-License-Identifier: Apache-2.0
"""Rows that were recorded before there were chains: chained at the start, in the order in which they were recorded."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg.errors import InsufficientPrivilege
from psycopg.rows import dict_row

from dictamesh.runtime.audit.append import append_rows
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.governance.audit import AuditRow

UNKNOWN = "unknown"
"""The product of a row whose entity type nothing knows any more."""

_LOG = logging.getLogger("dictamesh.audit")
_BATCH = 1000
_THERE = b"SELECT to_regclass('dictamesh_audit_unchained') IS NOT NULL AS there"
_TYPES = b"SELECT DISTINCT entity_type FROM dictamesh_audit_unchained"
_ROWS = b"""
SELECT principal, entity_type, plan_hash, purpose, operation, fields, denied_fields, subject_tokens,
       subject_count, success, error_code, trace_id, duration_ms, occurrences, occurred_at, id
  FROM dictamesh_audit_unchained ORDER BY recorded_at, id
"""
_PRODUCTS = b"""
SELECT DISTINCT ON (entity_type) entity_type, product_id FROM dictamesh_entity_catalog
 WHERE entity_type = ANY(%(types)s) AND source_entity_id = '*'
 ORDER BY entity_type, (status = 'active') DESC, last_seen_at DESC
"""
_LISTS = ("fields", "denied_fields", "subject_tokens")


async def chain_earlier_rows(pool: Pool) -> int:
    """Chain what the table `dictamesh_audit_unchained` holds, in one transaction, and drop it; returns the rows read.

    A row that is chained already is left alone. Raises `CatalogUnavailable`.
    """
    if not (await pool.rows(_THERE))[0]["there"]:
        return 0
    types = [row["entity_type"] for row in await pool.rows(_TYPES)]
    products, count = await _products_of(pool, types), 0
    async with pool.transaction() as connection:
        await connection.execute(b"SET LOCAL statement_timeout = 0")
        async with connection.cursor("dictamesh_earlier", row_factory=dict_row) as cursor:
            await cursor.execute(_ROWS)
            while batch := await cursor.fetchmany(_BATCH):
                await append_rows(connection, [_row(each, products) for each in batch])
                count += len(batch)
        try:
            async with connection.transaction():
                await connection.execute(b"DROP TABLE dictamesh_audit_unchained")
        except InsufficientPrivilege:
            _LOG.warning("dictamesh_audit_unchained is chained and may be dropped by its owner")
    _LOG.info("audit rows from before the chains were chained", extra={"rows": count})
    return count


async def with_products(pool: Pool, rows: Iterable[AuditRow]) -> list[AuditRow]:
    """Name the product of rows that were recorded without one, as the catalog knows their entity type."""
    rows = list(rows)
    known = await _products_of(pool, sorted({row.entity_type for row in rows if not row.product}))
    return [row if row.product else replace(row, product=known.get(row.entity_type, UNKNOWN)) for row in rows]


async def _products_of(pool: Pool, types: Sequence[str]) -> dict[str, str]:
    if not types:
        return {}
    return {row["entity_type"]: row["product_id"] for row in await pool.rows(_PRODUCTS, {"types": types})}


def _row(stored: Mapping[str, Any], products: Mapping[str, str]) -> AuditRow:
    lists = {name: tuple(stored[name]) for name in _LISTS}
    return AuditRow(**{**stored, **lists, "product": products.get(stored["entity_type"], UNKNOWN)})

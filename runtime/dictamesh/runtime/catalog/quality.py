# SPDX-License-Identifier: Apache-2.0
"""Results of quality rules in the catalog: written after each check, read back as the newest of each rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from dictamesh.runtime.catalog.pool import Pool

_INSERT = b"""
INSERT INTO dictamesh_quality_results
    (mesh, product_id, product, product_version, entity_type, property, rule, metric, dimension, severity, outcome,
     checked_rows, failed_rows, measured, pass_rate, reason, plan_hash, checked_at, duration_ms)
SELECT mesh, product_id, product, product_version, entity_type, property, rule, metric, dimension, severity, outcome,
       checked_rows, failed_rows, measured, pass_rate, reason, plan_hash, checked_at, duration_ms
  FROM jsonb_to_recordset(%s::jsonb) AS r (mesh text, product_id text, product text, product_version text,
       entity_type text, property text, rule text, metric text, dimension text, severity text, outcome text,
       checked_rows bigint, failed_rows bigint, measured numeric, pass_rate double precision, reason text,
       plan_hash text, checked_at timestamptz, duration_ms double precision)
"""
_FORGET = b"""
DELETE FROM dictamesh_quality_results
 WHERE mesh = %s AND checked_at < now() - make_interval(secs => %s)
"""
# A look into the index for each rule, however long its history is.
_LATEST = b"""
SELECT k.product, k.entity_type, k.rule, r.outcome, r.pass_rate, r.checked_at
  FROM jsonb_to_recordset(%(keys)s::jsonb) AS k (product text, entity_type text, rule text)
 CROSS JOIN LATERAL (
       SELECT outcome, pass_rate, checked_at FROM dictamesh_quality_results
        WHERE mesh = %(mesh)s AND product = k.product AND entity_type = k.entity_type AND rule = k.rule
        ORDER BY checked_at DESC, id DESC LIMIT 1) AS r
"""


@dataclass(frozen=True, slots=True)
class RuleKey:
    """A rule within a mesh: product and entity by name."""

    product: str
    entity_type: str
    rule: str


@dataclass(frozen=True, slots=True)
class QualityRow:
    """One check of one rule. Numbers of rows only; `measured` is a decimal as text, times are in milliseconds."""

    mesh: str
    product_id: str
    product: str
    product_version: str
    entity_type: str
    property: str | None
    rule: str
    metric: str
    dimension: str | None
    severity: str
    outcome: str
    checked_rows: int | None
    failed_rows: int | None
    measured: str | None
    pass_rate: float | None
    reason: str | None
    plan_hash: str
    checked_at: datetime
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest check of a rule."""

    outcome: str
    pass_rate: float | None
    checked_at: datetime


async def record(pool: Pool, rows: Sequence[QualityRow]) -> None:
    """Write rows in one transaction; raises ``CatalogUnavailable``."""
    await pool.execute(_INSERT, (orjson.dumps(list(rows)).decode(),))


async def forget(pool: Pool, mesh: str, keep: float) -> int:
    """Remove what is older than ``keep`` seconds and return how many rows that were."""
    return await pool.execute(_FORGET, (mesh, keep))


async def latest(pool: Pool, mesh: str, keys: Sequence[RuleKey]) -> dict[RuleKey, Latest]:
    """Return the newest check of each rule that has been checked."""
    found = await pool.rows(_LATEST, {"mesh": mesh, "keys": orjson.dumps(list(keys)).decode()})
    return {
        RuleKey(row["product"], row["entity_type"], row["rule"]): Latest(
            row["outcome"], row["pass_rate"], row["checked_at"]
        )
        for row in found
    }

# SPDX-License-Identifier: Apache-2.0
"""Reading the audit log: who did what when, and in numbers (GV-6)."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from dictamesh.runtime.audit.chain import Entry
from dictamesh.runtime.audit.reading import COLUMNS
from dictamesh.runtime.catalog.errors import InvalidRequest
from dictamesh.runtime.catalog.pool import Pool

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 500
LARGEST_OFFSET = 1_000_000
_WHERE = b"""
 WHERE (%(principal)s::text IS NULL OR principal = %(principal)s)
   AND (%(anonymous)s::boolean IS NULL OR (principal IS NULL) = %(anonymous)s)
   AND (%(operation)s::text IS NULL OR operation = %(operation)s)
   AND (%(product)s::text IS NULL OR product = %(product)s)
   AND (%(entity_type)s::text IS NULL OR entity_type = %(entity_type)s)
   AND (%(success)s::boolean IS NULL OR success = %(success)s)
   AND (%(pii_access)s::boolean IS NULL OR pii_access = %(pii_access)s)
   AND (%(trace_id)s::text IS NULL OR trace_id = %(trace_id)s)
   AND (%(subject_token)s::text IS NULL OR subject_tokens @> ARRAY[%(subject_token)s::text])
   AND (%(since)s::timestamptz IS NULL OR occurred_at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR occurred_at < %(until)s)
"""
_PAGE = COLUMNS + _WHERE + b" ORDER BY dictamesh_audit_logs.occurred_at DESC, id LIMIT %(limit)s OFFSET %(offset)s"
_COUNT = b"SELECT count(*) AS total FROM dictamesh_audit_logs" + _WHERE
_STATS = (
    b"""
SELECT count(*) AS rows, coalesce(sum(occurrences), 0)::bigint AS total,
       count(DISTINCT principal) AS unique_principals,
       coalesce(sum(occurrences) FILTER (WHERE NOT success), 0)::bigint AS failures,
       coalesce(sum(occurrences) FILTER (WHERE cardinality(denied_fields) > 0), 0)::bigint AS denials,
       coalesce(sum(occurrences) FILTER (WHERE pii_access), 0)::bigint AS pii_reads,
       avg(duration_ms) AS avg_duration_ms, max(duration_ms) AS max_duration_ms,
       min(occurred_at) AS first_at, max(occurred_at) AS last_at
  FROM dictamesh_audit_logs
"""
    + _WHERE
)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Keys that are None do not filter; `since` is included, `until` is not. A caller is a name or anonymous."""

    principal: str | None = None
    anonymous: bool | None = None
    operation: str | None = None
    product: str | None = None
    entity_type: str | None = None
    success: bool | None = None
    pii_access: bool | None = None
    trace_id: str | None = None
    subject_token: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Rows from the newest on; `total` counts all rows of the filter."""

    items: list[Entry]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class AuditStats:
    """Numbers over the rows of a filter: `total` operations in `rows` rows, as denials of anonymous are summed."""

    rows: int
    total: int
    unique_principals: int
    failures: int
    denials: int
    pii_reads: int
    avg_duration_ms: float | None
    max_duration_ms: float | None
    first_at: datetime | None
    last_at: datetime | None


NO_FILTER = AuditFilter()


async def list_rows(
    pool: Pool, filters: AuditFilter = NO_FILTER, limit: int = DEFAULT_LIMIT, offset: int = 0
) -> AuditPage:
    """A page of the log, newest first.

    Raises ``InvalidRequest`` for a limit outside 1-500 or an offset outside 0-1,000,000, ``CatalogUnavailable``.
    """
    if not 1 <= limit <= LARGEST_LIMIT:
        raise InvalidRequest(f"limit must be between 1 and {LARGEST_LIMIT}")
    if not 0 <= offset <= LARGEST_OFFSET:
        raise InvalidRequest(f"offset must be between 0 and {LARGEST_OFFSET}")
    wanted: dict[str, Any] = {**asdict(filters), "limit": limit, "offset": offset}
    items: list[Entry] = [*await pool.rows(_PAGE, wanted)]
    return AuditPage(items, (await pool.rows(_COUNT, wanted))[0]["total"], limit, offset)


async def statistics(pool: Pool, filters: AuditFilter = NO_FILTER) -> AuditStats:
    """Numbers over the log; raises ``CatalogUnavailable``."""
    return AuditStats(**(await pool.rows(_STATS, asdict(filters)))[0])

# SPDX-License-Identifier: Apache-2.0
"""How long events stay: by topic, as the retention role; compacted topics keep the latest event of each key."""

from dataclasses import dataclass
from datetime import datetime

from dictamesh.runtime.catalog.pool import Pool

_BATCH = 5000
_ALLOWED = b"SET LOCAL dictamesh.retention = 'on'"
_OLD = b"""
  FROM dictamesh_event_log l
 WHERE l.topic = %(topic)s AND l.ingested_at < %(before)s
   AND (NOT %(compact)s OR EXISTS (SELECT FROM dictamesh_event_log n
        WHERE n.topic = l.topic AND n.partition = l.partition AND n."offset" > l."offset"
          AND n.entity_type = l.entity_type AND n.entity_id = l.entity_id))
"""
_COUNT = b"SELECT count(*) AS n" + _OLD
_DELETE = b"DELETE FROM dictamesh_event_log WHERE id IN (SELECT l.id" + _OLD + b" LIMIT %(batch)s)"


@dataclass(frozen=True, slots=True)
class TopicAge:
    """Events of `topic` that entered the log before `before` may go; with `compact` the latest of each key stays."""

    topic: str
    before: datetime
    compact: bool = False


async def count_old(pool: Pool, age: TopicAge) -> int:
    """Count the events that `delete_old` would delete; raises `CatalogUnavailable`."""
    found = await pool.rows(_COUNT, _parameters(age))
    return int(found[0]["n"])


async def delete_old(pool: Pool, age: TopicAge) -> int:
    """Delete them in transactions of 5,000, and return how many there were; offsets are never given again.

    Raises `CatalogUnavailable`, with SQLSTATE 42501 where the database has a role `dictamesh_retention` and the
    catalog's user is no member of it.
    """
    deleted = 0
    while True:
        async with pool.transaction() as connection:
            await connection.execute(_ALLOWED)
            cursor = await connection.execute(_DELETE, {**_parameters(age), "batch": _BATCH})
        deleted += cursor.rowcount
        if cursor.rowcount < _BATCH:
            return deleted


def _parameters(age: TopicAge) -> dict[str, object]:
    return {"topic": age.topic, "before": age.before, "compact": age.compact}

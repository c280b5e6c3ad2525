# SPDX-License-Identifier: Apache-2.0
"""How the catalog's database is doing (MC-19)."""

from dictamesh.connectors.sdk import Health, Status
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool

MOST_LAG = 5.0  # seconds

# SQLSTATE classes under which nothing can be asked: connection, authorization, no such database, resources, shut down.
_UNREACHABLE = ("08", "28", "3D", "53", "57")
# On a standby its own lag, nothing where it has replayed all that it got; on a primary that of its slowest standby.
_LAG = b"""
SELECT coalesce(CASE WHEN NOT pg_is_in_recovery()
                     THEN (SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication)
                     WHEN pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
                     THEN extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END, 0)::float8 AS lag
"""


async def probe(pool: Pool) -> Health:
    """Ask the database one question.

    Unhealthy: it cannot be reached. Degraded: it answers with an error, no connection is idle or may be opened, or a
    replica is more than five seconds behind.
    """
    if pool.exhausted:
        return Health(Status.DEGRADED, "no connection is idle")
    try:
        lag = (await pool.rows(_LAG))[0]["lag"]
    except CatalogUnavailable as error:
        lost = error.sqlstate is None or error.sqlstate[:2] in _UNREACHABLE
        return Health(Status.UNHEALTHY if lost else Status.DEGRADED, error.message)
    return Health(Status.DEGRADED, "a replica is behind") if lag > MOST_LAG else Health(Status.HEALTHY)

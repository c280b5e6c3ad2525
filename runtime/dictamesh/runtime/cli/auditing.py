# SPDX-License-Identifier: Apache-2.0
"""The database of a command without a server, and where the command records what it reads (S31)."""

from contextlib import AsyncExitStack
from pathlib import Path

from dictamesh.runtime.audit.file import FILE_NAME, JsonlAudit
from dictamesh.runtime.audit.log import open_audit
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.ownership import running_owner
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.audit import AuditSink
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver


async def catalog_pool(plan: Plan, data_dir: Path, resolver: Resolver, stack: AsyncExitStack) -> Pool | None:
    """Return connections to `catalog.dsn`, or to the database of a running owner; None where there is neither."""
    dsn = plan.mesh.catalog.dsn
    found = resolver.text(dsn, "catalog.dsn") if dsn is not None else running_owner(data_dir)
    if found is None:
        return None
    try:
        pool = await open_pool(found, PoolSettings(max_size=2, idle=1))
    except CatalogUnavailable:
        return None
    stack.push_async_callback(pool.close)
    return pool


async def audit_sink(pool: Pool | None, data_dir: Path, stack: AsyncExitStack) -> AuditSink:
    """Return the log in the database, else the file that the next start imports."""
    if pool is not None:
        log = open_audit(pool)
        stack.push_async_callback(log.close)
        return log
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartFailed(
            f"the data folder {data_dir} cannot be made ({error.strerror})", "choose another with --data-dir"
        ) from None
    return JsonlAudit(data_dir / FILE_NAME)

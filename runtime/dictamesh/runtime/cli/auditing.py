# SPDX-License-Identifier: Apache-2.0
"""Where a command without a server records what it reads (S31)."""

from contextlib import AsyncExitStack
from pathlib import Path

from dictamesh.runtime.audit.file import FILE_NAME, JsonlAudit
from dictamesh.runtime.audit.log import open_audit
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.ownership import running_owner
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.audit import AuditSink
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver


async def audit_sink(plan: Plan, data_dir: Path, resolver: Resolver, stack: AsyncExitStack) -> AuditSink:
    """Return the log of `catalog.dsn` or of a running owner, else the file that the next start imports."""
    dsn = plan.mesh.catalog.dsn
    found = resolver.text(dsn, "catalog.dsn") if dsn is not None else running_owner(data_dir)
    if found is not None:
        try:
            pool = await open_pool(found, PoolSettings(max_size=1, idle=1))
            stack.push_async_callback(pool.close)
            log = open_audit(pool)
            stack.push_async_callback(log.close)
            return log
        except CatalogUnavailable:
            pass
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartFailed(
            f"the data folder {data_dir} cannot be made ({error.strerror})", "choose another with --data-dir"
        ) from None
    return JsonlAudit(data_dir / FILE_NAME)

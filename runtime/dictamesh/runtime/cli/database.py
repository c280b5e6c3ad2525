# SPDX-License-Identifier: Apache-2.0
"""The catalog as commands reach it: that of `catalog.dsn`, of the mesh that runs, or of one that is at rest."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import uvloop

from dictamesh.runtime.catalog import cluster
from dictamesh.runtime.catalog.errors import CatalogUnavailable, DataFolderBusy
from dictamesh.runtime.catalog.layout import POINTER_NAME
from dictamesh.runtime.catalog.migrate import status
from dictamesh.runtime.catalog.ownership import running_owner
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.observe.logs import configure

T = TypeVar("T")
_PATIENCE = 15.0  # seconds for a mesh that is just starting or stopping
_SETTINGS = PoolSettings(max_size=3, idle=1)


def with_catalog(
    command: str, plan: Plan, data_dir: Path, resolver: Resolver, work: Callable[[Pool], Awaitable[T]]
) -> T:
    """Run `work` on the catalog; raises StartFailed where there is none or it cannot be reached (exit code 3)."""

    async def run() -> T:
        async with catalog_of(plan, data_dir, resolver) as pool:
            return await work(pool)

    undo = configure(service=f"dictamesh/{command}", level="warning", layout="text")
    try:
        return uvloop.run(run())
    except CatalogUnavailable as error:
        raise StartFailed(error.message, error.cure) from None
    finally:
        undo()


@contextlib.asynccontextmanager
async def catalog_of(plan: Plan, data_dir: Path, resolver: Resolver) -> AsyncIterator[Pool]:
    """A pool on the catalog of a plan, embedded ones started for the block where no mesh serves them.

    Raises `CatalogUnavailable`, also for one that an older release made.
    """
    async with contextlib.AsyncExitStack() as stack:
        if plan.mesh.catalog.dsn is not None:
            dsn = resolver.text(plan.mesh.catalog.dsn, "catalog.dsn")
        else:
            dsn = await _embedded(data_dir, stack)
        pool = await open_pool(dsn, _SETTINGS)
        stack.push_async_callback(pool.close)
        if (await status(pool)).pending:
            raise CatalogUnavailable(
                "the catalog was made by an older release", "start the mesh, or run 'dictamesh-runtime migrate up'"
            )
        yield pool


async def _embedded(data_dir: Path, stack: contextlib.AsyncExitStack) -> str:
    if not (data_dir / "postgres").exists() and not (data_dir / POINTER_NAME).exists():
        raise CatalogUnavailable(f"there is no catalog in {data_dir}", "start the mesh once, or name its --data-dir")
    deadline = time.monotonic() + _PATIENCE
    while True:
        owner = running_owner(data_dir)
        if owner is not None:
            return owner
        try:
            return (await stack.enter_async_context(await cluster.start(data_dir))).dsn
        except DataFolderBusy:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.3)

# SPDX-License-Identifier: Apache-2.0
"""`migrate up | down | status`: the catalog's tables."""

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from dictamesh.runtime.catalog import cluster
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.migrate import down, status, up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.cli.common import config_of, plan_of
from dictamesh.runtime.cli.exits import FINDINGS, FINE
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.observe.logs import configure


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=["up", "down", "status"], help="up: all; down: the last one; status: show")
    parser.add_argument("--data-dir", help="folder of the embedded PostgreSQL (default: ./.dictamesh)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Migrate the catalog of `catalog.dsn`, or the embedded one while no runtime owns it."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    resolver = Resolver(config_of(options).absolute().parent)
    undo = configure(service="dictamesh/migrate", level="error", layout="text")
    try:
        return uvloop.run(_run(plan, data_dir_of(plan, options.data_dir), resolver, VERBS[options.verb]))
    except CatalogUnavailable as error:
        raise StartFailed(error.message, error.cure) from None
    finally:
        undo()


async def _run(plan: Plan, data_dir: Path, resolver: Resolver, verb: Callable[[Pool], Awaitable[int]]) -> int:
    if plan.mesh.catalog.dsn is not None:
        return await _on(resolver.text(plan.mesh.catalog.dsn, "catalog.dsn"), verb)
    async with await cluster.start(data_dir) as embedded:
        return await _on(embedded.dsn, verb)


async def _on(dsn: str, verb: Callable[[Pool], Awaitable[int]]) -> int:
    pool = await open_pool(dsn, PoolSettings(max_size=1, idle=1))
    try:
        return await verb(pool)
    finally:
        await pool.close()


async def _up(pool: Pool) -> int:
    done = await up(pool)
    for migration in done:
        print(f"up    {migration.version:04} {migration.name}")
    print("nothing to do" if not done else f"{len(done)} applied")
    return FINE


async def _down(pool: Pool) -> int:
    undone = await down(pool)
    print("nothing to undo" if undone is None else f"down  {undone.version:04} {undone.name}")
    return FINE


async def _status(pool: Pool) -> int:
    found = await status(pool)
    for applied in found.applied:
        print(f"applied  {applied.version:04} {applied.name}")
    for pending in found.pending:
        print(f"pending  {pending.version:04} {pending.name}")
    return FINE


VERBS = {"up": _up, "down": _down, "status": _status}

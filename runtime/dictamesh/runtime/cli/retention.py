# SPDX-License-Identifier: Apache-2.0
"""`retention run [--dry-run]`: what is older than its contract allows leaves the catalog and the event log (GV-7)."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

from dictamesh.runtime.catalog.lease import leased
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.cli.common import add_format, config_of, plan_of, print_json
from dictamesh.runtime.cli.database import with_catalog
from dictamesh.runtime.cli.exits import FINDINGS, FINE
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.lifecycle.aged import aged_tables
from dictamesh.runtime.lifecycle.retention import Retained, retain
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=["run"], help="run: once, now")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    parser.add_argument("--data-dir", help="folder of the embedded PostgreSQL (default: ./.dictamesh)")
    add_format(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what went, or would go."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan

    async def work(pool: Pool) -> Retained:
        async with leased(pool, f"retention of {plan.name}") as mine:
            if not mine and not options.dry_run:
                raise StartFailed("another process is at it", "wait until it is done")
            return await retain(pool, plan, datetime.now(UTC), aged_tables(plan), dry_run=options.dry_run)

    resolver = Resolver(config_of(options).absolute().parent)
    done = with_catalog("retention", plan, data_dir_of(plan, options.data_dir), resolver, work)
    if options.format == "json":
        print_json(done.as_json())
    else:
        print("\n".join(_told(done)))
    return FINE


def _told(done: Retained) -> Iterator[str]:
    verb = "would go" if done.dry_run else "went"
    for each in done.records:
        yield f"{each.product}#{each.entity}: {each.expired} records {verb} (kept {each.days:g} days)"
    for topic, count in done.events:
        yield f"{topic}: {count} events {verb}"
    for table, count in done.rows:
        yield f"{table}: {count} rows {verb}"

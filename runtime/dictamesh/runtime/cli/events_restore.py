# SPDX-License-Identifier: Apache-2.0
"""`events restore`: an empty log is filled from the topics of Kafka, after the catalog's database was lost (DR-5)."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from dictamesh.runtime.bus.restore import Occupied, Restored, restore
from dictamesh.runtime.bus.settings import connection
from dictamesh.runtime.bus.topics import wanted_topics
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.cli.common import config_of, plan_of, print_json
from dictamesh.runtime.cli.database import with_catalog
from dictamesh.runtime.cli.events_bus import bus_of
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver


def run_restore(options: argparse.Namespace) -> int:
    """Print what became of each topic; 1 where some messages are no events, or the specs have errors."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    kafka = plan.mesh.events.kafka
    if kafka is None:
        raise UsageError("the mesh has no 'events.kafka'; its bus is the log")
    resolver = Resolver(config_of(options).absolute().parent)

    async def work(pool: Pool) -> list[Restored]:
        return await _restore(pool, plan, connection(kafka, resolver.text, resolver.folder), resolver)

    done = with_catalog("events", plan, data_dir_of(plan, options.data_dir), resolver, work)
    if options.format == "json":
        print_json([_as_json(each) for each in done])
    else:
        print("\n".join(_told(done)))
    return FINDINGS if any(each.refused for each in done) else FINE


async def _restore(pool: Pool, plan: Plan, settings: Mapping[str, Any], resolver: Resolver) -> list[Restored]:
    try:
        async with bus_of(plan, resolver) as registry:
            return await restore(pool, plan.name, settings, wanted_topics(plan), registry)
    except Occupied as error:
        cure = "restore into an empty catalog: 'migrate up' makes one, and the mesh starts afterwards"
        raise StartFailed(str(error), cure) from None


def _as_json(each: Restored) -> dict[str, object]:
    return {
        "topic": each.topic,
        "events": each.events,
        "known": each.known,
        "tombstones": each.tombstones,
        "others": each.others,
        "refused": each.refused,
        "unreadable": list(each.unreadable),
    }


def _told(done: Sequence[Restored]) -> list[str]:
    lines = [f"{each.topic}: {each.events} events" for each in done if each.events]
    for each in done:
        places = ", ".join(each.unreadable[:5])
        lines += [f"{each.topic}: {each.refused} messages are no events of it ({places})"] if each.refused else []
    known = sum(each.known for each in done)
    there = f", {known} were there already" if known else ""
    return [*lines, f"{sum(each.events for each in done)} events are in the log{there}; now start the mesh"]

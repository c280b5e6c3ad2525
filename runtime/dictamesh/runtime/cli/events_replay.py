# SPDX-License-Identifier: Apache-2.0
"""`events replay`: a group of consumers or the relay goes back, or a part of the log is published again (EV-17)."""

import argparse
import asyncio
from typing import Any

from dictamesh.runtime.bus.offsets import set_back
from dictamesh.runtime.bus.replay import Chosen, rows, stretches
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.cli.common import config_of, entities_of, plan_of, print_json, products_of, quoted
from dictamesh.runtime.cli.database import with_catalog
from dictamesh.runtime.cli.events_asked import beginning, topic_of
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.consumers.catalog import GROUP
from dictamesh.runtime.consumers.hooks import PREFIX
from dictamesh.runtime.events.positions import reset
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.replaying import publish_again
from dictamesh.specs.suggest import suggest


def replay_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--product", help="all topics of a product")
    what.add_argument("--topic", help="one topic")
    what.add_argument("--entity", help="one record of a type or product#Entity, with --id")
    parser.add_argument("--id", help="the record's key, as topics bear it")
    parser.add_argument("--from", dest="begin", metavar="FROM", required=True, help="beginning, OFFSET or TIME")
    parser.add_argument("--to", dest="end", metavar="TO", help="OFFSET or TIME before which the last event lies")
    parser.add_argument("--group", help="the group of consumers that goes back (default: the relay to Kafka)")
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be read again")


def run_replay(options: argparse.Namespace) -> int:
    """Print from where is read again; 1 where the specs have errors."""
    begin = beginning(options.begin, "--from")
    end = beginning(options.end, "--to") if options.end is not None else None
    if (options.entity is None) != (options.id is None):
        raise UsageError("--entity and --id go together")
    if options.group is not None and end is not None:
        raise UsageError("a group reads on from where it is set to; --to is for what is published again")
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    _check_group(plan, options.group)
    entity = entities_of(plan, options.entity)[0] if options.entity is not None else None
    chosen = Chosen(_topics(plan, options), begin, end, entity.name if entity else None, options.id)
    resolver = Resolver(config_of(options).absolute().parent)

    async def work(pool: Pool) -> dict[str, Any]:
        return await _replay(pool, plan, chosen, options, resolver)

    done = with_catalog("events", plan, data_dir_of(plan, options.data_dir), resolver, work)
    if options.format == "json":
        print_json(done)
    else:
        print("\n".join(_told(done)))
    return FINE


def _check_group(plan: Plan, name: str | None) -> None:
    """Nobody reads on where a group stands that no consumer has; raises UsageError."""
    groups = [GROUP, *(f"{PREFIX}{hook}" for hook in plan.mesh.events.hooks)]
    if name is not None and name not in groups:
        near = suggest(name, groups)
        hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(groups)}"
        raise UsageError(f"there is no group {quoted(name)}; {hint}")


async def _replay(
    pool: Pool, plan: Plan, chosen: Chosen, options: argparse.Namespace, resolver: Resolver
) -> dict[str, Any]:
    found = await stretches(pool, chosen)
    positions = [
        {"topic": topic, "partition": number, "from": each.begin, "to": each.end}
        for (topic, number), each in sorted(found.items())
    ]
    part = options.group is None and (chosen.end is not None or chosen.id is not None)
    who = f"group {options.group}" if options.group is not None else "kafka" if part else "relay"
    done: dict[str, Any] = {"replay": who, "dryRun": options.dry_run, "positions": positions}
    if options.group is None and plan.mesh.events.kafka is None:
        raise StartFailed("the mesh publishes nowhere", "declare 'events.kafka', or name a --group of the log")
    if part:
        if options.dry_run:
            pages = rows(pool, chosen, found)
            done["events"] = await asyncio.to_thread(lambda: sum(map(len, pages)))
            return done
        sent = await publish_again(plan, resolver, rows(pool, chosen, found))
        return {**done, "events": sum(sent.values()), **sent}
    done["events"] = sum(each.end - each.begin for each in found.values())
    if not options.dry_run and found:
        to = {place: each.begin for place, each in found.items()}
        async with pool.transaction() as connection:
            if options.group is not None:
                await reset(connection, options.group, to)
            else:
                await set_back(connection, plan.name, to)
    return done


def _topics(plan: Plan, options: argparse.Namespace) -> tuple[str, ...]:
    if options.topic is not None:
        return (topic_of(plan, options.topic).name,)
    if options.product is not None:
        (name,) = products_of(plan, [options.product])
        return tuple(plan.entities[address].topic.name for address in plan.products[name].entities)
    return tuple(each.topic.name for each in entities_of(plan, options.entity))


def _told(done: dict[str, Any]) -> list[str]:
    lines = [f"{each['topic']}/{each['partition']}: from {each['from']}" for each in done["positions"]]
    if done["replay"] == "kafka":
        return [*lines, f"{done['events']} events {'would be' if done['dryRun'] else 'were'} sent again"]
    verb, when = ("would be", "") if done["dryRun"] else ("is", "; a mesh that runs follows within seconds")
    return [*lines, f"{done['events']} events: {done['replay']} {verb} set back to read them again{when}"]

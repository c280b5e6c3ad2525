# SPDX-License-Identifier: Apache-2.0
"""`events tail|replay|restore|topics`: what stands in topics, reading it again, the topics themselves."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import uvloop

from dictamesh.runtime.bus.settings import connection
from dictamesh.runtime.bus.tail import Beginning, KafkaTail, Shown, from_log, limited
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.cli.common import add_format, config_of, escaped, plan_of, visible
from dictamesh.runtime.cli.database import with_catalog
from dictamesh.runtime.cli.events_asked import beginning, topic_of
from dictamesh.runtime.cli.events_bus import bus_of
from dictamesh.runtime.cli.events_replay import replay_arguments, run_replay
from dictamesh.runtime.cli.events_restore import run_restore
from dictamesh.runtime.cli.events_topics import run_topics
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.references import Resolver

DATA_DIR = "folder of the embedded PostgreSQL (default: ./.dictamesh)"


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    tail = _verb(verbs, "tail", "print the events of a topic, one a line", run_tail)
    tail.add_argument("--topic", required=True, help="the topic")
    tail.add_argument("--from", dest="begin", metavar="FROM", default="beginning", help="beginning, OFFSET or TIME")
    tail.add_argument("--limit", type=int, metavar="N", help="print N at most")
    tail.add_argument("--follow", action="store_true", help="wait for more")
    tail.add_argument("--bus", choices=["log", "kafka"], help="where to read (default: kafka where the mesh has one)")
    replay = _verb(verbs, "replay", "set a group of consumers or the relay back", run_replay)
    replay_arguments(replay)
    _verb(verbs, "restore", "fill an empty log from the topics of Kafka", run_restore)
    topics = _verb(verbs, "topics", "compare the topics of Kafka with the plan", run_topics)
    topics.add_argument("--apply", action="store_true", help="make those that are missing, change what can be changed")


def _verb(verbs: Any, name: str, said: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=said, description=f"{said[0].upper()}{said[1:]}.")
    verb.set_defaults(run=run)
    verb.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the mesh file")
    verb.add_argument("--data-dir", help=DATA_DIR)
    add_format(verb)
    return verb


def run_tail(options: argparse.Namespace) -> int:
    """Print events; 1 where the specs have errors."""
    begin = beginning(options.begin, "--from")
    if options.limit is not None and options.limit < 0:
        raise UsageError("--limit is a number from 0 on")
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    topic = topic_of(plan, options.topic)
    bus = options.bus or ("kafka" if plan.mesh.events.kafka is not None else "log")
    resolver = Resolver(config_of(options).absolute().parent)
    tell = _json if options.format == "json" else _line
    if bus == "log":

        async def work(pool: Pool) -> int:
            return await limited(from_log(pool, topic.name, begin, follow=options.follow), options.limit, tell)

        with_catalog("events", plan, data_dir_of(plan, options.data_dir), resolver, work)
        return FINE
    uvloop.run(_tail_kafka(plan, resolver, topic, begin, options, tell))
    return FINE


async def _tail_kafka(
    plan: Plan,
    resolver: Resolver,
    topic: Wanted,
    begin: Beginning,
    options: argparse.Namespace,
    tell: Callable[[Shown], None],
) -> None:
    kafka = plan.mesh.events.kafka
    if kafka is None:
        raise UsageError("the mesh has no 'events.kafka'; its bus is the log")
    async with bus_of(plan, resolver) as registry:
        reader = KafkaTail(connection(kafka, resolver.text, resolver.folder), topic, registry)
        await limited(reader.read(begin, follow=options.follow), options.limit, tell)


def _json(event: Mapping[str, Any]) -> None:
    sys.stdout.write(escaped(orjson.dumps(event, default=str).decode()) + "\n")
    sys.stdout.flush()


def _line(event: Mapping[str, Any]) -> None:
    print(visible(f"{event['partition']}/{event['offset']}".rjust(12) + f"  {_told(event)}".rstrip()))


def _told(event: Mapping[str, Any]) -> str:
    if "event_type" not in event:
        return f"TOMBSTONE {event['key']}" if event.get("tombstone") else str(event.get("error"))
    entity = event["entity"]
    changed = ", ".join(event["changed_fields"])
    return f"{event['event_type']:<8} {entity['type']} {entity['id']} v{entity['version']}  {changed}"

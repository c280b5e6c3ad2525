# SPDX-License-Identifier: Apache-2.0
"""`events topics [--apply]`: in what the topics of Kafka differ from the plan; changed on request alone (EV-19)."""

import argparse
from typing import Any

import uvloop

from dictamesh.runtime.bus.admin import Admin
from dictamesh.runtime.bus.refusals import BusUnavailable
from dictamesh.runtime.bus.settings import connection
from dictamesh.runtime.bus.topics import compare, create, cure, wanted_topics
from dictamesh.runtime.cli.common import config_of, plan_of, print_json
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver


def run_topics(options: argparse.Namespace) -> int:
    """Print drift; 1 where some is left or cannot be seen, or the specs have errors."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    try:
        done = uvloop.run(_compared(plan, Resolver(config_of(options).absolute().parent), apply=options.apply))
    except BusUnavailable as error:
        raise StartFailed(str(error), error.cure) from None
    if options.format == "json":
        print_json(done)
    else:
        print("\n".join(_told(done)))
    return FINDINGS if done["missing"] or done["drift"] or done["hidden"] else FINE


async def _compared(plan: Plan, resolver: Resolver, *, apply: bool) -> dict[str, Any]:
    kafka = plan.mesh.events.kafka
    if kafka is None:
        raise UsageError("the mesh has no 'events.kafka'; its bus is the log")
    admin, topics = Admin(connection(kafka, resolver.text, resolver.folder)), wanted_topics(plan)
    found = await compare(admin, topics)
    made = await create(admin, found.missing) if apply else []
    cured = await cure(admin, found.drift) if apply else []
    left = [each for each in found.drift if each not in cured]
    return {
        "topics": sorted(topics),
        "missing": sorted(each.name for each in found.missing if each.name not in made),
        "drift": [
            {
                "topic": each.topic,
                "setting": each.setting,
                "wanted": each.wanted,
                "found": each.found,
                "curable": each.curable,
            }
            for each in left
        ],
        "hidden": sorted(found.hidden),
        "created": sorted(made),
        "changed": [{"topic": each.topic, "setting": each.setting, "to": each.wanted} for each in cured],
    }


def _told(done: dict[str, Any]) -> list[str]:
    lines = [f"{name}: made" for name in done["created"]]
    lines += [f"{each['topic']}: {each['setting']} is {each['to']} now" for each in done["changed"]]
    lines += [f"{name}: is not there" for name in done["missing"]]
    for each in done["drift"]:
        hint = "" if each["curable"] else "; this cannot be changed in place"
        lines.append(f"{each['topic']}: {each['setting']} is {each['found']}, the plan says {each['wanted']}{hint}")
    lines += [f"{name}: its settings may not be seen (ACL DescribeConfigs)" for name in done["hidden"]]
    return lines or [f"{len(done['topics'])} topics are as the plan says"]

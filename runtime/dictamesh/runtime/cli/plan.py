# SPDX-License-Identifier: Apache-2.0
"""`plan`: what the specs come to, without touching anything."""

import argparse
from collections.abc import Iterator

from dictamesh.runtime.cli.common import add_format, plan_of, print_json
from dictamesh.runtime.cli.exits import FINDINGS, FINE
from dictamesh.runtime.compile.artefacts import artefacts
from dictamesh.runtime.compile.captured import counted
from dictamesh.runtime.compile.plan import EntityPlan, Plan


def arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the plan; 1 where the specs have errors."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    if options.format == "json":
        print_json(artefacts(plan))
    else:
        print("\n".join(_lines(plan)))
    return FINE


def _lines(plan: Plan) -> Iterator[str]:
    yield f"mesh {plan.name}, plan {plan.hash[:12]}"
    for product in plan.products.values():
        yield ""
        yield f"product {product.name} {product.version} ({product.status}), owner {product.owner or 'nobody'}"
        if not product.served:
            yield "  a contract without a source: nothing of it is served"
        if names := plan.regimes.get(product.name):
            yield f"  regimes  {', '.join(names)}"
        for address in product.entities:
            yield from _entity(plan.entities[address])
    if plan.notes:
        yield ""
        yield from (f"note: {note}" for note in plan.notes)


def _entity(entity: EntityPlan) -> Iterator[str]:
    yield f"  {entity.name}  {entity.source.physical_name} on {entity.server} ({entity.connector})"
    yield f"    graphql  {entity.singular}, {entity.plural}, {entity.plural}Count"
    topic = entity.topic
    days = topic.retention / 86_400
    yield f"    topic    {topic.name} ({topic.partitions} partitions, {days:g} days, {topic.compression})"
    ways = ", ".join(map(str, counted(entity)))
    if ways:
        yield f"    changes  {ways}"
    if entity.quality:
        idle = sum(rule.reason is not None for rule in entity.quality)
        yield f"    quality  {len(entity.quality)} rules" + (f", {idle} of them not run" if idle else "")
    for field in entity.fields:
        marks = " ".join([field.tier, *field.tags])
        origin = (
            field.column if field.column is not None else "computed in the " + ("mesh" if field.pushed else "source")
        )
        yield f"    {field.name:<16} {field.graphql:<12} {marks:<36} {origin}"
    for link in entity.links:
        yield f"    {link.name:<16} {'[' + link.target + ']' if link.many else link.target}"

# SPDX-License-Identifier: Apache-2.0
"""`contract-test PRODUCT [--live]`: a product held against its contract."""

import argparse
from collections.abc import Iterable
from pathlib import Path

import uvloop

from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.contracts import Check, Verdict, hold
from dictamesh.runtime.cli.common import add_format, config_of, plan_of, print_json, products_of
from dictamesh.runtime.cli.exits import FINDINGS, FINE
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.lines import close_lines, lines_of, open_lines
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.observe.logs import configure
from dictamesh.runtime.resilience import Listeners


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("product", help="the name of a product")
    parser.add_argument("--live", action="store_true", help="ask the sources, too")
    add_format(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print each check; 1 where one fails."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    products_of(plan, [options.product])
    found = _declared(plan, options.product)
    if options.live:
        undo = configure(service="dictamesh/contract-test", level="error", layout="text")
        try:
            found += uvloop.run(_live(plan, options.product, config_of(options).absolute().parent))
        finally:
            undo()
    _print(found, options.format)
    return FINDINGS if any(each.verdict is Verdict.FAILED for each in found) else FINE


def _declared(plan: Plan, product: str) -> list[Check]:
    """What the specs alone can tell: that a reader finds owner, service levels, lineage and a classified field."""
    about = plan.products[product]
    checks = [
        ("owner", bool(about.owner), f"owned by {about.owner}" if about.owner else "nobody owns it: add 'team'"),
        ("service levels", bool(about.sla), "availability, freshness, response time"),
        ("lineage", bool(about.lineage), f"{len(about.lineage)} sources"),
    ]
    if not about.served:
        told = "a contract without a source: there is nothing to read"
        return [*_judged(product, checks[:1]), Check(product, "source", Verdict.SKIPPED, told)]
    found = _judged(product, checks)
    for address in about.entities:
        entity = plan.entities[address]
        required = sum(field.required for field in entity.fields)
        told = (
            f"{len(entity.fields)} fields, {required} required, key {', '.join(entity.key)}, topic {entity.topic.name}"
        )
        found.append(Check(entity.name, "schema", Verdict.PASSED, told))
    return found


def _judged(product: str, checks: Iterable[tuple[str, bool, str]]) -> list[Check]:
    return [Check(product, name, _verdict(fine=fine), told) for name, fine, told in checks]


def _verdict(*, fine: bool) -> Verdict:
    return Verdict.PASSED if fine else Verdict.FAILED


async def _live(plan: Plan, product: str, folder: Path) -> list[Check]:
    lines = await open_lines(plan, Resolver(folder), Listeners())
    try:
        return await hold(Adapters(plan, lines_of(lines)), product)
    finally:
        await close_lines(lines.values())


def _print(found: list[Check], layout: str) -> None:
    if layout == "json":
        print_json(
            [
                {"entity": each.entity, "check": each.name, "verdict": each.verdict.value, "told": each.told}
                for each in found
            ]
        )
        return
    for each in found:
        print(f"{each.verdict.value:<8} {each.entity} {each.name}: {each.told}")
    counts = {verdict: sum(each.verdict is verdict for each in found) for verdict in Verdict}
    print(", ".join(f"{count} {verdict.value}" for verdict, count in counts.items()))

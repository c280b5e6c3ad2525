# SPDX-License-Identifier: Apache-2.0
"""`quality run [PRODUCT...]`: the quality rules of products, run against their sources."""

import argparse
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import uvloop

from dictamesh.runtime.cli.common import add_format, config_of, plan_of, print_json, products_of
from dictamesh.runtime.cli.exits import DEPENDENCY, FINDINGS, FINE
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.lines import close_lines, lines_of, open_lines
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.observe.logs import configure
from dictamesh.runtime.quality.checks import check
from dictamesh.runtime.quality.reading import reading
from dictamesh.runtime.quality.results import Outcome, Result
from dictamesh.runtime.resilience import Listeners

_GRAVE = "error"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    run = actions.add_parser("run", help="run quality rules and print what they find")
    run.add_argument("names", nargs="*", metavar="PRODUCT", help="products (default: all)")
    run.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the mesh file")
    add_format(run)
    run.set_defaults(run=run_rules)


def run_rules(options: argparse.Namespace) -> int:
    """Print each rule and what became of it.

    1 where a rule of severity `error` failed or gave nothing to hold against its bound, 3 where its source failed.
    """
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    products = products_of(plan, options.names)
    undo = configure(service="dictamesh/quality", level="error", layout="text")
    try:
        found = uvloop.run(_run(plan, products, config_of(options).absolute().parent))
    finally:
        undo()
    if options.format == "json":
        print_json([_json(each) for each in found])
    else:
        _print(found)
    return _code(found)


async def _run(plan: Plan, products: Iterable[str], folder: Path) -> list[Result]:
    chosen = [plan.entities[address] for name in products for address in plan.products[name].entities]
    if not any(entity.quality for entity in chosen):
        return []
    lines = await open_lines(plan, Resolver(folder), Listeners())
    try:
        adapters = reading(plan, lines_of(lines))
        found = [await check(adapters, each.address, each.quality, plan.mesh.quality.max_scan) for each in chosen]
        return [result for results in found for result in results]
    finally:
        await close_lines(lines.values())


def _code(found: Iterable[Result]) -> int:
    grave = [each for each in found if each.rule.severity == _GRAVE]
    if any(each.outcome is Outcome.FAILED for each in grave):
        return FINDINGS
    unknown = [each for each in grave if each.outcome is Outcome.ERROR]
    if any(each.unreachable for each in unknown):
        return DEPENDENCY
    return FINDINGS if unknown else FINE


def _json(result: Result) -> dict[str, object]:
    rule = result.rule
    return {
        "entity": result.address,
        "rule": rule.name,
        "check": rule.check.value,
        "property": rule.property,
        "dimension": rule.dimension,
        "severity": rule.severity,
        "outcome": result.outcome.value,
        "must": str(rule.bound) if rule.bound else None,
        "unit": "percent" if rule.percent else "rows",
        "measured": None if result.value is None else _plain(result.value),
        "failedRows": result.bad,
        "rows": result.rows,
        "passRate": result.rate,
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
    }


def _plain(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def _print(found: Sequence[Result]) -> None:
    for each in found:
        weight = "" if each.rule.severity == _GRAVE else f" [{each.rule.severity}]"
        print(f"{each.outcome.value:<8}{each.address} {each.rule.name}: {_told(each)}{weight}")
    counts = {outcome: sum(each.outcome is outcome for each in found) for outcome in Outcome}
    print(", ".join(f"{count} {outcome.value}" for outcome, count in counts.items()))


def _told(result: Result) -> str:
    rule = result.rule
    if result.reason is not None:
        return result.reason
    if result.value is None:
        return f"the measure is not shown, it {rule.bound}"
    shown = f"{_plain(result.value):.6g}" if result.value.denominator != 1 else str(result.value.numerator)
    unit = " percent" if rule.percent else "" if rule.measure is not None else " rows"
    of = f" of {result.rows}" if result.bad is not None and result.rows is not None and not rule.percent else ""
    return f"{shown}{of}{unit}, {rule.bound}"

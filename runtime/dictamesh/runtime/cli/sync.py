# SPDX-License-Identifier: Apache-2.0
"""`sync PRODUCT [ENTITY]`: a full pass over the sources of a product now; what did not change emits nothing (AD-17)."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dictamesh.runtime.capture.states_of import states_of
from dictamesh.runtime.capture.sync import PASSES, Asked, Synced, ask, is_captured, progress
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.cli.common import add_format, config_of, entities_of, plan_of, print_json
from dictamesh.runtime.cli.database import with_catalog
from dictamesh.runtime.cli.exits import DEPENDENCY, FINDINGS, FINE, UsageError
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.specs.suggest import suggest

LOOK = 0.5  # seconds between looks at how it goes


@dataclass(frozen=True, slots=True)
class _Result:
    passes: list[Synced]
    idle: bool  # no mesh captures it now
    late: bool = False


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("product", metavar="PRODUCT", help="the product to read")
    parser.add_argument("entity", metavar="ENTITY", nargs="?", help="one of its entities (default: all)")
    parser.add_argument("--wait", action="store_true", help="wait until it is done, and say what came of it")
    parser.add_argument("--timeout", metavar="SECONDS", type=_seconds, default=600.0, help="how long (default: 600)")
    parser.add_argument("--data-dir", help="folder of the embedded PostgreSQL (default: ./.dictamesh)")
    add_format(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask for the pass; 1 where a source failed or nothing could be asked, 3 where it was not done in time."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    entities = _entities(plan, options.product, options.entity)
    resolver = Resolver(config_of(options).absolute().parent)

    async def work(pool: Pool) -> _Result:
        asked = await ask(pool, plan.name, [each.address for each in entities])
        captured = [await is_captured(pool, each.state) for each in asked]
        idle = not all(captured)
        if options.wait and asked and not idle:
            return await _waited(pool, asked, options.timeout)
        return _Result(await progress(pool, asked), idle)

    result = with_catalog("sync", plan, data_dir_of(plan, options.data_dir), resolver, work)
    if options.format == "json":
        print_json({"passes": [_as_json(each) for each in result.passes], "captured": not result.idle})
    else:
        print("\n".join(_told(result, entities, plan)))
    if result.late or (options.wait and result.idle and result.passes):
        return DEPENDENCY
    return FINE if result.passes and all(each.progress != "failed" for each in result.passes) else FINDINGS


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) <= 86_400:
            return seconds
    raise argparse.ArgumentTypeError("between 0 and 86400 seconds")


def _entities(plan: Plan, product: str, name: str | None) -> list[EntityPlan]:
    known = plan.products.get(product)
    if known is None:
        near = suggest(product, plan.products)
        hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(plan.products)}"
        raise UsageError(f"there is no product '{product}'; {hint}")
    own = [plan.entities[address] for address in known.entities]
    if name is None:
        return own
    (found,) = entities_of(plan, name)
    if found not in own:
        raise UsageError(f"'{name}' is no entity of product '{product}'")
    return [found]


async def _waited(pool: Pool, asked: Sequence[Asked], patience: float) -> _Result:
    """Look until every pass is done or has failed, and say on a terminal what moves."""
    said: dict[Asked, str] = {}
    until = asyncio.get_running_loop().time() + patience
    while True:
        found = await progress(pool, asked)
        for each in found:
            if said.get(each.asked) != each.progress:
                said[each.asked] = each.progress
                print(f"{each.asked.state.entity}: {each.progress}", file=sys.stderr)
        if all(each.progress in {"done", "failed"} for each in found):
            return _Result(found, idle=False)
        if asyncio.get_running_loop().time() > until:
            return _Result(found, idle=False, late=True)
        await asyncio.sleep(LOOK)


def _as_json(each: Synced) -> dict[str, Any]:
    state = each.asked.state
    return {
        "entity": state.entity,
        "kind": state.kind,
        "server": state.server,
        "askedAt": each.asked.at.isoformat(),
        "progress": each.progress,
        "finishedAt": each.finished_at.isoformat() if each.finished_at else None,
        "error": each.error,
        "records": {"live": each.live, "deleted": each.deleted, "bad": each.bad},
        "events": dict(each.events),
    }


def _told(result: _Result, entities: Sequence[EntityPlan], plan: Plan) -> Iterator[str]:
    for each in result.passes:
        state, error = each.asked.state, f" ({each.error})" if each.error else ""
        yield f"{state.entity}  {state.kind} on {state.server}: {each.progress}{error}"
        yield f"  records  {each.live} live, {each.deleted} deleted, {each.bad} bad"
        counted = ", ".join(f"{count} {kind}" for kind, count in sorted(each.events.items()))
        yield f"  events   {counted or 'none'}"
    met = {each.asked.state.entity for each in result.passes}
    for entity in entities:
        if entity.address not in met:
            kinds = {state.kind for state in states_of(plan.name, entity)}
            why = "nothing was captured yet, or it waits for a person ('state show')"
            if not kinds & PASSES:
                why = f"its changes come by {' and '.join(sorted(kinds))}" if kinds else "it has no 'changes'"
            yield f"{entity.address}  nothing to read as a whole: {why}"
    if result.idle and result.passes:
        yield "no mesh captures it now; the pass begins when one does"
    if result.late:
        yield "not done in time; it goes on, and 'state show' tells when it ended"

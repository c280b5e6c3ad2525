# SPDX-License-Identifier: Apache-2.0
"""`state show|reset`: where the sources of captured entities stand, and how to make capture begin anew."""

import argparse
from collections.abc import Iterator
from typing import Any

from dictamesh.runtime.capture.contract import StateId
from dictamesh.runtime.capture.state import Stand, reset, stands
from dictamesh.runtime.capture.states_of import captured
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.cli.common import add_format, config_of, entities_of, plan_of, print_json, visible
from dictamesh.runtime.cli.database import with_catalog
from dictamesh.runtime.cli.exits import FINDINGS, FINE
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.cli.slots import Dropping, slots_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=["show", "reset"], help="show, or forget where a source stands")
    parser.add_argument("--entity", metavar="E", help="a type or product#Entity (default: all)")
    parser.add_argument("--drop-slot", action="store_true", help="reset: drop replication slots at their sources, too")
    parser.add_argument("--data-dir", help="folder of the embedded PostgreSQL (default: ./.dictamesh)")
    add_format(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print where sources stand, after a reset where one is asked for; 1 where a source waits for a person."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    # of products that were removed states are left, which are named by their address
    removed = options.entity is not None and "#" in options.entity
    address = options.entity if removed else entities_of(plan, options.entity)[0].address if options.entity else None

    async def work(pool: Pool) -> tuple[int, list[Stand]]:
        count = await _reset(pool, plan, address, dropping) if options.verb == "reset" else 0
        return count, await stands(pool, plan.name, address)

    resolver = Resolver(config_of(options).absolute().parent)
    dropping = Dropping(plan, resolver) if options.drop_slot else None
    count, found = with_catalog("state", plan, data_dir_of(plan, options.data_dir), resolver, work)
    if options.format == "json":
        print_json([_as_json(each, plan) for each in found])
    else:
        print("\n".join(map(visible, _told(found, plan, count if options.verb == "reset" else None))))
    return FINDINGS if any(each.status == "lost" for each in found) else FINE


async def _reset(pool: Pool, plan: Plan, address: str | None, dropping: Dropping | None) -> int:
    """Forget where sources stand; what shares a slot that is lost or dropped begins anew together.

    A slot that would be left behind unknown has to be dropped with its state.
    """
    everybody = await stands(pool, plan.name)
    mine = [each for each in everybody if address is None or each.entity == address]
    slots = slots_of(mine)
    shared = [each for each in everybody if slots_of([each]) and slots_of([each])[0] in slots]
    if dropping is not None:
        for server, slot, publication in slots:
            await dropping.drop(server, slot, publication)
    else:
        for _, slot, _ in slots_of([each for each in mine if not _declared(each, plan)]):
            raise StartFailed(f"the slot {slot} would be left behind at its source", "add --drop-slot")
    if address is None:
        return await reset(pool, plan.name)
    also = {each.entity for each in shared if dropping is not None or each.status == "lost"}
    return sum([await reset(pool, plan.name, each) for each in sorted({address, *also})])


def _declared(stand: Stand, plan: Plan) -> bool:
    mine = StateId(plan.name, stand.entity, stand.kind, stand.server, stand.cursor)
    return mine in set(captured(plan))


def _as_json(stand: Stand, plan: Plan) -> dict[str, Any]:
    return {
        "entity": stand.entity,
        "kind": stand.kind,
        "server": stand.server,
        "cursor": stand.cursor,
        "declared": _declared(stand, plan),
        "status": stand.status,
        "error": stand.error,
        "position": stand.position,
        "owner": stand.owner,
        "epoch": stand.epoch,
        "lastPassAt": stand.last_pass_at.isoformat() if stand.last_pass_at else None,
        "pausedAt": stand.paused_at.isoformat() if stand.paused_at else None,
        "updatedAt": stand.updated_at.isoformat(),
        "records": {"live": stand.live, "deleted": stand.deleted, "bad": stand.bad},
    }


def _told(found: list[Stand], plan: Plan, reset_count: int | None) -> Iterator[str]:
    if reset_count is not None:
        yield f"{reset_count} begin anew with a full pass; what did not change emits nothing"
    if not found:
        yield "nothing was captured yet"
    for each in found:
        gone = "" if _declared(each, plan) else ", not declared any more"
        yield f"{each.entity}  {each.kind} of {each.cursor} on {each.server}: {each.status}{gone}"
        if each.error:
            yield f"  error    {each.error}"
        yield f"  records  {each.live} live, {each.deleted} deleted, {each.bad} bad"
        if each.last_pass_at is not None:
            yield f"  pass     {each.last_pass_at.isoformat(timespec='seconds')}"

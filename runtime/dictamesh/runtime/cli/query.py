# SPDX-License-Identifier: Apache-2.0
"""`query`: one operation answered without a server, audited all the same (S31)."""

import argparse
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import uvloop

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.queries import Locations
from dictamesh.runtime.cli.auditing import audit_sink, catalog_pool
from dictamesh.runtime.cli.callers import add_caller, caller
from dictamesh.runtime.cli.common import config_of, plan_of, print_json
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.contract import RequestInfo
from dictamesh.runtime.gateway.serving import answer
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.world import Needs, make_world
from dictamesh.runtime.observe import trace
from dictamesh.runtime.observe.logs import configure
from dictamesh.runtime.resilience import L1, Listeners


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", help="the operation; '-' reads it from standard input")
    parser.add_argument("--variables", metavar="JSON", help="values of its variables")
    parser.add_argument("--operation", metavar="NAME", help="which of several operations")
    parser.add_argument("--data-dir", help="folder of the audit (default: ./.dictamesh)")
    add_caller(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the response as JSON; 1 where it has errors."""
    config = config_of(options)
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    principal = caller(options, plan)
    text = _input() if options.query == "-" else options.query
    variables = _variables(options.variables)
    undo = configure(service=f"dictamesh/{plan.name}", level="error", layout="text")
    try:
        body = uvloop.run(_answer(plan, config, options, principal, text, variables))
    finally:
        undo()
    print_json(body)
    return FINDINGS if body.get("errors") else FINE


def _input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise UsageError("standard input is no UTF-8 text") from None


def _variables(given: str | None) -> dict[str, Any] | None:
    if given is None:
        return None
    try:
        found = orjson.loads(given)
    except orjson.JSONDecodeError:
        raise UsageError("--variables takes a JSON object") from None
    if not isinstance(found, dict):
        raise UsageError("--variables takes a JSON object")
    return found


async def _answer(
    plan: Plan,
    config: Path,
    options: argparse.Namespace,
    principal: Principal,
    text: str,
    variables: dict[str, Any] | None,
) -> dict[str, Any]:
    data_dir = data_dir_of(plan, options.data_dir)
    resolver = Resolver(config.absolute().parent)
    async with AsyncExitStack() as stack:
        pool = await catalog_pool(plan, data_dir, resolver, stack)
        audit = await audit_sink(pool, data_dir, stack)
        catalog = None if pool is None else Catalog(pool, lambda: plan, audit, Locations(pool))
        needs = Needs(resolver, audit, data_dir, L1(plan.mesh.cache.size), Listeners(), catalog=catalog)
        world = await make_world(plan, needs)
        stack.push_async_callback(world.retire, None, 0)
        span = trace.begin()
        info = RequestInfo(span.trace_id, span.span_id, "cli")
        response = await answer(world.serving, text, variables, options.operation, principal, info)
        return dict(response.body)

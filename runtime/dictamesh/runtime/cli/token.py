# SPDX-License-Identifier: Apache-2.0
"""`token reveal`: tokens turned back for a caller who may see what they stand for; audited like a query."""

import argparse
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from dictamesh.runtime.cli.auditing import audit_sink, catalog_pool
from dictamesh.runtime.cli.callers import add_caller, caller
from dictamesh.runtime.cli.common import add_format, config_of, plan_of, print_json
from dictamesh.runtime.cli.exits import FINDINGS, FINE
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.contract import RequestInfo
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.reveal import revealer
from dictamesh.runtime.governance.access import AccessCache
from dictamesh.runtime.governance.authenticate import mask_keys
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.refusals import MissingSecret
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.observe import trace


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    verb = verbs.add_parser("reveal", help="print what tokens of a field stand for")
    verb.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the mesh file")
    verb.add_argument("field", help="Product#Entity.field")
    verb.add_argument("tokens", nargs="+", metavar="TOKEN", help="tokens as they were served")
    verb.add_argument("--data-dir", help="folder of the audit (default: ./.dictamesh)")
    add_caller(verb)
    add_format(verb)
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the text of each token, one a line; 1 where the caller may not, or one is no token of the field."""
    config = config_of(options)
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    try:
        found = uvloop.run(_revealed(plan, config, options, caller(options, plan)))
    except GatewayError as refused:
        found = None
        print_json({"error": {"code": refused.code, "message": refused.message}})
    if found is None:
        return FINDINGS
    if options.format == "json":
        print_json({"field": options.field, "values": found})
    else:
        print("\n".join("" if each is None else each for each in found))
    return FINDINGS if None in found else FINE


async def _revealed(plan: Plan, config: Path, options: argparse.Namespace, principal: Principal) -> list[str | None]:
    resolver = Resolver(config.absolute().parent)
    try:
        keys = mask_keys(plan.mesh.security, resolver.secrets(plan.mesh.security))
    except MissingSecret as missing:
        raise StartFailed(f"{missing.place}: {missing.reference} is empty", "give it a value") from None
    async with AsyncExitStack() as stack:
        data_dir = data_dir_of(plan, options.data_dir)
        audit = await audit_sink(await catalog_pool(plan, data_dir, resolver, stack), data_dir, stack)
        made = revealer(plan, AccessCache(plan, keys).access, keys, audit)
        span = trace.begin()
        return await made.reveal(
            principal, options.field, options.tokens, RequestInfo(span.trace_id, span.span_id, "cli")
        )

# SPDX-License-Identifier: Apache-2.0
"""`policy explain --query`: every decision that an operation rests on."""

import argparse
from datetime import date

from dictamesh.runtime.cli.common import print_json
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.execution.explained import explained
from dictamesh.runtime.gateway.execution.lookahead import look_ahead, names
from dictamesh.runtime.gateway.guard import Guard
from dictamesh.runtime.gateway.schema import build_schema
from dictamesh.runtime.governance.explain import as_json, render
from dictamesh.runtime.governance.principal import Principal


def explain_query(options: argparse.Namespace, plan: Plan, who: Principal, day: date) -> int:
    """Print every decision of an operation; 1 where it would be refused. No source is asked."""
    guard = Guard(build_schema(plan), plan.mesh.gateway)
    try:
        operation = guard.prepare(options.query)
    except GatewayError as refused:
        raise UsageError(f"the operation cannot be explained: {refused.message}") from None
    decisions, uses = explained(look_ahead(operation, names(plan)), plan, who, day)
    if options.format == "json":
        print_json({"decisions": [as_json(each) for each in decisions], "uses": uses})
    else:
        print("\n".join(map(render, decisions)))
        for use in uses:
            print(f"{use['field']} used to {use['use']}: {'permitted' if use['permitted'] else 'refused'}")
    return FINE if all(use["permitted"] for use in uses) else FINDINGS

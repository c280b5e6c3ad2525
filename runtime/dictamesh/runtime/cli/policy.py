# SPDX-License-Identifier: Apache-2.0
"""`policy test` and `policy explain`."""

import argparse

from dictamesh.runtime.cli.callers import add_caller, add_date, caller, day_of
from dictamesh.runtime.cli.common import add_format, built, plan_of, print_json, show
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.governance.explain import as_json, explain, render


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    test = verbs.add_parser("test", help="run the inline tests of all policies")
    test.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the mesh file")
    add_format(test)
    test.set_defaults(run=run_tests)
    why = verbs.add_parser("explain", help="say what a caller gets of a field or entity, and why")
    why.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the mesh file")
    why.add_argument("address", nargs="?", help="Product#Entity.field or Product#Entity")
    why.add_argument("--query", metavar="TEXT", help="a GraphQL operation: every decision that it rests on")
    add_caller(why)
    add_date(why)
    add_format(why)
    why.set_defaults(run=run_explain)


def run_tests(options: argparse.Namespace) -> int:
    """Print each test and how it ended; 1 where one failed."""
    made = built(options)
    if made.plan is None and not made.tests:
        show(made.diagnostics, made.sources)
        return FINDINGS
    if options.format == "json":
        print_json(
            [
                {
                    "policy": each.policy,
                    "test": each.index + 1,
                    "passed": each.passed,
                    "expected": dict(each.expected),
                    "got": dict(each.got),
                    "note": each.note,
                    "file": each.file,
                    "line": each.line,
                }
                for each in made.tests
            ]
        )
    else:
        for each in made.tests:
            told = "" if each.passed else f": expected {dict(each.expected)}, got {dict(each.got)}"
            note = f" ({each.note})" if each.note else ""
            print(f"{'ok    ' if each.passed else 'FAILED'} {each.file}:{each.line} {each.policy}{told}{note}")
        failed = sum(not each.passed for each in made.tests)
        print(f"{len(made.tests) - failed} passed, {failed} failed")
    return FINE if all(each.passed for each in made.tests) else FINDINGS


def run_explain(options: argparse.Namespace) -> int:
    """Print what the caller gets and which rules say so."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    if (options.address is None) == (options.query is None):
        raise UsageError("name a field or entity, or give an operation with --query")
    who, day = caller(options, plan), day_of(options)
    if options.query is not None:
        from dictamesh.runtime.cli.explaining import explain_query  # noqa: PLC0415 - loads the gateway

        return explain_query(options, plan, who, day)
    try:
        found = explain(plan, who, options.address, day)
    except KeyError:
        raise UsageError(f"there is no field or entity '{options.address}'; write Product#Entity.field") from None
    if options.format == "json":
        print_json(as_json(found))
    else:
        print(render(found))
    return FINE

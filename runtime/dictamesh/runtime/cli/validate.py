# SPDX-License-Identifier: Apache-2.0
"""`validate`: every fault of the whole tree in one run, the policies' tests included."""

import argparse
import os

from dictamesh.runtime.cli.common import add_format, built, config_of, print_json, show
from dictamesh.runtime.cli.exits import FINDINGS, FINE
from dictamesh.specs.diagnostics import Severity, in_file_order
from dictamesh.specs.resolve.secrets import missing_references


def arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser)
    parser.add_argument("--strict", action="store_true", help="let warnings fail, too")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the findings; 1 where an error is among them."""
    made = built(options)
    folder = config_of(options).parent
    missing = missing_references(made.loaded, os.environ, lambda name: (folder / name).is_file())
    found = in_file_order([*made.diagnostics, *missing], made.sources)
    failing = {Severity.ERROR, Severity.WARNING} if options.strict else {Severity.ERROR}
    code = FINDINGS if any(each.severity in failing for each in found) else FINE
    if options.format == "json":
        print_json([each.to_json() for each in found])
        return code
    if found:
        show(found, made.sources)
    if made.plan is not None:
        plan = made.plan
        told = f"{len(plan.products)} products, {len(plan.entities)} entities, {len(made.tests)} policy tests"
        print(f"{options.config}: fine ({told}); plan {plan.hash[:12]}")
    return code

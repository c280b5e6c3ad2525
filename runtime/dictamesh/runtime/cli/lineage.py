# SPDX-License-Identifier: Apache-2.0
"""`lineage`: what a field, entity or product is made of, and where it goes."""

import argparse

from dictamesh.runtime.cli.common import config_of, plan_of, print_json
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.lineage.derive import derive
from dictamesh.runtime.lineage.model import Graph
from dictamesh.runtime.lineage.printing import as_json, as_mermaid, as_text
from dictamesh.runtime.lineage.traverse import DEEPEST, DIRECTIONS, walk
from dictamesh.runtime.mesh.lineage.datasets import naming
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.specs.suggest import suggest


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "address", help="Product#Entity.field, Product#Entity, a product, or another that lineage prints"
    )
    parser.add_argument("--direction", choices=DIRECTIONS, default="both", help="which way to look (default: both)")
    parser.add_argument("--depth", type=int, default=DEEPEST, metavar="N", help=f"how far to look, 1 to {DEEPEST}")
    parser.add_argument("--format", choices=["text", "json", "mermaid"], default="text", help="how to print")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the lineage; 1 where the specs have errors."""
    if not 1 <= options.depth <= DEEPEST:
        raise UsageError(f"--depth is a number from 1 to {DEEPEST}")
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    graph = derive(plan, naming(plan, Resolver(config_of(options).absolute().parent)))
    found = walk(graph, options.address, options.direction, options.depth)
    if found is None:
        raise UsageError(f"nothing has the address '{options.address}'; {_hint(graph, options.address)}")
    if options.format == "json":
        print_json(as_json(found))
    else:
        print(as_mermaid(found) if options.format == "mermaid" else as_text(found))
    return FINE


def _hint(graph: Graph, address: str) -> str:
    known = [each.id for each in graph.nodes] + sorted({(each.entity or "").partition("#")[0] for each in graph.nodes})
    near = suggest(address, known)
    return f"did you mean '{near}'?" if near else "write Product#Entity.field, Product#Entity or a product"

# SPDX-License-Identifier: Apache-2.0
"""`export KIND`: what other tools read of a mesh, a file each in a folder, or on standard output."""

import argparse
import sys
from pathlib import Path

from dictamesh.runtime.cli.common import plan_of, write_files
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.compile.plan import Plan
from dictamesh.specs.documents import write
from dictamesh.specs.odcs.exporting import to_contract
from dictamesh.specs.suggest import suggest


def arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(title="kinds", metavar="KIND", required=True)
    odcs = kinds.add_parser("odcs", help="a contract of the Open Data Contract Standard for each product")
    odcs.add_argument("names", nargs="*", metavar="PRODUCT", help="products (default: all)")
    odcs.set_defaults(run=run_odcs)
    for kind in (odcs,):
        kind.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the mesh file")
        kind.add_argument("--out", metavar="DIR", help="the folder to write to (default: standard output)")


def run_odcs(options: argparse.Namespace) -> int:
    """Write `<name>.odcs.yaml` per product, as the official schema of ODCS accepts it."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    texts = {}
    for name in _products(options.names, plan):
        exported = to_contract(plan.products[name].document)
        texts[f"{name}.odcs.yaml"] = write(exported.contract)
        for place in exported.lost:
            print(f"{name}: what an import kept for '{place}' has no place any more", file=sys.stderr)
    return _written(texts, options.out)


def _products(names: list[str], plan: Plan) -> list[str]:
    for name in names:
        if name not in plan.products:
            near = suggest(name, plan.products)
            hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(plan.products)}"
            raise UsageError(f"there is no product '{name}'; {hint}")
    return list(dict.fromkeys(names)) or list(plan.products)


def _written(texts: dict[str, str], out: str | None) -> int:
    """Write files and name them; without a folder print them as documents of one stream."""
    if out is None:
        print("---\n".join(texts.values()), end="")
        return FINE
    write_files(Path(out), texts)
    for name in texts:
        print(Path(out) / name)
    return FINE

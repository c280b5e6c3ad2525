# SPDX-License-Identifier: Apache-2.0
"""`import odcs FILE... --out DIR`: products of ODCS contracts."""

import argparse
from pathlib import Path

from dictamesh.connectors.registry import manifests
from dictamesh.runtime.cli.common import add_format, bytes_of, print_json, show, write_files
from dictamesh.runtime.cli.exits import FINDINGS, FINE
from dictamesh.specs.odcs.files import import_files


def arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(title="kinds", metavar="KIND", required=True)
    odcs = kinds.add_parser("odcs", help="contracts of the Open Data Contract Standard")
    odcs.add_argument("files", nargs="+", metavar="FILE", help="a contract")
    odcs.add_argument("--out", required=True, metavar="DIR", help="the folder that products are written to")
    odcs.add_argument("--force", action="store_true", help="write over products that have a source, too")
    add_format(odcs)
    odcs.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write `<name>.yaml` per contract; 1, and nothing is written, where one of them has an error."""
    folder = Path(options.out)

    def existing(name: str) -> bytes | None:
        path = folder / f"{name}.yaml"
        return path.read_bytes() if path.is_file() else None

    files = {name: bytes_of(name) for name in options.files}
    made = import_files(files, existing, connectors=manifests(), force=options.force)
    if not made.failed:
        write_files(folder, {f"{each.name}.yaml": each.text for each in made.products if each.text is not None})
    if options.format == "json":
        print_json([each.to_json() for each in made.diagnostics])
    elif made.diagnostics:
        show(made.diagnostics, made.sources)
    if made.failed:
        return FINDINGS
    if options.format == "text":
        for each in made.products:
            print(f"{each.file}: {folder / each.name}.yaml{' (as it was)' if each.text is None else ''}")
    return FINE

# SPDX-License-Identifier: Apache-2.0
"""`scan [PRODUCT...]`: looks for untagged personal data in the sources and proposes tags as a patch of the specs."""

import argparse
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.cli.common import add_format, built, config_of, print_json, show
from dictamesh.runtime.cli.exits import DEPENDENCY, FINDINGS, FINE, UsageError
from dictamesh.runtime.compile.compiler import compile_specs
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.build import Built, build
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.lines import Opened, close_lines, lines_of, open_line
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.observe.logs import configure
from dictamesh.runtime.resilience import Listeners
from dictamesh.runtime.scan.report import as_json, as_text
from dictamesh.runtime.scan.sampling import MOST_ROWS, NO_LIST, Sample, sample
from dictamesh.runtime.scan.scan import Result, Tree, conclude
from dictamesh.specs.documents import Folder
from dictamesh.specs.documents.files import Overlay
from dictamesh.specs.suggest import suggest

ROWS = 500


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("products", nargs="*", metavar="PRODUCT", help="names of products (default: all)")
    parser.add_argument("--sample", type=int, default=ROWS, metavar="N", help=f"rows of each entity (default: {ROWS})")
    parser.add_argument("--write", action="store_true", help="apply the patch to the spec files")
    add_format(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print findings and patch; 1 where there are findings, 3 where a source could not be read."""
    if not 1 <= options.sample <= MOST_ROWS:
        raise UsageError(f"--sample takes 1 to {MOST_ROWS:,} rows")
    made = built(options)
    if made.specs is None:
        show(made.diagnostics, made.sources)
        return FINDINGS
    # a test of a policy may fail just because the tag is gone that the policy binds by
    plan = made.plan or compile_specs(made.specs).plan
    addresses = _chosen(plan, options.products)
    folder = config_of(options).absolute().parent
    undo = configure(service="dictamesh/scan", level="error", layout="text")
    try:
        samples = uvloop.run(_sampled(plan, addresses, options.sample, Resolver(folder)))
    finally:
        undo()
    tree = Tree(made.specs, made.loaded.documents)
    name = config_of(options).name
    result = conclude(tree, samples, datetime.now(UTC).date(), lambda texts: _valid(folder, name, texts, made))
    if options.write:
        _write(folder, result)
    _print(result, samples, options)
    failed = any(each.failed not in {None, NO_LIST} for each in samples.values())
    return DEPENDENCY if failed else FINDINGS if result.findings else FINE


def _chosen(plan: Plan, products: list[str]) -> list[str]:
    """The addresses of the entities to scan."""
    for name in products:
        if name not in plan.products:
            near = suggest(name, plan.products)
            hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(plan.products)}"
            raise UsageError(f"there is no product '{name}'; {hint}")
    return [address for name in plan.products if name in products or not products
            for address in plan.products[name].entities]  # fmt: skip


async def _sampled(plan: Plan, addresses: list[str], rows: int, resolver: Resolver) -> dict[str, Sample]:
    """Sample the entities; those of a server that cannot be opened are told of, and the others read all the same."""
    wanted = {address: plan.entities[address] for address in addresses}
    opened: dict[str, Opened] = {}
    broken: dict[str, str] = {}
    try:
        for server in sorted({entity.server for entity in wanted.values()}):
            try:
                opened[server] = await open_line(plan, plan.servers[server], resolver, Listeners())
            except StartFailed as failed:
                broken[server] = failed.message
        there = {address: entity for address, entity in wanted.items() if entity.server in opened}
        found = await sample(Adapters(replace(plan, entities=there), lines_of(opened)), there, rows)
    finally:
        await close_lines(opened.values())
    return {address: found.get(address) or Sample(failed=broken[entity.server]) for address, entity in wanted.items()}


def _valid(folder: Path, name: str, texts: Mapping[str, str], before: Built) -> bool:
    """Whether the tree is valid with other texts, and no test of a policy fails that passed before."""
    made = build(Overlay(Folder(folder), texts), name)
    failed = {(each.policy, each.index) for each in before.tests if not each.passed}
    return made.specs is not None and all(each.passed or (each.policy, each.index) in failed for each in made.tests)


def _write(folder: Path, result: Result) -> None:
    """Put each changed file in the place of the old one; raises UsageError where that has changed since it was read."""
    paths = {name: Path(os.path.realpath(folder / name)) for name in result.texts}
    for name, (before, _) in result.texts.items():
        if paths[name].read_bytes() != before.encode():
            raise UsageError(f"'{name}' has changed since it was read; scan again")
    for name, (_, after) in result.texts.items():
        draft = paths[name].with_name(f".{paths[name].name}.scan")
        try:
            draft.write_bytes(after.encode())
            shutil.copymode(paths[name], draft)
            draft.replace(paths[name])
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise UsageError(f"'{name}' cannot be written ({(error.strerror or 'no reason given').lower()})") from None


def _print(result: Result, samples: Mapping[str, Sample], options: argparse.Namespace) -> None:
    if options.format == "json":
        print_json(as_json(result, samples))
        return
    for line in as_text(result, samples):
        print(line)
    if options.write and result.texts:
        print(f"\nwritten: {', '.join(result.texts)}")

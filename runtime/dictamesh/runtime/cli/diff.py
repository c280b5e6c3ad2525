# SPDX-License-Identifier: Apache-2.0
"""`diff`: what a change of the specs breaks for whom, and who would see more."""

import argparse
import json
from pathlib import Path

from dictamesh.runtime.cli.common import config_of, print_json, show
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.cli.sides import side
from dictamesh.runtime.diff.approvers import FILE_NAME, ApproverLine, MalformedApprovers, approvers_of, read_approvers
from dictamesh.runtime.diff.change import Class, Comparison
from dictamesh.runtime.diff.compare import compare
from dictamesh.runtime.diff.report import Report, as_json, as_markdown, as_sarif, as_text
from dictamesh.runtime.diff.tree import tree
from dictamesh.runtime.diff.usage import UnreadableUsage, Usage, read_usage
from dictamesh.runtime.mesh.build import Built

LARGEST = 64 << 20  # bytes of a usage document
CLASSES = [each.value for each in Class if each is not Class.INVALID]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="before", required=True, metavar="TREE", help="a folder, git:REV, or running")
    parser.add_argument(
        "--to", dest="after", metavar="TREE", help="a folder, or git:REV (default: the mesh file's own)"
    )
    parser.add_argument("--usage", metavar="FILE", help="what the catalog says of usage (GET /api/v1/catalog/usage)")
    parser.add_argument(
        "--approvers", metavar="FILE", help=f"who approves what (default: {FILE_NAME} beside the mesh file)"
    )
    parser.add_argument("--data-dir", help="folder of the embedded catalog that `running` asks (default: ./.dictamesh)")
    parser.add_argument("--fail-on", choices=CLASSES, help="exit with 1 for changes of this class or a worse one")
    formats = ["text", "json", "markdown", "sarif"]
    parser.add_argument("--format", choices=formats, default="text", help="how to print (default: text)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the comparison; 1 where `--fail-on` is reached, or a tree is refused by `validate`."""
    config = config_of(options)
    usage, lines = _usage(options.usage), _approvers(config, options.approvers)
    before = side(config, options.before, options.data_dir)
    after = side(config, options.after or str(config), options.data_dir)
    refused = [(name, each) for name, each in (("from", before), ("to", after)) if each.plan is None]
    if refused:
        return _invalid(options, refused)
    found = _compared(before, after, usage)
    report = Report(found, approvers_of(found.changes, lines))
    _print(options.format, report)
    reached = options.fail_on is not None and found.cls.weight >= Class(options.fail_on).weight and found.changes
    return FINDINGS if reached else FINE


def _compared(before: Built, after: Built, usage: Usage | None) -> Comparison:
    if before.plan is None or after.plan is None:
        raise TypeError("both trees have a plan here")
    return compare(tree(before.plan, before.loaded.documents), tree(after.plan, after.loaded.documents), usage)


def _print(layout: str, report: Report) -> None:
    if layout == "json":
        print_json(as_json(report))
    elif layout == "sarif":
        from importlib.metadata import version  # noqa: PLC0415 - only this format says it

        print_json(as_sarif(report, version("dictamesh")))
    else:
        print((as_markdown if layout == "markdown" else as_text)(report).rstrip("\n"))


def _invalid(options: argparse.Namespace, refused: list[tuple[str, Built]]) -> int:
    """Tell that a tree cannot be compared, and why."""
    if options.format in {"json", "sarif"}:
        findings = [{"tree": name, **found.to_json()} for name, each in refused for found in each.diagnostics]
        print_json({"changes": [], "access": [], "class": Class.INVALID.value, "diagnostics": findings})
        return FINDINGS
    if options.format == "markdown":
        print("### DictaMesh: invalid\n")
    for name, each in refused:
        told = options.before if name == "from" else options.after or options.config
        print(f"the tree {told} is refused by validate")
        show(each.diagnostics, each.sources)
    return FINDINGS


def _usage(named: str | None) -> Usage | None:
    if named is None:
        return None
    try:
        path = Path(named)
        if path.stat().st_size > LARGEST:
            raise UsageError(f"the usage document {named} is larger than {LARGEST >> 20} MiB")
        return read_usage(json.loads(path.read_bytes()))
    except OSError as fault:
        raise UsageError(f"the usage document {named} cannot be read ({fault.strerror})") from None
    except (UnreadableUsage, ValueError, RecursionError) as fault:
        why = str(fault) if isinstance(fault, UnreadableUsage) else "it is no JSON"
        raise UsageError(f"the usage document {named} cannot be used: {why}") from None


def _approvers(config: Path, named: str | None) -> tuple[ApproverLine, ...]:
    path = Path(named) if named is not None else config.parent / FILE_NAME
    if named is None and not path.is_file():
        return ()
    try:
        return read_approvers(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"{path} cannot be read ({getattr(fault, 'strerror', None) or 'no UTF-8 text'})") from None
    except MalformedApprovers as fault:
        raise UsageError(f"{path}: {fault}") from None

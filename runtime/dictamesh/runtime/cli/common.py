# SPDX-License-Identifier: Apache-2.0
"""What several commands share: the tree they work on and how they print."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from dictamesh.runtime.cli.exits import UsageError
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.build import Built, build_file
from dictamesh.specs.diagnostics import Diagnostic, render
from dictamesh.specs.diagnostics.source import Source


def config_of(options: argparse.Namespace) -> Path:
    """Return the mesh file; raises UsageError where none is named or it is not there."""
    if options.config is None:
        raise UsageError("name the mesh file: --config mesh.yaml")
    path = Path(options.config)
    if not path.is_file():
        raise UsageError(f"there is no file '{options.config}'")
    return path


def built(options: argparse.Namespace) -> Built:
    return build_file(config_of(options))


def plan_of(options: argparse.Namespace, otherwise: Callable[[], int]) -> Plan | int:
    """Return the plan, or the exit code after printing what stands in its way."""
    made = built(options)
    if made.plan is None:
        show(made.diagnostics, made.sources)
        return otherwise()
    return made.plan


def show(found: Iterable[Diagnostic], sources: Mapping[str, Source]) -> None:
    """Print diagnostics to standard error, in colour on a terminal."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    print(render(found, sources, colour=colour), file=sys.stderr)


def print_json(value: Any) -> None:
    """Print JSON with two spaces of indentation."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()
    print(text)


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["text", "json"], default="text", help="how to print (default: text)")

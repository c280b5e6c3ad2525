# SPDX-License-Identifier: Apache-2.0
"""The language: CPU seconds to load, validate and compile a large mesh; `python -m tests.bench.language` prints."""

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import yaml

from dictamesh.connectors.registry import manifests
from dictamesh.runtime.compile.compiler import compile_specs
from dictamesh.specs.collecting import uncollected
from dictamesh.specs.documents import Folder, load
from dictamesh.specs.manifest import Manifest
from dictamesh.specs.resolve.validate import validate_loaded
from tests.bench.figures import Figure, table
from tests.bench.generated import FIELDS, files

PRODUCTS = 1000
TARGET = 2.0
FLOOR = "libyaml reading the same files"

T = TypeVar("T")


def measure(folder: Path, rounds: int, products: int = PRODUCTS) -> list[Figure]:
    """Figures of all phases together, then of each, in CPU seconds of this process."""
    known = manifests()
    phases: dict[str, list[float]] = {"load": [], "validate": [], "compile": []}
    floor = []
    _write(folder, files(products))
    for _ in range(rounds):
        for phase, spent in zip(phases, _build(folder, known, products), strict=True):
            phases[phase].append(spent)
        floor.append(_timed(lambda: _read(folder))[1])
    whole = [sum(each) for each in zip(*phases.values(), strict=True)]
    what = f"{products:,} products of {FIELDS} fields"
    return [
        Figure(f"load, validate, compile {what}", "CPU s", whole, floor, FLOOR, TARGET),
        *(Figure(f"{phase} {what}", "CPU s", spent) for phase, spent in phases.items()),
    ]


def unlike(folder: Path, rounds: int, products: int = PRODUCTS) -> Figure:
    """The same where every third expression is a product's own, another one in each round, so that no cache helps."""
    spent = []
    for number in range(rounds):
        _write(folder, files(products, number))
        spent.append(sum(_build(folder, manifests(), products)))
    return Figure("the same, every third expression a product's own", "CPU s", spent)


def _write(folder: Path, content: Mapping[str, str]) -> None:
    for path, text in content.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def _build(folder: Path, known: Mapping[str, Manifest], products: int) -> tuple[float, float, float]:
    gc.collect()
    with uncollected():  # as `build` does
        loaded, load_time = _timed(lambda: load(Folder(folder), "mesh.yaml"))
        validated, validate_time = _timed(lambda: validate_loaded(loaded, known))
        specs = validated.specs
        if specs is None:
            raise RuntimeError("the generated mesh has faults")
        compiled, compile_time = _timed(lambda: compile_specs(specs))
    if len(compiled.plan.entities) != products:
        raise RuntimeError("the plan is not whole")
    return load_time, validate_time, compile_time


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def _read(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*.yaml") for _ in yaml.parse(path.read_bytes(), Loader=yaml.CLoader))


def main() -> int:
    """Print the figures; the exit code is 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--products", type=int, default=PRODUCTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given.rounds, given.products)
        found.append(unlike(Path(folder), given.rounds, given.products))
    print(table(found))
    return 0 if all(each.met for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())

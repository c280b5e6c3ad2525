# SPDX-License-Identifier: Apache-2.0
"""The example as files in memory that a test may change, and its plan."""

from pathlib import Path

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.tree import Tree
from dictamesh.runtime.diff.tree import tree as joined
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.diagnostics import render
from dictamesh.specs.documents import Memory

EXAMPLES = Path(__file__).parents[2] / "examples"
CUSTOMERS, INVOICES, PRODUCTS = "products/customers.yaml", "products/invoices.yaml", "products/products.yaml"
PRIVACY, FINANCE = "policies/privacy.yaml", "policies/finance.yaml"
MESH, TAXONOMY = "mesh.yaml", "taxonomy.yaml"
TESTS = "\ntests:\n"

Edit = tuple[str, str, str]
"""A file, a text in it, and what stands there afterwards."""


def files() -> dict[str, str]:
    """The spec files of the example, without the inline tests: these would refuse most changes before anything else."""
    found = {str(path.relative_to(EXAMPLES)): path.read_text("utf-8") for path in sorted(EXAMPLES.rglob("*.yaml"))}
    found = {name: text for name, text in found.items() if name.partition("/")[0] not in {"extra", "gitops"}}
    for name in (PRIVACY, FINANCE):
        documents = [each.partition(TESTS)[0] for each in found[name].split("\n---\n")]
        found[name] = "\n---\n".join(documents) + "\n"
    return found


def edited(tree: dict[str, str], *edits: Edit) -> dict[str, str]:
    """A tree with edits; each text must stand in its file (an empty one: a new file)."""
    for name, before, after in edits:
        text = tree.get(name, "")
        assert before in text, f"{name} holds no {before!r}"
        tree = {**tree, name: text.replace(before, after) if before else text + after}
    return tree


def plan(tree: dict[str, str]) -> Plan:
    """The plan of a tree that has one."""
    return side(tree).plan


def side(tree: dict[str, str]) -> Tree:
    """A tree as the comparison takes it."""
    found = build(Memory(tree), "mesh.yaml")
    assert found.plan is not None, render(found.diagnostics, found.sources)
    return joined(found.plan, found.loaded.documents)

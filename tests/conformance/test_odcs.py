# SPDX-License-Identifier: Apache-2.0
"""Contracts of the standard's own test set: all examples come in and go out again, each negative is refused by name."""

import re
from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.mesh.build import build
from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Memory, write
from dictamesh.specs.odcs.check import check
from dictamesh.specs.odcs.exporting import to_contract
from dictamesh.specs.odcs.files import import_files
from dictamesh.specs.odcs.importing import to_product
from dictamesh.specs.odcs.keeping import same
from dictamesh.specs.odcs.schemas import VERSIONS
from tests.support.contracts import SCHEMAS, complaints, documents
from tests.support.golden import cases
from tests.support.running import ROOT
from tests.support.testsets import files_of, folder_of

EXAMPLES = files_of("odcs", "examples-v3.1/**/*.odcs.yaml")
NEGATIVES = files_of("odcs", "negative-v3.2-dev/*.odcs.yaml")
MESH = b"apiVersion: dictamesh/v1\nkind: Mesh\nname: all\ninclude: '*.yaml'\n"

# What the name of a file says is at fault: the key that a finding names, and the line that it stands at.
FAULTS = {
    "additional-unknown-property": ("unknownRootField", "unknownRootField:"),
    "enum-empty": ("enum", "enum: []"),
    "invalid-api-version": ("apiVersion", "apiVersion:"),
    "invalid-quality-dimension": ("dimension", "dimension: validity"),
    "invalid-quality-type": ("type", "type: unknown"),
    "map-missing-key": ("key", "value:"),
    "missing-required-fields": ("id", "version:"),
    "quality-element-field": ("element", "element:"),
    "quality-multiple-operators": ("mustNotBe", "mustNotBe:"),
    "quality-sql-missing-query": ("query", "type: sql"),
    "relationship-schema-level-missing-from-to": ("from", "type: foreignKey"),
    "schema-property-missing-name": ("name", "logicalType: string"),
    "server-missing-conditional-fields": ("schema", "server: athena-prod"),
    "sla-missing-required-value": ("value", "property: latency"),
}


def example(path: Path | None) -> Path:
    folder_of("odcs")
    assert path is not None
    return path


def test_the_test_set_is_whole() -> None:
    folder_of("odcs")
    assert len(EXAMPLES) >= 18
    assert len(NEGATIVES) >= 14


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name if path else "none")
def test_an_example_comes_in_and_goes_out_as_it_was(path: Path | None) -> None:
    (document,) = documents(example(path))
    findings = Findings()
    check(document, findings)
    assert [each.message for each in findings] == []
    imported = to_product(document.plain(), "example")
    exported = to_contract(imported.product)
    assert exported.lost == imported.lost == ()
    assert complaints(exported.contract) == []
    assert same(exported.contract, {**document.plain(), "apiVersion": "v3.1.0"})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name if path else "none")
def test_an_imported_example_is_a_product_without_an_error(path: Path | None) -> None:
    (document,) = documents(example(path))
    product = to_product(document.plain(), "example").product
    built = build(Memory({"mesh.yaml": MESH, "product.yaml": write(product)}), "mesh.yaml")
    assert built.plan is not None, [each.message for each in built.diagnostics]
    assert [each.served for each in built.plan.products.values()] == [False]
    assert same(built.plan.products[product["name"]].document, product)


def test_all_examples_come_into_one_mesh() -> None:
    files = {str(path): example(path).read_bytes() for path in EXAMPLES if path is not None}
    if not files:
        folder_of("odcs")
    made = import_files(files, lambda _name: None)
    assert not made.failed
    assert len({each.name for each in made.products}) == len(files)
    tree = {f"{each.name}.yaml": each.text or "" for each in made.products}
    built = build(Memory({"mesh.yaml": MESH, **tree}), "mesh.yaml")
    assert built.plan is not None
    assert len(built.plan.products) == len(files)


@pytest.mark.parametrize("path", NEGATIVES, ids=lambda path: path.name if path else "none")
def test_a_negative_is_refused_at_the_field_that_its_name_says(path: Path | None) -> None:
    path = example(path)
    made = import_files({path.name: path.read_bytes()}, lambda _name: None)
    assert made.failed
    assert made.products == ()
    key, line = FAULTS.get(path.name.removesuffix(".odcs.yaml"), ("", ""))
    source = made.sources[path.name]
    named = [each for each in made.diagnostics if re.search(rf"'{key}'", each.message)]
    assert named, [each.message for each in made.diagnostics]
    assert any(line in (source.line(each.line) or "") for each in named), [str(each.span) for each in named]


def test_a_negative_says_nothing_beside_the_point() -> None:
    """One file, one fault, but for the two keys of a relationship and those of a rule that has no metric."""
    counts = {}
    for path in map(example, NEGATIVES):
        made = import_files({path.name: path.read_bytes()}, lambda _name: None)
        counts[path.name.removesuffix(".odcs.yaml")] = len(made.diagnostics)
    more = {name for name, count in counts.items() if count > 1}
    assert more <= {"quality-element-field", "relationship-schema-level-missing-from-to"}


def test_the_schemas_are_those_of_the_test_set() -> None:
    folder = folder_of("odcs") / "schema"
    for name in VERSIONS.values():
        file = f"odcs-json-schema-{name}.json"
        assert (SCHEMAS / file).read_bytes() == (folder / file).read_bytes()


def products() -> list[Any]:
    """Every product in the repository that its mesh accepts: the examples, the fixtures, the golden cases."""
    found = [
        pytest.param(document.plain(), id=f"{path.name}-{document.index}")
        for folder in ("examples/products", "examples/extra", "tests/e2e/canaries/products")
        for path in sorted((ROOT / folder).glob("*.yaml"))
        for document in documents(path)
        if document.kind == "DataProduct"
    ]
    for case in cases("*.md"):
        given = case.values[0]
        if given.runner == "validate" and " error: " not in (given.expected or ""):
            built = build(Memory(given.files), given.options.get("main", "mesh.yaml"))
            found += [
                pytest.param(document.plain(), id=f"{case.id}-{index}")
                for index, document in enumerate(built.loaded.documents)
                if document.kind == "DataProduct"
            ]
    return found


@pytest.mark.parametrize("product", products())
def test_a_product_goes_out_and_comes_in_as_it_was(product: dict[str, Any]) -> None:
    contract = to_contract(product).contract
    assert complaints(contract) == []
    back = to_product(contract, "any")
    assert same(back.product, product)
    assert back.lost == ()

# SPDX-License-Identifier: Apache-2.0
"""Whatever the bytes: loading answers with documents and placed findings, and both are shown without a fault."""

import random

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from dictamesh.specs.diagnostics import render
from dictamesh.specs.documents import Loaded, Memory, load

MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: acme
include: [taxonomy.yaml, "products/*.yaml"]
servers:
  cms: {type: rest, url: "${env:CMS_URL:-http://127.0.0.1:8055}", auth: {kind: bearer, token: "${file:keys/cms.token}"}}
defaults: &defaults {retries: 3, timeout: 2.5}
security:
  anonymous: {sees: public}
  limits: *defaults
"""
PRODUCT = """\
kind: DataProduct
id: invoices
description: |
  Invoices of the ERP
    with their items.
schema:
  - name: Invoice
    properties:
      - {name: id, logicalType: string, primaryKey: true}
      - {name: "tötal", transformLogic: 'total_cents / 100.0', tags: [finance, "pii.direct"]}
---
kind: Policy
rules: [{name: "a\\tb", effect: allow}]
"""
TAXONOMY = "kind: Taxonomy\ntiers: [public, internal]\n"
PIECES = list("\t\0\ufeff-:{}[]'\"|>%@`\r\n\x85\u2028😀\x1b#?\\,* ")
PIECES += ["&a ", "*a ", "<<: ", "!!str ", "...", "---\n", "- ", ": ", "? ", "\n\n", "  ", "0x", "1e999", "../"]


def loaded(mesh: str | bytes, product: str | bytes = PRODUCT) -> Loaded:
    files = {"mesh.yaml": mesh, "products/a.yaml": product, "taxonomy.yaml": TAXONOMY}
    result = load(Memory(files), "mesh.yaml")
    text = render(result.diagnostics, result.sources, colour=False)
    assert all(character >= " " or character == "\n" for character in text)
    for each in result.diagnostics:
        orjson.dumps(each.to_json())
        assert each.line >= 1
        assert each.column >= 1
        assert (each.line, each.column) <= (each.end_line, each.end_column)
        source = result.sources.get(each.file)
        if source is not None:
            line = source.line(each.line)
            assert line is not None
            assert each.column <= len(line) + 2  # the break itself is a place
    for document in result.documents:
        walk(document, (), document.plain())
    assert result.mesh is not None or result.failed
    return result


def walk(document, path, value) -> None:
    """Every value has a place of its own, and the text there begins on the line named."""
    span = document.locate(path)
    assert span.line >= 1
    if isinstance(value, dict):
        for key, inner in value.items():
            assert isinstance(key, str)
            key_span = document.locate_key((*path, key))
            assert document.source.line(key_span.line)[key_span.column - 1 :] != ""
            walk(document, (*path, key), inner)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            walk(document, (*path, position), inner)


def mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        width = chance.choice([0, 0, 1, 1, 2, 5, 20])
        piece = chance.choice([*PIECES, "", text[chance.randrange(len(text)) :][: chance.randint(0, 30)]])
        text = text[:at] + piece + text[at + width :]
        text = text or "x"
    return text


def test_unchanged_tree_is_clean() -> None:
    assert loaded(MESH).diagnostics == ()


def test_mutated_trees_never_raise() -> None:
    chance = random.Random(20)
    outcomes = set()
    for _ in range(1_500):
        result = loaded(mutated(MESH, chance), mutated(PRODUCT, chance))
        outcomes |= {each.code for each in result.diagnostics}
    assert len(outcomes) >= 10


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    loaded(data, data)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*PIECES, "a", "b: ", "\n", " "]), max_size=40).map("".join))
def test_any_punctuation(text: str) -> None:
    loaded("kind: Mesh\n" + text, text)

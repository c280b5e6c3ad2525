# SPDX-License-Identifier: Apache-2.0
"""Edits keep what they do not touch, mean what they say, and give diffs that git takes."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.specs.diagnostics import Findings, Source
from dictamesh.specs.documents.document import Document
from dictamesh.specs.documents.edits import (
    Edit,
    Unwritable,
    append,
    append_document,
    applied,
    replace,
    set_keys,
    written,
)
from dictamesh.specs.documents.nodes import Mapping
from dictamesh.specs.documents.patch import unified
from dictamesh.specs.documents.reader import read

AFTER = ("name", "logicalType", "classification")


def document(text: str) -> Document:
    findings = Findings()
    node = read(Source("a.yaml", text), findings)[0]
    assert not list(findings)
    assert isinstance(node, Mapping)
    return Document(Source("a.yaml", text), 0, "", node)


def plain(text: str) -> object:
    return document(text).plain()


def edited(text: str, *edits: Edit) -> str:
    return applied(text, edits)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("p: {name: a}\n", "p: {name: a, tags: [x], tier: low}\n"),
        ("p: {name: a,} # c\n", "p: {name: a, tags: [x], tier: low,} # c\n"),
        ("p: {name: a,\n  b: [1] # c\n  }\n", "p: {name: a,\n  b: [1], tags: [x], tier: low # c\n  }\n"),
        ("p: {}\n", "p: {tags: [x], tier: low}\n"),
        ("p:\n  name: a # c\n\n  b: 1\n", "p:\n  name: a # c\n  tags: [x]\n  tier: low\n\n  b: 1\n"),
        ("p:\n  b: 1\n  name: a", "p:\n  b: 1\n  name: a\n  tags: [x]\n  tier: low"),
        ("p:\r\n  name: a\r\nq: 1\r\n", "p:\r\n  name: a\r\n  tags: [x]\r\n  tier: low\r\nq: 1\r\n"),
        ("p:\n  b: 1\n  c: 2\n", "p:\n  tags: [x]\n  tier: low\n  b: 1\n  c: 2\n"),
        ("p:\n  name: >-\n    a\n    b\n  c: 2\n", "p:\n  tags: [x]\n  tier: low\n  name: >-\n    a\n    b\n  c: 2\n"),
        ("p:\n  'name': \"a\" # c\n", "p:\n  'name': \"a\" # c\n  tags: [x]\n  tier: low\n"),
        ("p:\n", "p: {tags: [x], tier: low}\n"),
        ("p: # c\nq: 1\n", "p: {tags: [x], tier: low} # c\nq: 1\n"),
        ("p: ~\n", "p: {tags: [x], tier: low}\n"),
    ],
)
def test_keys_are_added(before: str, after: str) -> None:
    made = edited(before, set_keys(document(before), ("p",), {"tags": "[x]", "tier": "low"}, AFTER))
    old, new = plain(before), plain(made)
    assert isinstance(old, dict)
    assert isinstance(new, dict)
    assert new == {**old, "p": {**(old["p"] or {}), "tags": ["x"], "tier": "low"}}
    assert made == after


def test_keys_of_an_entry_of_a_list() -> None:
    before = "list:\n  - name: a\n    logicalType: string # c\n    deep: {b: 1}\n  - {name: b}\n"
    held = document(before)
    first = set_keys(held, ("list", 0), {"tier": "low"}, AFTER)
    second = set_keys(held, ("list", 1), {"tier": "low"}, AFTER)
    assert edited(before, second, first) == (
        "list:\n  - name: a\n    logicalType: string # c\n    tier: low\n    deep: {b: 1}\n  - {name: b, tier: low}\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("p: [a] # c\n", "p: [a, x, y] # c\n"),
        ("p: []\n", "p: [x, y]\n"),
        ("p: [a,\n  b]\n", "p: [a,\n  b, x, y]\n"),
        ("p:\n  - a\n  - b # c\nq: 1\n", "p:\n  - a\n  - b # c\n  - x\n  - y\nq: 1\n"),
        ("p:\n-   a", "p:\n-   a\n-   x\n-   y"),
        ("p:\r\n- a\r\n", "p:\r\n- a\r\n- x\r\n- y\r\n"),
    ],
)
def test_entries_are_added(before: str, after: str) -> None:
    assert edited(before, append(document(before), ("p",), ["x", "y"])) == after


def test_values_are_replaced() -> None:
    assert edited("a: {b: old} # c\n", replace(document("a: {b: old} # c\n"), ("a", "b"), "new")) == "a: {b: new} # c\n"
    assert edited("a: 'x'\n", replace(document("a: 'x'\n"), ("a",), "{y: 1}")) == "a: {y: 1}\n"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: &x {b: c}\np: *x\n", ("p",)),
        ("a: &x {b: c}\np: *x\n", ("p", "b")),
        ("a: &x {b: c}\np: *x\n", ("a",)),
        ("a: &x {b: c}\np: *x\n", ("a", "b")),
        ("a: &x [c]\np: *x\n", ("p",)),
        ("a: &x c\np: *x\n", ("p",)),
        ("a: &x c\np: *x\n", ("q",)),
        ("a: &x c\np: *x\n", ("a",)),
    ],
)
def test_what_is_shared_is_left_alone(text: str, path: tuple[str, ...]) -> None:
    held = document(text)
    for attempt in (
        lambda: set_keys(held, path, {"x": "y"}),
        lambda: replace(held, path, "y"),
        lambda: append(held, path, ["y"]),
    ):
        with pytest.raises(Unwritable):
            attempt()


def test_unusual_forms_are_left_alone() -> None:
    with pytest.raises(Unwritable):
        append(document("p:\n  - |\n    a\n  - >-\n    b\n    c\n"), ("p",), ["x"])
    with pytest.raises(Unwritable):
        replace(document("p:\n  - a\n"), ("p",), "x")
    with pytest.raises(Unwritable):
        set_keys(document("p: text\n"), ("p",), {"x": "y"})


def test_overlapping_edits_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        applied("abcdef", [Edit("f", 0, 3, "x"), Edit("f", 2, 4, "y")])


@given(st.text(max_size=30))
def test_written_text_is_read_back(value: str) -> None:
    text = f"a: {{k: {written(value)}, {written('K' + value)}: 1}}\n"
    findings = Findings()
    found = read(Source("a.yaml", text), findings)
    if not list(findings):  # characters that YAML does not allow, such as lone surrogates
        assert found[0].value == {"a": {"k": value, "K" + value: 1}}
    else:
        assert not value.isprintable()


def test_a_document_is_added() -> None:
    assert edited("a: 1", append_document(document("a: 1"), "b: 2\n")) == "a: 1\n---\nb: 2\n"
    assert edited("a: 1\r\n", append_document(document("a: 1\r\n"), "b: 2\n")) == "a: 1\r\n---\r\nb: 2\r\n"


FILES = {
    "plain.yaml": ("a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n", "a: 1\nb: two\nc: 3\nd: 4\ne: 5\nf: 6\n"),
    "no end.yaml": ("a: 1\nb: 2", "a: 1\nb: 2\nc: 3"),
    "ended.yaml": ("a: 1", "a: 1\n"),
    "dos.yaml": ("a: 1\r\nb: 2\r\n", "a: 1\r\nx: 3\r\nb: 2\r\n"),
    "odd.yaml": ("a: \x0c\u2028 x\nb: 1\n", "a: \x0c\u2028 x\nb: 2\n"),
    'deep/quo"te é.yaml': ("a: 1\n", "a: 2\n"),
    "same.yaml": ("a: 1\n", "a: 1\n"),
}


def test_git_takes_the_diff(tmp_path: Path) -> None:
    for name, (before, _) in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(before.encode())
    diff = unified(FILES)
    assert "same.yaml" not in diff
    (tmp_path / "a.patch").write_bytes(diff.encode())
    done = subprocess.run(["git", "apply", "a.patch"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, (_, after) in FILES.items():
        assert (tmp_path / name).read_bytes() == after.encode(), name


def test_no_change_is_no_diff() -> None:
    assert unified({"a": ("x\n", "x\n")}) == ""

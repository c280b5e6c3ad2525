# SPDX-License-Identifier: Apache-2.0
"""YAML to nodes: values by the core schema, places, and the same from both parsers."""

import math

import pytest

from dictamesh.specs.diagnostics import Findings, Source
from dictamesh.specs.documents import MAX_NODES, Mapping, Sequence
from dictamesh.specs.documents.reader import MAX_FAULTS, events, pure_events, read
from tests.support.golden import CASES
from tests.support.golden import read as read_cases


def one(text: str, parser=events) -> tuple[Mapping, Source]:
    source, findings = Source("a.yaml", text), Findings()
    (node,) = read(source, findings, parser)
    assert list(findings) == []
    return node, source


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ("null", None),
        ("None", "None"),
        ("0", 0),
        ("-12", -12),
        ("007", 7),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("190:20", "190:20"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        (".", "."),
        ("-", None),
        ("+", "+"),
        ("1.2.0", "1.2.0"),
        ("2020-01-31", "2020-01-31"),
        ("2020-01-31T10:00:00Z", "2020-01-31T10:00:00Z"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("''", ""),
        ("٣", "٣"),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema(written: str, value: object) -> None:
    node, _ = one(f"a: [{written}]" if written not in {"", "-"} else "a: [~]" if written else "a:\n  -\n")
    result = node.value["a"][0]
    assert result == value
    assert type(result) is type(value)


def test_nan_is_a_float() -> None:
    assert math.isnan(one("a: .nan")[0].value["a"])


TEXT = """\
# é😀 stand before
name: é😀 x   # comment
"quoted key" : 'it''s'
empty:
list:
  - a
  - {b: 1, c: [2, 3]}   # comment

block: |
  one
  two
map:
  deep:
    x: 1

last: end
"""

PLACES = [
    ("name", "name", "é😀 x"),
    ("quoted key", '"quoted key"', "'it''s'"),
    ("empty", "empty", ""),
    ("list", "list", "- a\n  - {b: 1, c: [2, 3]}"),
    ("block", "block", "|\n  one\n  two\n"),
    ("map", "map", "deep:\n    x: 1"),
    ("last", "last", "end"),
]


@pytest.mark.parametrize("parser", [events, pure_events])
@pytest.mark.parametrize("breaks", ["\n", "\r\n"])
def test_places_are_those_of_the_text(parser, breaks: str) -> None:
    text = TEXT.replace("\n", breaks)
    node, source = one(text, parser)
    for key, key_text, value_text in PLACES:
        start, end = node.key_place(key)
        assert text[start:end] == key_text
        start, end = node.place(key)
        assert text[start:end].replace("\r\n", "\n") == value_text
    inner = node.child("list").child(1)
    start, end = inner.child("c").place(1)
    assert text[start:end] == "3"
    assert source.span(*node.place("name")).column == 7
    assert source.span(*node.place("name")).end_column == 11


def test_order_and_plain_data() -> None:
    node, _ = one("z: 1\na: {y: [1, {x: 2}], b: ~}\nm: t")
    assert list(node.value) == ["z", "a", "m"]
    assert node.value == {"z": 1, "a": {"y": [1, {"x": 2}], "b": None}, "m": "t"}


def test_alias_shows_itself_and_its_children_the_anchor() -> None:
    node, source = one("a: &x {k: [1]}\nb: *x\nc: &s text\nd: [*s]")
    assert node.value["b"] == {"k": [1]}
    assert node.value["d"] == ["text"]
    assert str(source.span(*node.place("b"))) == "a.yaml:2:4"
    assert str(source.span(*node.child("b").place("k"))) == "a.yaml:1:11"


def test_anchor_is_of_its_own_document_and_the_last_one_counts() -> None:
    source, findings = Source("a.yaml", "a: &x 1\nb: &x 2\nc: *x\n---\na: *x\n"), Findings()
    first, second = read(source, findings)
    assert first.value["c"] == 2
    assert second.value == {"a": None}
    assert [(each.code, each.line) for each in findings] == [("DM017", 5)]


def test_nodes_are_counted_with_aliases() -> None:
    def codes(text: str) -> list[str]:
        findings = Findings()
        read(Source("a.yaml", text), findings)
        return [each.code for each in findings]

    width = 99
    entries = "[" + ", ".join("x" * width) + "]"
    fits = (MAX_NODES - 1000) // (width + 1)
    assert codes(f"a: &a {entries}\nb: [{', '.join(['*a'] * fits)}]") == []
    assert codes(f"a: &a {entries}\nb: [{', '.join(['*a'] * (fits + 20))}]") == ["DM020"]
    assert codes("a: [" + "x," * (MAX_NODES - 10) + "]") == []
    assert codes("a: [" + "x," * MAX_NODES + "]") == ["DM020"]


def test_faults_are_bounded() -> None:
    findings = Findings()
    read(Source("a.yaml", "a: [" + "!t x," * 5000 + "]"), findings)
    assert len(findings) == MAX_FAULTS + 1
    assert [each.code for each in findings][-1] == "DM023"


def test_long_integer_is_refused_and_a_shorter_one_kept() -> None:
    findings = Findings()
    (node,) = read(Source("a.yaml", f"a: {'9' * 5000}\nb: {'9' * 30}\nc: 0x{'f' * 5000}\nd: 0x{'f' * 290}"), findings)
    assert [each.code for each in findings] == ["DM021", "DM021", "DM021"]
    assert node.value["b"] == int("9" * 30)


def shape(node: object) -> object:
    """Values and places of a tree."""
    if isinstance(node, Mapping):
        return [(key, node.key_place(key), node.place(key), shape(node.child(key))) for key in node.value]
    if isinstance(node, Sequence):
        return [(node.place(at), shape(node.child(at))) for at in range(len(node))]
    return node


# The pure parser counts a byte order mark, which `load` refuses, and has no tab after a colon.
UNLIKE = {"a byte order mark", "wide characters and tabs before the fault"}


ALIKE = [case for case in read_cases(CASES / "reading.md") if case.title not in UNLIKE]


@pytest.mark.parametrize("case", ALIKE, ids=lambda case: case.title)
def test_both_parsers_read_alike(case) -> None:
    for name, data in case.files.items():
        try:
            source = Source(name, data.decode())
        except UnicodeDecodeError:
            continue
        fast, slow = Findings(), Findings()
        one_way = [shape(node) for node in read(source, fast, events)]
        other_way = [shape(node) for node in read(source, slow, pure_events)]
        assert one_way == other_way
        syntax = {"DM011", "DM012"}
        assert {each.code in syntax or each for each in fast} == {each.code in syntax or each for each in slow}

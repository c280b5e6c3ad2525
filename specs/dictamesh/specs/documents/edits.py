# SPDX-License-Identifier: Apache-2.0
"""Small edits of a document's text at places of its tree: what is not touched keeps its format and its comments."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dictamesh.specs.documents.document import Document, Path, child_place
from dictamesh.specs.documents.nodes import Mapping as MappingNode
from dictamesh.specs.documents.nodes import Place, Scalar, Sequence
from dictamesh.specs.documents.scalars import NumberRangeError, resolve

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_REFERENCES = "*&"  # how an alias and an anchor begin


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Text that takes the place of the characters from `start` to `end` of a file."""

    file: str
    start: int
    end: int
    text: str


class Unwritable(Exception):  # noqa: N818 - a state of the text, told to the user
    """The place cannot be edited alone: an alias or anchor shares it, or it is written in an unusual way."""


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text of a file after edits that do not overlap. Raises ValueError where two do."""
    made: list[str] = []
    at = 0
    for edit in sorted(edits):
        if edit.start < at:
            raise ValueError("two edits overlap")
        made += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*made, text[at:]])


def written(value: str) -> str:
    """A text as YAML writes it within flow style, in quotes where it needs them."""
    try:
        plain = _PLAIN.fullmatch(value) is not None and resolve(value) == value
    except NumberRangeError:
        plain = False
    return value if plain else json.dumps(value, ensure_ascii=False)


def set_keys(document: Document, path: Path, values: Mapping[str, str], after: Iterable[str] = ()) -> Edit:
    """Add keys to the mapping at a path; the values are YAML in flow style.

    In block style they stand after the last of the keys `after` whose value takes one line, else before the first key.
    An empty value becomes a mapping. Raises Unwritable.
    """
    place = _own(document, path)
    text = document.source.text
    pairs = ", ".join(f"{written(key)}: {value}" for key, value in values.items())
    node = document.find(path)
    if isinstance(node, Scalar) and node.value is None:
        gap = " " if place[0] == place[1] and not text[place[0] - 1 : place[0]].isspace() else ""
        return Edit(document.file, *place, f"{gap}{{{pairs}}}")
    if not isinstance(node, MappingNode):
        raise Unwritable("it is no mapping")
    if text[place[0]] == "{":
        at = max((node.place(key) or place)[1] for key in node.value) if node.value else place[0] + 1
        return Edit(document.file, at, at, f", {pairs}" if node.value else pairs)
    return _lines(document, node, [f"{written(key)}: {value}" for key, value in values.items()], after)


def replace(document: Document, path: Path, value: str) -> Edit:
    """Write another value, in flow style, in the place of a scalar or flow collection. Raises Unwritable."""
    place = _own(document, path)
    node = document.find(path)
    if node is None or (not isinstance(node, Scalar) and document.source.text[place[0]] not in "{["):
        raise Unwritable("it is written over several lines")
    return Edit(document.file, *place, value)


def append(document: Document, path: Path, entries: Iterable[str]) -> Edit:
    """Add entries, in flow style, at the end of the list at a path. Raises Unwritable."""
    place = _own(document, path)
    text, node = document.source.text, document.find(path)
    if not isinstance(node, Sequence):
        raise Unwritable("it is no list")
    last = node.place(len(node) - 1)
    if text[place[0]] == "[":
        at = place[0] + 1 if last is None else last[1]
        return Edit(document.file, at, at, ("" if last is None else ", ") + ", ".join(entries))
    if last is None:
        raise Unwritable("it is an empty list without brackets")
    return _items(document, last, entries)


def append_document(document: Document, body: str) -> Edit:
    """Add a document at the end of the file of another one; `body` ends its lines with a line feed."""
    text = document.source.text
    newline = _newline(text, len(text))
    gap = "" if text.endswith("\n") else newline
    return Edit(document.file, len(text), len(text), gap + f"---\n{body}".replace("\n", newline))


def _own(document: Document, path: Path) -> Place:
    """The place of a value that is written there and stands for nothing else."""
    text = document.source.text
    node = document.node
    place: Place = (node.start, node.end)
    for index, step in enumerate(path):
        found = child_place(document.find(path[:index]), step)
        if found is None:
            raise Unwritable("it is not there")
        place = found
        if text[place[0] : place[0] + 1] in _REFERENCES and place[0] < place[1]:
            raise Unwritable("it is written by an alias or an anchor, which other places share")
    return place


def _lines(document: Document, node: MappingNode, lines: list[str], after: Iterable[str]) -> Edit:
    text = document.source.text
    keys = [key for key in after if _takes_one_line(document, node, key)]
    first = node.key_place(next(iter(node.value)))
    if first is None:
        raise Unwritable("it has no key")
    indent = " " * (document.source.place(first[0])[1] - 1)
    if not keys:
        newline = _newline(text, first[0])
        return Edit(document.file, first[0], first[0], "".join(f"{line}{newline}{indent}" for line in lines))
    at = max(_line_end(text, (node.place(key) or first)[1]) for key in keys)
    newline = _newline(text, at)
    return Edit(document.file, at, at, "".join(f"{newline}{indent}{line}" for line in lines))


def _takes_one_line(document: Document, node: MappingNode, key: str) -> bool:
    whole, place = node.key_place(key), node.place(key)
    if whole is None or place is None or document.source.text[place[0] : place[0] + 1] in {"|", ">"}:
        return False
    line = document.source.place(whole[0])[0]
    return line == document.source.place(place[1])[0]


def _items(document: Document, last: Place, entries: Iterable[str]) -> Edit:
    text = document.source.text
    begin = max(text.rfind("\n", 0, last[0]), text.rfind("\r", 0, last[0])) + 1
    lead = text[begin : last[0]]
    if lead.strip() != "-" or document.source.place(last[0])[0] != document.source.place(last[1])[0]:
        raise Unwritable("its last entry is not written on one line")
    at = _line_end(text, last[1])
    newline = _newline(text, at)
    return Edit(document.file, at, at, "".join(f"{newline}{lead}{entry}" for entry in entries))


def _line_end(text: str, at: int) -> int:
    found = re.compile(r"\r\n|\n|\r|\Z").search(text, at)
    return len(text) if found is None else found.start()


def _newline(text: str, at: int) -> str:
    """How the line at a place ends, or else the first line of the file."""
    ends = re.compile(r"\r\n|\n|\r")
    found = ends.search(text, at) or ends.search(text)
    return "\n" if found is None else found[0]

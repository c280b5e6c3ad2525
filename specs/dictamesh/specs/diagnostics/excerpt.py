# SPDX-License-Identifier: Apache-2.0
"""One line of source text as it is shown: secrets blanked, odd characters escaped, long lines shortened."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

WIDTH = 100
"""Columns of a terminal that an excerpt fills at most, the line number not counted."""
BLANK = "***"
_LONG = 4_000  # characters of a line that are looked at, so that the work per finding is bounded
_HEAD = 28
_BEFORE = 32
_CUT = "..."

# What a literal secret looks like in a line, for lines whose secret was not (yet) found by the check of the models.
_SECRET_KEY = re.compile(
    r"""
    (?: passw(?:or)?d | passphrase | secret | token | pepper | credential | api[-_]?key | (?<![\w-])key ) s?
    ["']? \s* : \s+
    (?P<value> "(?:[^"\\]|\\.)*"? | '(?:[^']|'')*'? | [^\s,{}\[\]\#&*|>] [^,}\]]* )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ASSIGNED = re.compile(r"(?i)(?:password|secret|token|key)=(?P<value>[^\s&;,'\"]+)")
_USERINFO = re.compile(r"://[^/\s:@\"']*:(?P<value>[^@\s/\"']+)@")
# A default that is not empty is a literal.
_REFERENCE = re.compile(r"""["']?\$\{(?:env:\w*(?::-)?|file:[^}]*)\}["']?\s*""")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A line ready to print, with the offset and the length, in terminal columns, of what the caret underlines."""

    text: str
    offset: int
    length: int


def excerpt(line: str, start: int, end: int, secrets: Iterable[tuple[int, int]] = ()) -> Excerpt:
    """The excerpt for the characters `start` to `end` (from 0, end exclusive) of a line.

    `secrets` are stretches of the line to blank, besides those that look like a literal secret.
    """
    start = min(max(start, 0), len(line))
    end = min(max(end, start), len(line))
    if len(line) > _LONG:
        first = max(start - _LONG // 2, 0)
        line, start, end = line[first : start + _LONG // 2], start - first, min(end - first, start - first + _LONG // 2)
        secrets = [(one - first, other - first) for one, other in secrets]
    cells = [_shown(character) for character in line]
    for first, last in _stretches(line, secrets):
        cells[first:last] = [BLANK, *[""] * (last - first - 1)]
    head = "".join(cells[:start])
    mark = "".join(cells[start:end])
    tail = "".join(cells[end:])
    return _shortened(head, mark, tail)


def printable(text: str) -> str:
    """The text with control and direction characters escaped."""
    return "".join(map(_shown, text))


def _stretches(line: str, secrets: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found = [(max(first, 0), min(last, len(line))) for first, last in secrets]
    for pattern in (_SECRET_KEY, _USERINFO, _ASSIGNED):
        for match in pattern.finditer(line):
            start, value = match.start("value"), match["value"]
            if pattern is _SECRET_KEY and value[0] not in "\"'" and not re.search(r"[{\[]", line[:start]):
                value = line[start:]  # outside of braces a comma belongs to the value
            if not _REFERENCE.fullmatch(value):
                found.append((start, start + len(value.rstrip())))
    return _merged(sorted(each for each in found if each[0] < each[1]))


def _merged(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in stretches:
        if merged and first < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _shown(character: str) -> str:
    if " " <= character <= "~":
        return character
    if character == "\t":
        return "  "
    category = unicodedata.category(character)
    if category in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return character.encode("unicode_escape").decode("ascii")
    return character


def _columns(text: str) -> int:
    """Columns that a terminal gives the text: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(each) in {"Mn", "Me"} else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def _shortened(head: str, mark: str, tail: str) -> Excerpt:
    if _columns(head) + _columns(mark) > WIDTH - len(_CUT) - 1:
        head = _headed(head)
    room = max(WIDTH - _columns(head) - len(_CUT), 16)
    if _columns(mark) > room:
        mark, tail = _clipped(mark, room), ""
        return Excerpt(head + mark + _CUT, _columns(head), _columns(mark))
    length = _columns(mark)
    room += len(_CUT)
    if length + _columns(tail) > room:
        tail = _clipped(tail, room - length - len(_CUT)) + _CUT
    return Excerpt((head + mark + tail).rstrip(), _columns(head), max(length, 1))


def _clipped(text: str, columns: int) -> str:
    """The longest prefix of the text that fits."""
    if text.isascii():
        return text[: max(columns, 0)]
    used = 0
    for position, character in enumerate(text):
        used += _columns(character)
        if used > columns:
            return text[:position]
    return text


def _headed(head: str) -> str:
    """The text before the mark with its middle cut out, at commas where there are some."""
    first = head[:_HEAD]
    if _columns(head) <= _HEAD + _BEFORE:
        return head
    last = head[-_BEFORE:]
    comma = first.rfind(", ")
    first = first[: comma + 2] if comma > 0 else first.rstrip() + " "
    comma = last.find(", ")
    return first + _CUT + (last[comma:] if comma >= 0 else last)

# SPDX-License-Identifier: Apache-2.0
"""Words of a text with their places, and what each looks like."""

import re
from dataclasses import dataclass
from functools import cache

from dictamesh.runtime.scan.formats.people import word_list

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Token:
    """One word; `first`: it begins the text, a line or a sentence."""

    text: str
    start: int
    end: int
    first: bool

    @property
    def lower(self) -> str:
        return self.text.lower()

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()

    @property
    def shouted(self) -> bool:
        return len(self.text) > 1 and self.text.isupper()

    @property
    def common(self) -> bool:
        return self.lower in _common() or self.lower.partition("'")[0] in _common()

    @property
    def parts(self) -> list[str]:
        return [self.lower, *self.lower.split("-")]

    @property
    def given(self) -> bool:
        return any(part in _given() for part in self.parts)

    @property
    def family(self) -> bool:
        return any(part in _family() for part in self.parts)


@cache
def _given() -> frozenset[str]:
    return word_list("given")


@cache
def _family() -> frozenset[str]:
    return word_list("family")


@cache
def _common() -> frozenset[str]:
    return word_list("common")


def tokens(text: str) -> list[Token]:
    """The words of a text; a possessive `'s` does not belong to its word."""
    found = []
    for match in _WORD.finditer(text):
        word = re.sub(r"['’]s$", "", match[0])
        before = text[: match.start()].rstrip(" \t\"'“”(?*-")
        first = not before or before[-1] in ".!?:\n"
        found.append(Token(word, match.start(), match.start() + len(word), first))
    return found

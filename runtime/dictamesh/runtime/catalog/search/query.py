# SPDX-License-Identifier: Apache-2.0
"""What people type into a search box, read without errors: words, "phrases", -without, and OR between groups."""

import re
from dataclasses import dataclass

LONGEST_QUERY = 256
MOST_TERMS = 16

_TOKEN = re.compile(r'(?P<minus>-?)"(?P<phrase>[^"]*)"?|(?P<bare>[^\s"]+)')
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Term:
    """Words in a row, of which the last may go on where it is no ``phrase``; ``without`` excludes what has them."""

    words: tuple[str, ...]
    phrase: bool = False
    without: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """Groups of terms: one of the groups must be met, and of a group every term; none at all is met by nothing."""

    groups: tuple[tuple[Term, ...], ...]


def read(text: str) -> Query:
    """Read a query; every text has a meaning, the 17th term and what follows have none."""
    groups: list[list[Term]] = [[]]
    count = 0
    for token in _TOKEN.finditer(text[:LONGEST_QUERY]):
        bare = token["bare"]
        if bare in {"OR", "or", "|"}:
            groups.append([])
            continue
        term = _phrase(token) if bare is None else _words(bare)
        if term is not None and count < MOST_TERMS:
            groups[-1].append(term)
            count += 1
    return Query(tuple(tuple(group) for group in groups if group))


def _phrase(token: re.Match[str]) -> Term | None:
    words = tuple(_WORD.findall(token["phrase"].lower()))
    return Term(words, phrase=True, without=bool(token["minus"])) if words else None


def _words(bare: str) -> Term | None:
    words = tuple(_WORD.findall(bare.lower()))
    return Term(words, without=bare.startswith("-")) if words else None

# SPDX-License-Identifier: Apache-2.0
"""What the name of a column says of personal data."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from dictamesh.specs.pii.hints import LEADING, LIKELY, NEGATIVE, NOT_COMPOUNDS, PEOPLE, STRONG, WEAK
from dictamesh.specs.pii.kinds import KindName
from dictamesh.specs.pii.words import joined, words

_WIDEST = 5  # words of one hint
_TAIL = 6  # letters that a hint at the end of a longer word has at least
_ENDINGS = ("nummer", "number", "numero", "adresse", "address", "addr", "adr", "num", "nr", "no", "id", "s")


class Strength(IntEnum):
    """How much a name says: a WEAK hint counts only together with values, a STRONG one alone."""

    WEAK = 1
    LIKELY = 2
    STRONG = 3


@dataclass(frozen=True, slots=True)
class Hint:
    """One kind that a name hints at. `negative`: other words make it speak about the data rather than hold it."""

    kind: KindName
    strength: Strength
    negative: bool = False


def _entries(text: str) -> Iterator[str]:
    return (joined(entry) for entry in text.split(","))


def _table() -> Mapping[str, tuple[tuple[KindName, Strength], ...]]:
    found: dict[str, dict[KindName, Strength]] = {}
    for strength, rows in ((Strength.STRONG, STRONG), (Strength.LIKELY, LIKELY), (Strength.WEAK, WEAK)):
        for kind, text in rows.items():
            for entry in _entries(text):
                found.setdefault(entry, {}).setdefault(kind, strength)
    return {entry: tuple(kinds.items()) for entry, kinds in found.items()}


_TABLE = _table()
_TAILS = frozenset(
    ["email", "phone", *(entry for rows in STRONG.values() for entry in _entries(rows) if len(entry) >= _TAIL)]
)
_WORDS = frozenset(
    word
    for table in (STRONG, LIKELY, WEAK)
    for text in table.values()
    for entry in text.split(",")
    for word in (*words(entry), joined(entry))
)
_TAIL_LENGTHS = range(max(map(len, _TAILS)), min(map(len, _TAILS)) - 1, -1)
_NEGATIVE = frozenset(_entries(NEGATIVE))
_LEADING = frozenset(_entries(LEADING))
_NOT_COMPOUNDS = frozenset(_entries(NOT_COMPOUNDS))
_PEOPLE = frozenset(_entries(PEOPLE))


def hints(name: str) -> tuple[Hint, ...]:
    """The kinds that a name hints at, strongest first; the last part of a dotted path is its name."""
    return _hints(name.rpartition(".")[2])


def strong_hint(name: str) -> Hint | None:
    """The kind that a name alone tells."""
    for found in hints(name):
        if found.strength is Strength.STRONG and not found.negative:
            return found
    return None


def of_people(name: str) -> bool:
    """Whether the name of an entity or table is one of people."""
    return any(word in _PEOPLE or word.removesuffix("s") in _PEOPLE for word in words(name))


@lru_cache(maxsize=1 << 15)
def _hints(name: str) -> tuple[Hint, ...]:
    parts = words(name)
    if not any(map(_tells, parts)):
        return ()
    best: dict[KindName, tuple[Strength, int, bool]] = {}
    for start, end, kinds in _matches(parts):
        negative = _is_negated(parts, start, end)
        for kind, strength in kinds:
            found = (strength, end - start, negative)
            if kind not in best or found[:2] > best[kind][:2]:
                best[kind] = found
    ranked = sorted(best.items(), key=lambda item: item[1][:2], reverse=True)
    return tuple(Hint(kind, strength, negative) for kind, (strength, _, negative) in ranked)


_Match = tuple[int, int, tuple[tuple[KindName, Strength], ...]]


def _matches(parts: list[str]) -> Iterator[_Match]:
    """Hints by the words they cover; a shorter one within the words of a longer one is passed over."""
    covered: list[tuple[int, int]] = []
    for width in range(min(_WIDEST, len(parts)), 0, -1):
        for start in range(len(parts) - width + 1):
            end = start + width
            if any(first <= start and end <= last for first, last in covered):
                continue
            kinds = _TABLE.get("".join(parts[start:end]))
            if kinds is None and width == 1:
                kinds = _compound(parts[start])
            if kinds is not None:
                covered.append((start, end))
                yield start, end, kinds


@lru_cache(maxsize=1 << 13)
def _tells(word: str) -> bool:
    """Whether a word can be part of a hint: most names hold none, and are done with here."""
    return word in _WORDS or _compound(word) is not None


@lru_cache(maxsize=1 << 13)
def _compound(word: str) -> tuple[tuple[KindName, Strength], ...] | None:
    """A hint within one word: `kundentelefon`, `telefonnr`, `emails`."""
    size = len(word)
    if size < 5 or word.isdecimal():
        return None
    if word.endswith(_ENDINGS):
        for ending in _ENDINGS:
            if word.endswith(ending) and (kinds := _TABLE.get(word.removesuffix(ending))) is not None:
                return kinds
    for length in _TAIL_LENGTHS:
        if length < size and word[-length:] in _TAILS:
            known = word in _NOT_COMPOUNDS or word.removesuffix("s") in _NOT_COMPOUNDS
            return None if known else _TABLE[word[-length:]]
    return None


def _is_negated(parts: list[str], start: int, end: int) -> bool:
    others = [*parts[:start], *parts[end:]]
    if not others:
        return False
    leads = start > 0 and parts[0] in _LEADING
    about = parts[-1] in {"id", "at", "on", "by", "code", "date", "time", "flag"} and end < len(parts)
    return leads or about or any(word in _NEGATIVE for word in others)


class Names:
    """Names of columns that the taxonomy ties to its own tags, by `names`."""

    def __init__(self, by_tag: Mapping[str, Iterable[str]]) -> None:
        self._tags = {joined(name): tag for tag, names in by_tag.items() for name in names}
        self._known: dict[str, str | None] = {}

    def __bool__(self) -> bool:
        return bool(self._tags)

    def tag(self, name: str) -> str | None:
        """The tag that a column's name is tied to; the longest entry that its words hold decides."""
        if not self._tags:
            return None
        if name not in self._known:
            self._known[name] = self._find(words(name.rpartition(".")[2]))
        return self._known[name]

    def _find(self, parts: list[str]) -> str | None:
        for width in range(len(parts), 0, -1):
            for start in range(len(parts) - width + 1):
                found = self._tags.get("".join(parts[start : start + width]))
                if found is not None:
                    return found
        return None

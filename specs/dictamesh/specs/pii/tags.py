# SPDX-License-Identifier: Apache-2.0
"""Which tag of a mesh's own taxonomy means a kind of personal data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dictamesh.specs.pii.kinds import KINDS, Family, KindName
from dictamesh.specs.pii.words import joined

_FAMILIES: Mapping[Family, tuple[str, ...]] = {
    "direct": ("direct", "identifier", "identifiers", "contact"),
    "indirect": ("indirect", "quasi", "quasiidentifier", "quasiidentifiers"),
    "special": ("special", "specialcategory", "sensitive", "health"),
}


@dataclass(frozen=True, slots=True)
class TagChoice:
    """The tags of a taxonomy that are personal data, and those that say under `detects` what they are for."""

    pii: frozenset[str] = frozenset()
    detects: Mapping[KindName, str] = field(default_factory=dict)

    def tag(self, kind: KindName, also: Iterable[str] = ()) -> str | None:
        """The tag for a kind: the one that `detects` it, else by its last word, by its family, the broadest.

        `also` are words that say more than the kind does, such as `ssn` of a national identification number. None
        where the taxonomy has no personal tag.
        """
        if kind in self.detects:
            return self.detects[kind]
        return self._by_word([*also, *KINDS[kind].tags]) or self._by_family(KINDS[kind].family) or self._broadest()

    def _by_word(self, wanted: Iterable[str]) -> str | None:
        last: dict[str, str] = {}
        for tag in sorted(self.pii, key=_breadth):
            last.setdefault(joined(tag.rpartition(".")[2]), tag)
        return next((last[word] for word in wanted if word in last), None)

    def _by_family(self, family: Family) -> str | None:
        for word in _FAMILIES[family]:
            for tag in sorted(self.pii, key=_breadth):
                if joined(tag.rpartition(".")[2]) == word:
                    return tag
        return None

    def _broadest(self) -> str | None:
        return min(self.pii, key=_breadth, default=None)


def new_tag(kind: KindName) -> str:
    """The tag to declare where the taxonomy has none for personal data."""
    return f"pii.{KINDS[kind].family}.{kind}"


def _breadth(tag: str) -> tuple[int, str]:
    return tag.count("."), tag

# SPDX-License-Identifier: Apache-2.0
"""The columns of an entity's source: their types, and the sensitivity that a reader of each carries (S1, S2)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import EntitySource
from dictamesh.specs.model.product import Element, SourceColumnSpec
from dictamesh.specs.resolve.sensitivity import Sensitivity, Vocabulary, declared, join
from dictamesh.specs.resolve.typing import check_column_type
from dictamesh.specs.types import Type


@dataclass(slots=True)
class Columns:
    """Columns by physical name; `address.city` is a part of `address`, so the two share what they carry.

    So do names that differ in case alone: SQLite and DuckDB read one column by either, quoted or not.
    `leaves` are the sensitivities that properties declare for what they read, `short` the entries under `columns` whose
    tier follows from their readers.
    """

    types: dict[str, Type] = field(default_factory=dict)
    leaves: list[tuple[str, Sensitivity]] = field(default_factory=list)
    short: dict[str, Sensitivity] = field(default_factory=dict)
    _exact: dict[str, Sensitivity] = field(default_factory=dict)
    _dotted: bool = False

    def property(self, name: str, kind: Type, place: Site, findings: Findings) -> None:
        """Note the column of a property; a second property on it has the same type."""
        earlier = self.types.setdefault(name, kind)
        if earlier != kind:
            message = f"the column '{name}' is {earlier} in another property and {kind} here"
            findings.error("DM220", place / "logicalType", message, "Properties on one column have one type.")

    def leaf(self, path: str, what: Sensitivity) -> None:
        """Note what a property declares for the values at a path."""
        path = path.casefold()
        self.leaves.append((path, what))
        self._exact[path] = join([self._exact[path], what]) if path in self._exact else what
        self._dotted = self._dotted or "." in path

    def declare(self, binding: EntitySource, site: Site, words: Vocabulary, findings: Findings) -> None:
        """Note the entries under `columns`, after all properties."""
        for name, spec in sorted(binding.columns.items()):
            place = site / "columns" / name
            long = isinstance(spec, SourceColumnSpec)
            if name in self.types:
                hint = "Remove it here; the property declares it."
                findings.error("DM221", place.key_span, f"'{name}' is the column of a property already", hint)
                continue
            text = spec.type if isinstance(spec, SourceColumnSpec) else spec
            self.types[name] = check_column_type(text, place / "type" if long else place, findings)
            said = Sensitivity("public", frozenset())
            if isinstance(spec, SourceColumnSpec):
                said = declared(spec.classification, spec.tags, place, words, findings)
            if isinstance(spec, SourceColumnSpec) and spec.classification is not None:
                self.leaf(name, said)
            else:
                known = self.short.get(name.casefold(), said)
                self.short[name.casefold()] = Sensitivity("public", said.tags | known.tags)

    def carried(self, path: str) -> Sensitivity | None:
        """What a reader of a column carries by the declarations of others; None where there are none."""
        path = path.casefold()
        found = self._exact.get(path)
        if self._dotted or "." in path:
            near = [what for other, what in self.leaves if _overlap(path, other)]
            found = join(near) if near else None
        said = self.short.get(path)
        if said is None or not said.tags:
            return found
        return said if found is None else join([found, said])


def _overlap(path: str, other: str) -> bool:
    return path == other or other.startswith(path + ".") or path.startswith(other + ".")


def leaves(element: Element, path: str, above: Sensitivity, words: Vocabulary) -> Iterator[tuple[str, Sensitivity]]:
    """The paths that a property reads, each with its tier and tags: one, or those of its members."""
    inner: Iterable[Element] = element.properties
    while not inner and element.items is not None:
        element = element.items
        above = join([above, said(element, words)])
        inner = element.properties
    if not element.properties:
        yield path, above
    for member in element.properties:
        yield from leaves(
            member, f"{path}.{member.physical_name or member.name}", join([above, said(member, words)]), words
        )


def said(element: Element, words: Vocabulary) -> Sensitivity:
    """What an item or member declares beyond what it inherits; unknown words are reported elsewhere."""
    return Sensitivity(element.classification or "public", frozenset(tag for tag in element.tags if tag in words.tags))

# SPDX-License-Identifier: Apache-2.0
"""Relations that are made of others: joined side by side, or put on top of each other."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dictamesh.runtime.lineage.statements.flows import NOTHING, Flows
from dictamesh.runtime.lineage.statements.relations import Derived, Output, Relation, Star, union


@dataclass(frozen=True, slots=True)
class Joined:
    """The columns of several relations; those in `merged` (USING) stand once and come from all that have them."""

    relations: tuple[Relation, ...]
    merged: frozenset[str] = frozenset()
    rows: Flows = field(default=NOTHING, compare=False)

    def has(self, name: str) -> bool | None:
        return self._derived().has(name)

    def read(self, name: str, written: str) -> Flows:
        if name in self.merged:
            return union(each.read(name, written) for each in self.relations if each.has(name) is not False)
        return self._derived().read(name, written)

    def every(self) -> Flows:
        return union(each.every() for each in self.relations)

    @property
    def width(self) -> Sequence[str] | None:
        return self._derived().width

    @property
    def whole(self) -> Flows:
        return union(each.whole for each in self.relations)

    def _derived(self) -> Derived:
        stars: list[Output | Star] = []
        given: set[str] = set()
        for relation in self.relations:
            stars.append(Star(relation, frozenset(given)))
            given |= {name for name in self.merged if relation.has(name) is not False}
        return Derived(tuple(stars), NOTHING)


@dataclass(frozen=True, slots=True)
class Either:
    """A union of queries whose columns are not all known: they are paired by name."""

    left: Relation
    right: Relation
    rows: Flows = NOTHING

    def has(self, name: str) -> bool | None:
        return self.left.has(name)

    def read(self, name: str, written: str) -> Flows:
        return self.left.read(name, written) | self.right.read(name, written)

    def every(self) -> Flows:
        return self.left.every() | self.right.every()

    @property
    def width(self) -> Sequence[str] | None:
        return self.left.width

    @property
    def whole(self) -> Flows:
        return self.left.whole | self.right.whole

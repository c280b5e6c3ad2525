# SPDX-License-Identifier: Apache-2.0
"""What a comparison of two trees says: changes with their classes, and who sees what differently."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Path = tuple[str, ...]
"""Where something stands in a document: keys, and entries of lists as `[name]`, or `[0]` where they have no name."""


class Class(StrEnum):
    """How much a change asks of its reviewers, mildest first."""

    SAFE = "safe"
    REVIEW = "review"
    BREAKING = "breaking"
    PRIVACY = "privacy-weakening"
    INVALID = "invalid"

    @property
    def weight(self) -> int:
        return list(Class).index(self)


def worst(classes: Iterable[Class]) -> Class:
    """Return the class that counts; safe of nothing."""
    return max(classes, key=lambda each: each.weight, default=Class.SAFE)


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a spec file; `side` is the tree that has it."""

    file: str
    line: int
    side: str = "after"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    `address` names a field, entity, product, policy or the like; `path` where it stands in the document `document`
    (`DataProduct/customers`). `before` and `after` are JSON values or short texts, None where there is nothing.
    `affects` names who uses it, `regimes` what the data that it is about falls under before or after (GV-12).
    """

    cls: Class
    kind: str
    address: str
    before: Any = None
    after: Any = None
    affects: tuple[str, ...] = ()
    document: str | None = None
    path: Path = ()
    place: Place | None = field(default=None, compare=False)
    regimes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccessChange:
    """What a class of callers gets of a field, or of an entity's rows, before and after.

    `sees` is more, less or otherwise. `situations` counts the classes that it stands for: callers who hold more than
    `principal` does, and for whom it is the same. `regimes` are those of the field or entity.
    """

    principal: str
    address: str
    before: str
    after: str
    sees: str
    situations: int = 1
    regimes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs between two trees, in a stable order."""

    changes: tuple[Change, ...] = ()
    access: tuple[AccessChange, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def cls(self) -> Class:
        """The worst class."""
        return worst(change.cls for change in self.changes)

    @property
    def regimes(self) -> tuple[str, ...]:
        """What is touched by changes that weaken privacy."""
        return tuple(sorted({name for each in self.changes if each.cls is Class.PRIVACY for name in each.regimes}))

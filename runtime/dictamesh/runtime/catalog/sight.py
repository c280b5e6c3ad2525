# SPDX-License-Identifier: Apache-2.0
"""What one caller may know of the catalog; the mesh answers from the policies of the plan being served (S18, S22)."""

from collections.abc import Collection
from typing import Literal, NamedTuple, Protocol

from dictamesh.runtime.catalog.directory import Known, KnownType, RelationKind

Seen = Literal["allow", "mask", "deny"]
"""What a caller gets of a field: its value, less of it on some rows or all, nothing."""


class Existing(NamedTuple):
    """Which of the records asked for exist for the caller; not ``complete`` where their source could not be asked."""

    ids: frozenset[str]
    complete: bool = True


class Sight(Protocol):
    """The eyes of one caller. What it does not see is answered like what does not exist."""

    @property
    def name(self) -> str:
        """The caller's name, for the audit."""

    def has_role(self, roles: Collection[str]) -> bool:
        """Whether the caller has one of ``roles``."""

    def type(self, known: KnownType) -> bool:
        """Whether the caller may know of an entity type."""

    def relation(self, kind: RelationKind) -> bool:
        """Whether the caller may follow a relation: one that would tell a value that is masked may not be (S20)."""

    def field(self, entity_type: str, name: str) -> Seen:
        """What the caller gets of a field; of objects, that of the strictest of their parts."""

    def filtered(self, entity_type: str) -> bool:
        """Whether not all records of a type exist for the caller, so that ``existing`` has to be asked."""

    async def existing(self, entity_type: str, ids: Collection[str]) -> Existing:
        """Ask the source, through the policies, which records exist for the caller."""


def seen_types(known: Known, sight: Sight) -> frozenset[str]:
    """The types that the caller may know of."""
    return frozenset(name for name, each in known.types.items() if sight.type(each))


def seen_kinds(known: Known, sight: Sight) -> dict[int, RelationKind]:
    """The relations that the caller may follow, between types that it may know of."""
    types = seen_types(known, sight)
    return {
        number: kind
        for number, kind in known.kinds.items()
        if kind.subject in types and kind.object in types and sight.relation(kind)
    }

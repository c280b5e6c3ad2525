# SPDX-License-Identifier: Apache-2.0
"""Callers of the catalog as tests want them."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from dictamesh.runtime.catalog.directory import KnownType, RelationKind
from dictamesh.runtime.catalog.sight import Existing, Seen


@dataclass
class Sees:
    """Sees all but the ``hidden`` types and ``untold`` relations; of the types in ``records`` only those records.

    ``denied`` are fields by ``Type.name``; ``down`` are types whose source is away. ``asked`` counts by type the
    records that ``existing`` was asked about.
    """

    hidden: frozenset[str] = frozenset()
    untold: frozenset[str] = frozenset()
    records: Mapping[str, Collection[str]] = field(default_factory=dict)
    down: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    name: str = "tester"
    asked: Counter[str] = field(default_factory=Counter)

    def has_role(self, roles: Collection[str]) -> bool:
        return not self.roles.isdisjoint(roles)

    def type(self, known: KnownType) -> bool:
        return known.entity_type not in self.hidden

    def relation(self, kind: RelationKind) -> bool:
        return kind.name not in self.untold

    def field(self, entity_type: str, name: str) -> Seen:
        return "deny" if f"{entity_type}.{name}" in self.denied else "allow"

    def filtered(self, entity_type: str) -> bool:
        return entity_type in self.records

    async def existing(self, entity_type: str, ids: Collection[str]) -> Existing:
        self.asked[entity_type] += len(ids)
        if entity_type in self.down:
            return Existing(frozenset(), complete=False)
        return Existing(frozenset(ids) & frozenset(self.records.get(entity_type, ())))

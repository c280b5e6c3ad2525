# SPDX-License-Identifier: Apache-2.0
"""The types that the catalog knows and the relations between them: few, asked for by every read, so remembered."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dictamesh.runtime.catalog.pool import Pool

FRESH_FOR = 5.0  # seconds; what other replicas write shows after that
# A type that moved to another source has several rows: the active one speaks for it.
_TYPES = b"""
SELECT DISTINCT ON (entity_type) entity_type, product_id, node, status,
       bool_or(guarded) OVER (PARTITION BY entity_type) AS guarded, external
  FROM dictamesh_entity_catalog WHERE source_entity_id = '*'
 ORDER BY entity_type, (status = 'active') DESC, last_seen_at DESC
"""
_KINDS = b"""
SELECT kind, subject_entity_type AS subject, relationship_type AS name, object_entity_type AS object,
       relationship_cardinality AS cardinality, inverse
  FROM dictamesh_relation_kinds ORDER BY kind
"""


class KnownType(NamedTuple):
    """An entity type; ``guarded``: some policy hid it, or records of it, from somebody when a spec last declared it."""

    entity_type: str
    product_id: str
    node: int
    status: str
    guarded: bool
    external: bool


class RelationKind(NamedTuple):
    """A relation by its name and the types of its ends; edges carry ``kind``."""

    kind: int
    subject: str
    name: str
    object: str
    cardinality: str
    inverse: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """Types by name and relations by number, as they were at one instant."""

    types: Mapping[str, KnownType] = field(default_factory=dict)
    kinds: Mapping[int, RelationKind] = field(default_factory=dict)


@dataclass(slots=True)
class Directory:
    """Asks the database once in five seconds at most; call ``forget`` after writing types or kinds."""

    pool: Pool
    _known: Known | None = field(default=None, init=False)
    _until: float = field(default=0.0, init=False)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def known(self) -> Known:
        """What the catalog knows; raises ``CatalogUnavailable``."""
        async with self._asking:
            if self._known is None or self._until < time.monotonic():
                self._known = await self._asked()
                self._until = time.monotonic() + FRESH_FOR
            return self._known

    async def fresh(self) -> Known:
        """What the catalog knows now."""
        self.forget()
        return await self.known()

    def forget(self) -> None:
        """Ask anew next time."""
        self._until = 0.0

    async def _asked(self) -> Known:
        types = [KnownType(**row) for row in await self.pool.rows(_TYPES)]
        kinds = [RelationKind(**row) for row in await self.pool.rows(_KINDS)]
        return Known({each.entity_type: each for each in types}, {each.kind: each for each in kinds})

# SPDX-License-Identifier: Apache-2.0
"""The rows of one entity in the cache: whole, mapped, before policy, by their own key (S25)."""

from dataclasses import dataclass, field
from typing import Protocol

from dictamesh.runtime.adapters.cells import Key, Row
from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.resilience import L1, namespace
from dictamesh.specs.expressions.tree import Parameter, walk


class CacheWatch(Protocol):
    """Hears what becomes of single rows; must be quick and must not raise."""

    def kept(self, key: Key) -> None:
        """A row was put into the cache."""

    def hit(self, key: Key) -> None:
        """A fresh row was found in it."""


@dataclass(slots=True)
class RowCache:
    """Entries of one entity under one mapping; expired ones only where asked for, up to `entity.stale_for` seconds."""

    l1: L1
    entity: EntityPlan
    mesh: str
    watch: CacheWatch | None = None
    _prefix: str = field(init=False)
    _volatile: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._prefix = namespace(self.mesh, self.entity.name, self.entity.mapping_hash)
        self._volatile = frozenset(
            each.name for each in self.entity.fields if any(isinstance(node, Parameter) for node in walk(each.expr))
        )

    def serves(self, fields: frozenset[str]) -> bool:
        """Whether cached values of these fields are current: one that reads the clock belongs to one operation (S5)."""
        return not fields & self._volatile

    def get(self, key: Key) -> Row | None:
        """Return a fresh row."""
        hit = self.l1.get(self._prefix + canonical(key))
        if hit is None:
            return None
        if self.watch is not None:
            self.watch.hit(key)
        row: Row = hit.value
        return row

    def last_known_good(self, key: Key) -> Row | None:
        """Return a row that may have expired."""
        hit = self.l1.get(self._prefix + canonical(key), stale_ok=True)
        if hit is None or hit.age > self.entity.cache_ttl + self.entity.stale_for:
            return None
        row: Row = hit.value
        return row

    def put(self, key: Key, row: Row, read_at: float) -> None:
        """Keep a whole row for the entity's time to live, unless it has changed since its reading began."""
        self.l1.put(self._prefix + canonical(key), row, self.entity.cache_ttl, read_at)
        if self.watch is not None:
            self.watch.kept(key)

    def forget(self, key: Key) -> bool:
        """Drop a row; return whether there was one."""
        return self.l1.delete(self._prefix + canonical(key))

# SPDX-License-Identifier: Apache-2.0
"""What the cache of rows keeps, summed up by entity, and by record where records are observed (MC-7)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from dictamesh.runtime.adapters.cells import Key
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.catalog.graph.values import TYPE, Ref, keepable
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.resilience import namespace

RECORDS = 10_000
"""Records of one entity that are kept between two writes."""
LONGEST_KEY = 500

_ADD = b"""
INSERT INTO dictamesh_cache_status AS s
    (entity_catalog_id, entity_id, cache_layer, cached_at, expires_at, cache_key, hit_count)
SELECT c.id, g.record, 'l1_memory', g.cached_at, g.expires_at, g.cache_key, g.hits
  FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::bigint[])
       AS g (entity_type, record, cached_at, expires_at, cache_key, hits)
 CROSS JOIN LATERAL (
        SELECT id FROM dictamesh_entity_catalog WHERE entity_type = g.entity_type AND source_entity_id = '*'
         ORDER BY (status = 'active') DESC, last_seen_at DESC LIMIT 1) c
    ON CONFLICT ON CONSTRAINT pk_dictamesh_cache_status DO UPDATE
   SET cached_at = greatest(s.cached_at, excluded.cached_at), expires_at = greatest(s.expires_at, excluded.expires_at),
       cache_key = excluded.cache_key, hit_count = s.hit_count + excluded.hit_count
"""
_FORGET = b"DELETE FROM dictamesh_cache_status WHERE entity_id <> '*' AND expires_at < %s"
_LOCK = b"SELECT pg_advisory_xact_lock(7163846504)"


@dataclass(slots=True)
class Kept:
    """What was counted of one record, or of an entity by the id ``*``."""

    ref: Ref
    cache_key: str
    hits: int = 0
    cached_at: datetime | None = None
    expires_at: datetime | None = None

    def add(self, other: "Kept") -> None:
        """Add what another one counted of the same."""
        self.hits += other.hits
        self.cached_at = max(filter(None, (self.cached_at, other.cached_at)), default=None)
        self.expires_at = max(filter(None, (self.expires_at, other.expires_at)), default=None)


@dataclass(slots=True)
class EntityWatch:
    """Watches the cached rows of one entity; ``records``: each row by itself, too."""

    entity: EntityPlan
    ids: RecordIds
    prefix: str
    records: bool
    hits: int = 0
    kept_at: datetime | None = None
    dropped: int = 0
    _rows: dict[Key, tuple[int, datetime | None]] = field(default_factory=dict, init=False)

    def kept(self, key: Key) -> None:
        """A row was put into the cache."""
        self.kept_at = datetime.now(UTC)
        if self.records:
            self._row(key, 0, self.kept_at)

    def hit(self, key: Key) -> None:
        """A row was found in it."""
        self.hits += 1
        if self.records:
            self._row(key, 1, None)

    def _row(self, key: Key, hits: int, kept_at: datetime | None) -> None:
        known = self._rows.get(key)
        if known is None and len(self._rows) >= RECORDS:
            self.dropped += 1
            return
        before, kept_before = known or (0, None)
        self._rows[key] = before + hits, kept_at or kept_before

    def take(self) -> Iterator[Kept]:
        """Yield what was counted, which begins anew."""
        rows, self._rows = self._rows, {}
        if self.hits or self.kept_at is not None:
            yield self._entry(TYPE, self.hits, self.kept_at)
        self.hits, self.kept_at = 0, None
        for key, (hits, kept_at) in rows.items():
            record = self.ids.of(self.entity, key)
            if record is not None and keepable(Ref(self.entity.name, record)):
                yield self._entry(record, hits, kept_at)

    def _entry(self, record: str, hits: int, kept_at: datetime | None) -> Kept:
        expires_at = None if kept_at is None else kept_at + timedelta(seconds=self.entity.cache_ttl)
        key = f"{self.prefix}{record}"[:LONGEST_KEY]
        return Kept(Ref(self.entity.name, record), key, hits, kept_at, expires_at)


@dataclass(slots=True)
class CacheCounts:
    """A ``Collector`` of what the cache in the process keeps."""

    name: str = "cache"
    _watches: dict[tuple[str, str], EntityWatch] = field(default_factory=dict, init=False)
    _waiting: dict[Ref, Kept] = field(default_factory=dict, init=False)

    def watch(self, plan: Plan, entity: EntityPlan, ids: RecordIds) -> EntityWatch:
        """Return who watches an entity under its present mapping; what an older one counted is kept.

        Records are watched one by one where the plan says `catalog: {observe: true}`.
        """
        before = self._watches.get((plan.name, entity.name))
        for each in before.take() if before is not None else ():
            self._wait(each)
        prefix = namespace(plan.name, entity.name, entity.mapping_hash)
        made = EntityWatch(entity, ids, prefix, plan.mesh.catalog.observe)
        self._watches[plan.name, entity.name] = made
        return made

    def take(self) -> tuple[Sequence[Kept], int]:
        dropped = 0
        for watch in self._watches.values():
            dropped, watch.dropped = dropped + watch.dropped, 0
            for each in watch.take():
                self._wait(each)
        waiting, self._waiting = self._waiting, {}
        return list(waiting.values()), dropped

    def give_back(self, entries: Sequence[Kept]) -> None:
        for each in entries:
            self._wait(each)

    def _wait(self, each: Kept) -> None:
        known = self._waiting.setdefault(each.ref, each)
        if known is not each:
            known.add(each)

    async def write(self, connection: AsyncConnection[TupleRow], entries: Sequence[Kept]) -> int:
        """Add the counts up; records that expired a day ago are forgotten."""
        await connection.execute(_LOCK)
        rows = sorted(entries, key=lambda each: each.ref)
        columns = (
            [each.ref.entity_type for each in rows],
            [each.ref.id for each in rows],
            [each.cached_at for each in rows],
            [each.expires_at for each in rows],
            [each.cache_key for each in rows],
            [each.hits for each in rows],
        )
        await connection.execute(_ADD, columns)
        await connection.execute(_FORGET, (datetime.now(UTC) - timedelta(days=1),))
        return len(rows)

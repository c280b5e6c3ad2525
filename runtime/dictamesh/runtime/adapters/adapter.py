# SPDX-License-Identifier: Apache-2.0
"""Reads of one entity: by key through the cache, by value, as a list, as a count (S9..S11, S23, S25)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TypeVar

from dictamesh.connectors.sdk import Order, Request
from dictamesh.runtime.adapters.ask import Ask, Found, Operation, ReadFailed
from dictamesh.runtime.adapters.cache import RowCache
from dictamesh.runtime.adapters.cells import CellError, Key, Row
from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.adapters.local import cut, needs, ordered
from dictamesh.runtime.adapters.mapping import RowMapping, row_mapping
from dictamesh.runtime.adapters.pushdown import Entities, Split, orders, split, tells_time
from dictamesh.runtime.adapters.telemetry import SILENT, Telemetry
from dictamesh.runtime.adapters.ways import PARENTS_AT_MOST, Way, aimed, condition, in_batches, way_to
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.expressions.tree import Expr

T = TypeVar("T")

_AT_ONCE = 1000  # rows mapped in one go
_FIRST_LOOK = 100  # rows of the first of the growing steps in which a list is searched

Sieve = Callable[[EntityPlan, Sequence[Row], Split, Operation], Awaitable[list[Row]]]
"""Keeps the rows that meet the local part of a condition, in their order; it may read related rows."""


@dataclass(slots=True)
class Tally:
    """What an adapter did since it was built."""

    reads: int = 0
    rows: int = 0
    failures: int = 0
    cache_hits: int = 0
    cache_misses: int = 0


@dataclass(frozen=True, slots=True)
class _Course:
    """How rows are read by value: what the source does of an ask, and what is left."""

    way: Way
    parts: Split
    order: tuple[Order, ...] | None  # None: sorted here
    cuts: bool  # the source applies limit and offset to each value
    fields: frozenset[str]


@dataclass(slots=True)
class EntityAdapter:
    """Reads of one entity; any number of operations share it. Raises `ReadFailed` where a read fails as a whole."""

    entity: EntityPlan
    line: Line
    entities: Entities
    sieve: Sieve
    cache: RowCache | None = None
    telemetry: Telemetry = SILENT
    tally: Tally = field(default_factory=Tally)
    _mappings: dict[frozenset[str], RowMapping] = field(default_factory=dict)

    async def by_keys(self, keys: Iterable[Key], fields: frozenset[str], operation: Operation) -> Found:
        """Return the one row of each key that has one, whoever asks: what exists for the caller is decided above.

        Whole rows come from the cache or go into it. Where the source fails, rows that have expired stand in.
        """
        wanted = [key for key in dict.fromkeys(keys) if None not in key]
        found = self._cached(wanted, fields)
        missing = [key for key in wanted if key not in found.rows]
        if not missing:
            return found
        began = self.cache.l1.now() if self.cache is not None else 0.0
        whole = frozenset(each.name for each in self.entity.fields) if self.cache is not None else fields
        fresh = await self.by_values(self.entity.key, missing, Ask(whole), operation)
        found.rows.update({key: rows[:1] for key, rows in fresh.rows.items()})
        found.failed = fresh.failed
        if self.cache is not None:
            for key, rows in fresh.rows.items():
                self.cache.put(key, rows[0], began)
            stale = _stand_in(self.cache, fresh, found)
            if stale:
                self.telemetry.looked_up(self.entity.address, "stale", stale)
        return found

    async def by_values(self, names: Sequence[str], values: Iterable[Key], ask: Ask, operation: Operation) -> Found:
        """Return the rows whose fields `names` hold one of `values`, grouped by these, each group as `ask` says."""
        wanted = [value for value in dict.fromkeys(values) if None not in value]
        if not wanted or ask.limit == 0:
            return Found()
        way = way_to(self.entity, self.line.manifest, tuple(names), wanted)
        if way.kind == "each" and len(wanted) > PARENTS_AT_MOST:
            raise ReadFailed("LIMIT_EXCEEDED")
        if way.kind == "scan":
            return await self._scanned(names, wanted, ask, operation)
        found = Found()
        course = self._course(way, names, wanted, ask, operation)

        async def read(batch: Sequence[Key]) -> None:
            try:
                found.rows.update(await self._batch(course, names, batch, ask, operation))
            except ReadFailed as failure:
                found.fail(batch, failure)

        await in_batches(read, wanted, way.size)
        return found

    async def rows(self, ask: Ask, operation: Operation) -> list[Row]:
        """Return the rows that `ask` describes."""
        if ask.limit == 0:
            return []
        parts = split(self.entity, self.line.manifest, self.entities, ask, operation)
        order = orders(self.entity, self.line.manifest, ask, operation.salt)
        if parts.complete and order is not None:
            limit = operation.spent.left + 1 if ask.limit is None else ask.limit
            return await self._read(self._request(parts, order, limit, ask.offset), ask.fields, operation)
        enough = None if order is None or ask.limit is None else ask.offset + ask.limit
        rows = await self._scan(ask, parts, order, operation, enough)
        return cut(ordered(rows, ask, self.entity, operation.salt) if order is None else rows, ask)

    async def count(self, ask: Ask, operation: Operation) -> int:
        """Count the rows that `ask` describes, its order, limit and offset aside."""
        parts = split(self.entity, self.line.manifest, self.entities, ask, operation)
        if parts.complete and self.entity.capabilities.count:
            request = self._request(parts, (), None, 0)
            return await self._told("count", None, lambda: self.line.count(self.entity.source, request), lambda _: 0)
        bare = Ask(frozenset(self.entity.key), ask.where, ask.must)
        return len(await self._scan(bare, parts, (), operation))

    def counts(self, where: Expr | None) -> bool:
        """Whether the source itself can count the rows that meet a condition over its columns; None: all rows."""
        offered = self.entity.capabilities.count
        if where is None or not offered:
            return offered
        return tells_time(self.entity, where) and self.line.manifest.filters(self.entity.source, where) is None

    async def counted(self, where: Expr | None) -> int:
        """Count the rows that meet a condition over columns; only where `counts` says so."""
        request = Request((), where)
        return await self._told("count", None, lambda: self.line.count(self.entity.source, request), lambda _: 0)

    def mapping(self, fields: frozenset[str]) -> RowMapping:
        """Return how a set of fields is read."""
        found = self._mappings.get(fields)
        if found is None:
            found = self._mappings[fields] = row_mapping(self.entity, fields)
        return found

    def _cached(self, wanted: Sequence[Key], fields: frozenset[str]) -> Found:
        if self.cache is None or not self.cache.serves(fields):
            return Found()
        hits = {key: row for key in wanted if (row := self.cache.get(key)) is not None}
        self._looked_up(len(hits), len(wanted) - len(hits))
        return Found({key: [row] for key, row in hits.items()}, cached=frozenset(hits))

    def _course(self, way: Way, names: Sequence[str], wanted: Sequence[Key], ask: Ask, operation: Operation) -> _Course:
        """Decide once for all batches; a source whose requests by key cannot be narrowed gets nothing but keys."""
        by_filter = condition(way, [self.entity.field(name) for name in names], wanted)
        parts, order = Split(None, (), ask.where, ask.must), _as_it_comes(ask)
        if way.kind != "keys" or self.entity.capabilities.narrowed_keys:
            parts = split(self.entity, self.line.manifest, self.entities, ask, operation, by_filter)
            order = (
                () if tuple(names) == self.entity.key else orders(self.entity, self.line.manifest, ask, operation.salt)
            )
        per_value = way.kind == "each" or (way.kind == "keys" and self.entity.capabilities.limit_per_key)
        cuts = per_value and parts.complete and order is not None and ask.limit is not None
        return _Course(way, parts, order, cuts, self._fields(ask, parts, order) | frozenset(names))

    async def _batch(
        self, course: _Course, names: Sequence[str], batch: Sequence[Key], ask: Ask, operation: Operation
    ) -> Mapping[Key, list[Row]]:
        narrowed = course.way.kind != "keys" or self.entity.capabilities.narrowed_keys
        limit = ask.limit if course.cuts else operation.spent.left + 1 if narrowed else None
        request = self._request(course.parts, course.order or (), limit, ask.offset if course.cuts else 0)
        fields = [self.entity.field(name) for name in names]
        request = aimed(course.way, fields, batch, request, per_key=course.cuts and course.way.kind == "keys")
        rows = await self._read(request, course.fields, operation)
        if not course.parts.complete:
            rows = await self.sieve(self.entity, rows, course.parts, operation)
        grouped = _grouped(rows, names, batch)
        if course.order is None:
            grouped = {key: ordered(group, ask, self.entity, operation.salt) for key, group in grouped.items()}
        if course.cuts:
            return grouped
        return {key: kept for key, group in grouped.items() if (kept := cut(group, ask))}

    async def _scanned(self, names: Sequence[str], wanted: Sequence[Key], ask: Ask, operation: Operation) -> Found:
        """Answer for all values from one list, filtered here."""
        found = Found()
        parts = split(self.entity, self.line.manifest, self.entities, ask, operation)
        order = orders(self.entity, self.line.manifest, ask, operation.salt)
        try:
            everything = replace(ask, fields=ask.fields | frozenset(names), limit=None, offset=0)
            rows = await self._scan(everything, parts, order, operation)
            if order is None:
                rows = ordered(rows, ask, self.entity, operation.salt)
            grouped = _grouped(rows, names, wanted)
            found.rows = {key: kept for key, group in grouped.items() if (kept := cut(group, ask))}
        except ReadFailed as failure:
            found.fail(wanted, failure)
        return found

    async def _scan(
        self,
        ask: Ask,
        parts: Split,
        order: tuple[Order, ...] | None,
        operation: Operation,
        enough: int | None = None,
    ) -> list[Row]:
        """Read what the source lets through and keep the rows that meet the rest; at most `max_scan` rows are read.

        Ends early once `enough` are kept, which is right where they come in their order; else reads all.
        """
        if not self.entity.capabilities.list:
            raise ReadFailed("SOURCE_UNAVAILABLE")
        fields = self._fields(ask, parts, order)
        kept: list[Row] = []
        seen = 0
        size = operation.max_scan + 1 if enough is None else max(_FIRST_LOOK, 2 * enough)
        while True:
            size = min(size, operation.max_scan + 1 - seen)
            rows = await self._read(self._request(parts, order or (), size, seen), fields, operation)
            seen += len(rows)
            kept += rows if parts.complete else await self.sieve(self.entity, rows, parts, operation)
            if len(rows) < size or (enough is not None and len(kept) >= enough):
                return kept
            if seen > operation.max_scan:
                raise ReadFailed("SCAN_LIMIT")
            size *= 4

    def _fields(self, ask: Ask, parts: Split, order: tuple[Order, ...] | None) -> frozenset[str]:
        """What each row has to carry: what is wanted, and what filtering and sorting here read."""
        sorts = (
            frozenset(sort.field for sort in ask.order) | frozenset(self.entity.key) if order is None else frozenset()
        )
        return ask.fields | needs(self.entity, parts.local, parts.must) | sorts

    def _request(self, parts: Split, order: tuple[Order, ...], limit: int | None, offset: int) -> Request:
        return Request((), parts.where, None, order, limit, offset, related=parts.related)

    async def _read(self, request: Request, fields: frozenset[str], operation: Operation) -> list[Row]:
        mapping = self.mapping(fields)
        asked = mapping.selecting(request, operation.parameters)
        keys = len(asked.keys.values) if asked.keys is not None else None
        found = await self._told(self._name_of(asked), keys, lambda: self.line.fetch(self.entity.source, asked), len)
        self.tally.rows += len(found)
        operation.spent.rows(len(found))
        rows: list[Row] = []
        for at in range(0, len(found), _AT_ONCE):
            if at:
                await asyncio.sleep(0)  # others are served meanwhile
            rows += [mapping.row(raw, operation.parameters) for raw in found[at : at + _AT_ONCE]]
        return rows

    def _name_of(self, request: Request) -> str:
        if request.keys is None:
            return "list"
        if request.keys.columns != self.entity.source.key:
            return "lookup"
        return "get" if len(request.keys.values) == 1 else "batch"

    async def _told(self, name: str, keys: int | None, read: Callable[[], Awaitable[T]], rows: Callable[[T], int]) -> T:
        """Run one call to the source and tell how it went."""
        self.tally.reads += 1
        started, outcome, count = perf_counter(), "cancelled", 0
        try:
            found = await read()
            outcome, count = "ok", rows(found)
            return found
        except ReadFailed as failed:
            outcome = failed.reason
            self.tally.failures += 1
            raise
        finally:
            self.telemetry.called(self.entity.address, name, outcome, perf_counter() - started, count, keys)

    def _looked_up(self, hits: int, misses: int) -> None:
        self.tally.cache_hits += hits
        self.tally.cache_misses += misses
        if hits:
            self.telemetry.looked_up(self.entity.address, "hit", hits)
        if misses:
            self.telemetry.looked_up(self.entity.address, "miss", misses)


def _stand_in(cache: RowCache, fresh: Found, found: Found) -> int:
    """Put expired rows in the place of those that could not be read; return how many."""
    count = 0
    for key in fresh.transient:
        row = cache.last_known_good(key)
        if row is not None:
            found.rows[key] = [row]
            found.stale[key] = found.failed.pop(key)
            count += 1
    return count


def _as_it_comes(ask: Ask) -> tuple[Order, ...] | None:
    return None if ask.order else ()


def _grouped(rows: Iterable[Row], names: Sequence[str], wanted: Iterable[Key]) -> dict[Key, list[Row]]:
    """Group rows by the fields `names`; rows that were not asked for are dropped."""
    groups: dict[Key, list[Row]] = {key: [] for key in wanted}
    for row in rows:
        key = tuple(row[name] for name in names)
        if not any(isinstance(part, CellError | dict | list) for part in key) and key in groups:
            groups[key].append(row)
    return {key: group for key, group in groups.items() if group}

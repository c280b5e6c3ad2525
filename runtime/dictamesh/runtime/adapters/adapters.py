# SPDX-License-Identifier: Apache-2.0
"""All adapters of a plan, and reads that see what exists for the caller (S11, S18)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dictamesh.runtime.adapters.adapter import EntityAdapter
from dictamesh.runtime.adapters.ask import Ask, Found, Operation, ReadFailed, Shown, Spent, both
from dictamesh.runtime.adapters.cache import CacheWatch, RowCache
from dictamesh.runtime.adapters.cells import CellError, Key, Row
from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.adapters.local import cut, needs, plain, test
from dictamesh.runtime.adapters.pushdown import Split
from dictamesh.runtime.adapters.telemetry import SILENT, Telemetry
from dictamesh.runtime.compile.plan import EntityPlan, LinkPlan, Plan
from dictamesh.runtime.resilience import L1
from dictamesh.specs.expressions.tree import Expr, columns

Path = tuple[str, ...]


class Adapters:
    """The adapters of one plan by entity address.

    `lines` are by server id; a reload hands on those of servers that it leaves alone, with their pools and breakers.
    Without `l1` nothing is cached; `watch` gives who hears of the cached rows of an entity.
    """

    def __init__(
        self,
        plan: Plan,
        lines: Mapping[str, Line],
        l1: L1 | None = None,
        telemetry: Telemetry = SILENT,
        watch: Callable[[EntityPlan], CacheWatch | None] = lambda _entity: None,
    ) -> None:
        self.plan = plan
        self.lines = lines
        self.entities: Mapping[str, EntityAdapter] = {
            address: EntityAdapter(
                entity, lines[entity.server], plan.entities, self._sieve, _cache(plan, entity, l1, watch), telemetry
            )
            for address, entity in plan.entities.items()
        }

    def __getitem__(self, address: str) -> EntityAdapter:
        return self.entities[address]

    async def rows(self, address: str, ask: Ask, operation: Operation) -> list[Row]:
        """Return the rows that exist for the caller and that `ask` describes."""
        shown = operation.shown(address)
        return [] if shown.nothing else await self[address].rows(_narrowed(ask, shown), operation)

    async def count(self, address: str, ask: Ask, operation: Operation) -> int:
        """Count the rows that exist for the caller and meet `ask.where`."""
        shown = operation.shown(address)
        return 0 if shown.nothing else await self[address].count(_narrowed(ask, shown), operation)

    async def by_values(
        self, address: str, names: Sequence[str], values: Iterable[Key], ask: Ask, operation: Operation
    ) -> Found:
        """Return the rows that exist for the caller, by values of some fields.

        By the primary key they come through the cache; no condition is sent along then, all of `ask` is applied here.
        """
        shown = operation.shown(address)
        if shown.nothing:
            return Found()
        narrowed = _narrowed(ask, shown)
        if tuple(names) == self[address].entity.key:
            return await self._by_keys(self[address], values, narrowed, operation)
        return await self[address].by_values(names, values, narrowed, operation)

    async def follow(
        self, link: LinkPlan, rows: Sequence[Row], fields: frozenset[str], operation: Operation
    ) -> tuple[list[list[Row]], dict[Key, str]]:
        """Return for each of `rows` the rows that `link` leads to, and codes for values that could not be followed."""
        values = [own_values(row, link) for row in rows]
        wanted = [value for value in values if value is not None]
        found = await self.by_values(link.target, link.theirs, wanted, Ask(fields), operation)
        return [found.rows.get(value, []) if value is not None else [] for value in values], found.failed

    async def joined(
        self, entity: EntityPlan, rows: Sequence[Row], paths: Iterable[Path], operation: Operation
    ) -> Sequence[dict[str, Any]]:
        """Return the rows as conditions read them, with the related rows that `paths` lead to."""
        inner: dict[str, set[Path]] = defaultdict(set)
        for path in paths:
            if len(path) > 1:
                inner[path[0]].add(path[1:])
        related = {name: await self._related(entity, name, rows, below, operation) for name, below in inner.items()}
        return [plain(row, {name: ends[i] for name, ends in related.items()}) for i, row in enumerate(rows)]

    async def _related(
        self, entity: EntityPlan, name: str, rows: Sequence[Row], paths: set[Path], operation: Operation
    ) -> list[dict[str, Any] | None]:
        """Return the related row of each row as conditions read it; None where none exists for the caller."""
        link = entity.link(name)
        if link is None or operation.hops == 0:
            return [None] * len(rows)
        operation = operation.over_relation()
        target = self.plan.entities[link.target]
        fields = {path[0] for path in paths if len(path) == 1} | set(target.key)
        fields |= {own for path in paths if len(path) > 1 if (over := target.link(path[0])) for own in over.own}
        ends, failed = await self.follow(link, rows, frozenset(fields), operation)
        if failed:
            raise ReadFailed(next(iter(failed.values())))
        if any(len(found) > 1 for found in ends):
            raise ReadFailed("CONTRACT_VIOLATION")
        there = [found[0] for found in ends if found]
        known = iter(await self.joined(target, there, paths, operation))
        return [next(known) if found else None for found in ends]

    async def _sieve(self, entity: EntityPlan, rows: Sequence[Row], parts: Split, operation: Operation) -> list[Row]:
        return await self.keep(entity, rows, parts.local, parts.must, operation)

    async def keep(
        self, entity: EntityPlan, rows: Sequence[Row], where: Expr | None, must: Iterable[str], operation: Operation
    ) -> list[Row]:
        """Keep the rows that meet `where` and whose `must` relations lead to a row that exists for the caller."""
        kept = list(rows)
        for name in must:
            ends = await self._related(entity, name, kept, set(), operation)
            kept = [row for row, end in zip(kept, ends, strict=True) if end is not None]
        if where is None or not kept:
            return kept
        holds = test(where)
        values = await self.joined(entity, kept, columns(where), operation)
        return [row for row, value in zip(kept, values, strict=True) if holds(value, operation.parameters)]

    async def _by_keys(self, adapter: EntityAdapter, values: Iterable[Key], ask: Ask, operation: Operation) -> Found:
        if ask.limit == 0:
            return Found()
        entity = adapter.entity
        read = ask.fields | needs(entity, ask.where, ask.must) | frozenset(entity.key)
        found = await adapter.by_keys(values, read, operation)
        kept = found.rows
        if ask.where is not None or ask.must:
            pairs = [(key, row) for key, rows in found.rows.items() for row in rows]
            rows = await self.keep(entity, [row for _, row in pairs], ask.where, ask.must, operation)
            there = {id(row) for row in rows}
            kept = {key: [row] for key, row in pairs if id(row) in there}
            await self._pass_for_missing(adapter, found, [key for key in found.rows if key not in kept], operation)
        if any(key in kept for key in found.stale):
            operation.spent.degraded.add(entity.product)
        return Found({key: group for key, rows in kept.items() if (group := cut(rows, ask))}, found.failed)

    async def _pass_for_missing(
        self, adapter: EntityAdapter, found: Found, hidden: Sequence[Key], operation: Operation
    ) -> None:
        """Let hidden rows cost what missing ones do, a question to the source, and fail as these fail (S18)."""
        found.failed.update({key: code for key, code in found.stale.items() if key in hidden})
        known = [key for key in hidden if key in found.cached]
        if known:
            # a source that is searched gives all its rows, as it would for missing ones
            aside = replace(operation, spent=Spent(operation.spent.left + len(known)))
            asked = await adapter.by_values(adapter.entity.key, known, Ask(frozenset(adapter.entity.key)), aside)
            operation.spent.left = min(operation.spent.left, max(aside.spent.left, 0))
            found.failed.update(asked.failed)


def own_values(row: Row, link: LinkPlan) -> Key | None:
    """Return the values at this end of a relation; None where one is missing: NULL relates to nothing."""
    values = tuple(row[name] for name in link.own)
    return None if any(value is None or isinstance(value, CellError) for value in values) else values


def _narrowed(ask: Ask, shown: Shown) -> Ask:
    if shown.everything:
        return ask
    return replace(ask, where=both(ask.where, shown.keep), must=(*ask.must, *shown.must))


def _cache(
    plan: Plan, entity: EntityPlan, l1: L1 | None, watch: Callable[[EntityPlan], CacheWatch | None]
) -> RowCache | None:
    return RowCache(l1, entity, plan.name, watch(entity)) if l1 is not None and entity.cache_ttl > 0 else None

# SPDX-License-Identifier: Apache-2.0
"""A product held against its contract: known key, shape, paging, not-found, response time, live columns (TE-2).

Texts name fields and columns, never values of a row.
"""

import math
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import StrEnum

from dictamesh.connectors.sdk import LiveColumn, SourceError
from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.ask import Ask, Operation, ReadFailed, Sort
from dictamesh.runtime.adapters.cells import CellError, Key, Row
from dictamesh.runtime.adapters.limits import broken_limit
from dictamesh.runtime.adapters.product import DataProductAdapter, EntityNotFound, unrestricted
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.types import Kind, Type

SAMPLE = 50  # rows
READS = 20
UNKNOWN = "no-such-key-8f14e45f"


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one entity; `told` says what was found, or why it was skipped."""

    entity: str
    name: str
    verdict: Verdict
    told: str


async def hold(adapters: Adapters, product: str) -> list[Check]:
    """Run every check of a product against its live sources; raises KeyError for an unknown product."""
    adapter = DataProductAdapter(adapters, product)
    found: list[Check] = []
    for address in adapters.plan.products[product].entities:
        entity = adapters.plan.entities[address]
        try:
            # one by one: what was found before a source failed is told, too
            async for check in _entity(adapters, adapter, entity):
                found.append(check)  # noqa: PERF401 - a comprehension would lose them
        except ReadFailed as failed:
            found.append(Check(entity.name, "reads", Verdict.FAILED, f"the source answers {failed.code}"))
    return found


async def _entity(adapters: Adapters, adapter: DataProductAdapter, entity: EntityPlan) -> AsyncIterator[Check]:
    yield await _drift(adapters, entity)
    if not entity.capabilities.list:
        yield Check(entity.name, "list", Verdict.SKIPPED, "the source has no list, so no key is known")
        return
    rows = await adapters.rows(entity.address, Ask(_names(entity), limit=SAMPLE), _operation(adapters))
    yield _shape(entity, rows)
    yield await _paging(adapters, entity, rows)
    if rows and entity.capabilities.get:
        yield await _known(adapter, entity, rows)
        yield await _unknown(adapter, entity)
        yield await _time(adapters, entity, rows)


def _operation(adapters: Adapters) -> Operation:
    return unrestricted(adapters.plan.mesh.gateway.limits)


def _names(entity: EntityPlan) -> frozenset[str]:
    return frozenset(field.name for field in entity.fields)


def _key(entity: EntityPlan, row: Row) -> Key:
    return tuple(row[name] for name in entity.key)


async def _drift(adapters: Adapters, entity: EntityPlan) -> Check:
    try:
        live = await adapters.lines[entity.server].connector.describe(entity.source)
    except SourceError as error:
        return Check(entity.name, "columns", Verdict.FAILED, f"the source answers {error.fault}")
    if live is None:
        return Check(entity.name, "columns", Verdict.SKIPPED, "the protocol tells no columns")
    missing = _missing(entity, live)
    if missing:
        return Check(entity.name, "columns", Verdict.FAILED, f"declared, and not there: {', '.join(missing)}")
    return Check(entity.name, "columns", Verdict.PASSED, f"{len(entity.source.columns)} declared columns are there")


def _missing(entity: EntityPlan, live: Iterable[LiveColumn]) -> list[str]:
    names = {column.name for column in live}
    return [column.name for column in entity.source.columns if column.name not in names]


def _shape(entity: EntityPlan, rows: list[Row]) -> Check:
    faults: dict[str, int] = {}
    broken = broken_limit(entity.fields)
    for row in rows:
        if (limit := broken(row)) is not None:
            told = f"{limit.address.removeprefix(entity.address)[1:]} (breaks {limit.limit})"
            faults[told] = faults.get(told, 0) + 1
        for field in entity.fields:
            value = row.get(field.name)
            if isinstance(value, CellError):
                told = f"{field.name} ({value.code})"
            elif value is None and field.required:
                told = f"{field.name} (required, and null)"
            elif value is not None and not _is_of(field.type, value):
                told = f"{field.name} (no {field.type})"
            else:
                continue
            faults[told] = faults.get(told, 0) + 1
    if faults:
        listed = ", ".join(f"{told} in {count} of {len(rows)} rows" for told, count in sorted(faults.items()))
        return Check(entity.name, "shape", Verdict.FAILED, listed)
    return Check(entity.name, "shape", Verdict.PASSED, f"{len(rows)} rows fit their contract")


def _is_of(kind: Type, value: object) -> bool:
    expected = {Kind.STRING: str, Kind.BYTES: bytes, Kind.BOOLEAN: bool, Kind.OBJECT: dict, Kind.ARRAY: list}
    wanted = expected.get(kind.kind)
    return wanted is None or isinstance(value, wanted)


async def _paging(adapters: Adapters, entity: EntityPlan, rows: list[Row]) -> Check:
    if len(rows) < 2:
        return Check(entity.name, "paging", Verdict.SKIPPED, "there are fewer than two rows")
    half = math.ceil(len(rows) / 2)
    order = tuple(Sort(name) for name in entity.key)
    seen: list[Key] = []
    for offset in (0, half):
        ask = Ask(frozenset(entity.key), order=order, limit=half, offset=offset)
        seen += [_key(entity, row) for row in await adapters.rows(entity.address, ask, _operation(adapters))]
    if len(set(seen)) != len(seen):
        return Check(entity.name, "paging", Verdict.FAILED, "two pages share rows")
    if len(seen) < len(rows):
        return Check(entity.name, "paging", Verdict.FAILED, f"two pages hold {len(seen)} rows, one holds {len(rows)}")
    return Check(entity.name, "paging", Verdict.PASSED, f"{len(seen)} rows over two pages, none twice")


async def _known(adapter: DataProductAdapter, entity: EntityPlan, rows: list[Row]) -> Check:
    try:
        record = await adapter.get(entity.name, _key(entity, rows[0]), unrestricted())
    except EntityNotFound:
        return Check(entity.name, "known key", Verdict.FAILED, "a key of the list is not found")
    listed = [name for name in _names(entity) if record.attributes.get(name) != rows[0].get(name)]
    if listed:
        return Check(
            entity.name, "known key", Verdict.FAILED, f"other values than in the list: {', '.join(sorted(listed))}"
        )
    return Check(entity.name, "known key", Verdict.PASSED, "found, with the values of the list")


async def _unknown(adapter: DataProductAdapter, entity: EntityPlan) -> Check:
    if len(entity.key) > 1 or entity.field(entity.key[0]).type.kind is not Kind.STRING:
        return Check(entity.name, "unknown key", Verdict.SKIPPED, "only single string keys are tried")
    try:
        await adapter.get(entity.name, (UNKNOWN,), unrestricted())
    except EntityNotFound:
        return Check(entity.name, "unknown key", Verdict.PASSED, "not found, and no failure")
    except ReadFailed as failed:
        hint = "; for REST see 'get: {notFound: [...]}'"
        return Check(entity.name, "unknown key", Verdict.FAILED, f"the source answers {failed.code}{hint}")
    return Check(entity.name, "unknown key", Verdict.FAILED, "a key that cannot exist is found")


async def _time(adapters: Adapters, entity: EntityPlan, rows: list[Row]) -> Check:
    limit = adapters.plan.products[entity.product].sla["responseTime"]
    times: list[float] = []
    for row in (rows * READS)[:READS]:
        started = time.perf_counter()
        await adapters.by_values(
            entity.address, entity.key, [_key(entity, row)], Ask(_names(entity)), _operation(adapters)
        )
        times.append(time.perf_counter() - started)
    slowest = sorted(times)[math.ceil(len(times) * 0.99) - 1]
    told = f"p99 of {len(times)} reads is {slowest * 1000:.1f} ms, promised {limit * 1000:.0f} ms"
    return Check(entity.name, "response time", Verdict.PASSED if slowest <= limit else Verdict.FAILED, told)

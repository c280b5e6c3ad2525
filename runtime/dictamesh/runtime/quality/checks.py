# SPDX-License-Identifier: Apache-2.0
"""Rules of an entity, run: by the source where it can, else on rows that are read once for all of them."""

import asyncio
from collections.abc import Iterable, Sequence
from time import perf_counter

from dictamesh.connectors.sdk import Fault
from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.ask import Ask, Operation, ReadFailed
from dictamesh.runtime.adapters.cells import Row
from dictamesh.runtime.adapters.product import unrestricted
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.quality.cells import bad_rows, needed
from dictamesh.runtime.quality.counting import Counting, NoValue, Way
from dictamesh.runtime.quality.results import Measured, Outcome, Result, judged
from dictamesh.specs.model.mesh import Limits
from dictamesh.specs.quality import QualityRule


async def check(adapters: Adapters, address: str, rules: Iterable[QualityRule], max_scan: int) -> list[Result]:
    """Run rules of an entity and return a result for each, in their order; a source that fails is a result, too.

    `adapters` are those of `reading`. Where rows have to be read, at most `max_scan` are: of more no rule is answered
    for (`SCAN_LIMIT`). All rows are counted, whoever may see them.
    """
    entity = adapters.plan.entities[address]
    operation = unrestricted(Limits(rows=max_scan + 1, max_scan=max_scan))
    counting = Counting(adapters[address], operation.parameters)
    found: dict[str, Result] = {}
    left: list[QualityRule] = []
    chosen = list(rules)
    for rule in chosen:
        if rule.reason is not None:
            found[rule.name] = Result(entity.address, rule, Outcome.SKIPPED, reason=rule.reason)
        elif (way := counting.way(rule)) is not None:
            found[rule.name] = await _counted(entity, rule, way)
        else:
            left.append(rule)
    found |= await _scanned(adapters, entity, left, operation) if left else {}
    return [found[rule.name] for rule in chosen]


async def _counted(entity: EntityPlan, rule: QualityRule, way: Way) -> Result:
    started = perf_counter()
    try:
        measured = await way()
    except ReadFailed as failed:
        return _failed(entity, rule, failed, perf_counter() - started)
    except NoValue as nothing:
        seconds = perf_counter() - started
        return Result(entity.address, rule, Outcome.ERROR, reason=str(nothing), seconds=seconds)
    return judged(entity.address, rule, measured, perf_counter() - started)


async def _scanned(
    adapters: Adapters, entity: EntityPlan, rules: Sequence[QualityRule], operation: Operation
) -> dict[str, Result]:
    started = perf_counter()
    try:
        rows = await _rows(adapters, entity, needed(rules) | frozenset(entity.key), operation)
    except ReadFailed as failed:
        seconds = perf_counter() - started
        return {rule.name: _failed(entity, rule, failed, seconds) for rule in rules}
    found = {}
    for rule in rules:
        measured = Measured(len(rows), bad_rows(rule, rows, operation.parameters))
        found[rule.name] = judged(entity.address, rule, measured, perf_counter() - started)
        await asyncio.sleep(0)  # others are served meanwhile
        started = perf_counter()
    return found


async def _rows(adapters: Adapters, entity: EntityPlan, fields: frozenset[str], operation: Operation) -> Sequence[Row]:
    rows = await adapters.rows(entity.address, Ask(fields, limit=operation.max_scan + 1), operation)
    if len(rows) > operation.max_scan:
        raise ReadFailed("SCAN_LIMIT")
    return rows


def _failed(entity: EntityPlan, rule: QualityRule, failed: ReadFailed, seconds: float) -> Result:
    refused = rule.measure is not None and failed.reason == Fault.BAD_REQUEST
    reason = "the source refuses the query" if refused else failed.code
    unreachable = not refused and failed.code != "SCAN_LIMIT"
    return Result(entity.address, rule, Outcome.ERROR, reason=reason, seconds=seconds, unreachable=unreachable)

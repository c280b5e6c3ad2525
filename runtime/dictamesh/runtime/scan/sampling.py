# SPDX-License-Identifier: Apache-2.0
"""Rows of each entity through its adapter, few and within a time; they stay in memory and go into checks only."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dictamesh.connectors.sdk import LiveColumn, Output, Request, SourceColumn, SourceError
from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.ask import Ask, ReadFailed
from dictamesh.runtime.adapters.cells import CellError, Row
from dictamesh.runtime.adapters.product import unrestricted
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.expressions.tree import Column
from dictamesh.specs.types import STRING

_LOG = logging.getLogger("dictamesh.scan")

PATIENCE = 30.0  # seconds for one entity
AT_ONCE = 4  # entities that are read side by side
MOST_ROWS = 10_000
NO_LIST = "the source has no list"
_WINDOWS = 4  # places of a table from which rows are taken where its size is known
_DEEPEST = 1_000_000  # rows that a window skips at most


@dataclass(frozen=True, slots=True)
class Sample:
    """What was read of one entity.

    `fields` holds the values of its fields by name, `columns` those of source columns that no field is: declared ones
    for expressions, and `live` ones that the spec does not name. `failed` is a code of S26, or a text of ours.
    """

    rows: int = 0
    fields: Mapping[str, Sequence[Any]] = field(default_factory=dict, repr=False)
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict, repr=False)
    live: tuple[LiveColumn, ...] = ()
    failed: str | None = None


async def sample(adapters: Adapters, addresses: Iterable[str], rows: int) -> dict[str, Sample]:
    """Read at most `rows` rows of each entity; one that fails is told of, and the others are read all the same."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(address: str) -> tuple[str, Sample]:
        async with gate:
            return address, await _entity(adapters, adapters.plan.entities[address], rows)

    return dict(await asyncio.gather(*(one(address) for address in addresses)))


async def _entity(adapters: Adapters, entity: EntityPlan, rows: int) -> Sample:
    if not entity.capabilities.list:
        return Sample(failed=NO_LIST)
    try:
        async with asyncio.timeout(PATIENCE):
            return await _read(adapters, entity, rows)
    except ReadFailed as failed:
        return Sample(failed=failed.code)
    except TimeoutError:
        return Sample(failed="SOURCE_TIMEOUT")


async def _read(adapters: Adapters, entity: EntityPlan, rows: int) -> Sample:
    operation = unrestricted(adapters.plan.mesh.gateway.limits)
    names = frozenset(each.name for each in entity.fields)
    windows = await _windows(adapters, entity, rows)
    found: list[Row] = []
    for offset, limit in windows:
        found += await adapters.rows(entity.address, Ask(names, limit=limit, offset=offset), operation)
    live = await _live(adapters, entity)
    columns = await _columns(adapters, entity, live, windows)
    fields = {name: [_present(row.get(name)) for row in found] for name in sorted(names)}
    return Sample(len(found), fields, columns, live)


async def _windows(adapters: Adapters, entity: EntityPlan, rows: int) -> list[tuple[int, int]]:
    """Offsets and limits: the first rows, and where the source counts, some from the middle and the end, too."""
    if not entity.capabilities.count or rows < 10 * _WINDOWS:
        return [(0, rows)]
    operation = unrestricted(adapters.plan.mesh.gateway.limits)
    total = min(await adapters.count(entity.address, Ask(frozenset()), operation), _DEEPEST)
    if total <= rows:
        return [(0, rows)]
    part = rows // _WINDOWS
    return [(index * (total - part) // (_WINDOWS - 1), part) for index in range(_WINDOWS)]


async def _live(adapters: Adapters, entity: EntityPlan) -> tuple[LiveColumn, ...]:
    """The live columns that the spec names nowhere; none where the protocol tells none."""
    try:
        found = await adapters.lines[entity.server].connector.describe(entity.source)
    except SourceError as error:
        _LOG.warning("a source could not be described: %s", error, extra={"entity": entity.address})
        return ()
    known = {column.name.partition(".")[0].casefold() for column in entity.source.columns}
    return tuple(column for column in found or () if column.name.casefold() not in known)


async def _columns(
    adapters: Adapters, entity: EntityPlan, live: Iterable[LiveColumn], windows: Iterable[tuple[int, int]]
) -> dict[str, list[Any]]:
    """Values of the columns that no field is, as the source has them; a column that cannot be read is left out."""
    fields = {each.column for each in entity.fields}
    declared = [each for each in entity.source.columns if each.name not in fields]
    extra = [SourceColumn(column.name, STRING) for column in live]
    source = replace(entity.source, columns=(*entity.source.columns, *extra))
    select = tuple(Output(each.name, Column((each.name,), each.type)) for each in (*declared, *extra))
    found: dict[str, list[Any]] = {output.name: [] for output in select}
    if not select:
        return found
    for offset, limit in windows:
        request = Request(select, limit=limit, offset=offset)
        try:
            rows = await adapters.lines[entity.server].fetch(source, request)
        except ReadFailed:
            return {}
        for row in rows:
            for output, value in zip(select, row, strict=True):
                found[output.name].append(value)
    return found


def _present(value: Any) -> Any:
    return None if isinstance(value, CellError) else value

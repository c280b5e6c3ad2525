# SPDX-License-Identifier: Apache-2.0
"""Values that a change does not carry (TOAST, generated columns), read from the source by key."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import AsyncCursor, sql
from psycopg.rows import tuple_row

from dictamesh.runtime.capture.contract import CaptureFailed
from dictamesh.runtime.capture.postgres.assembly import Step
from dictamesh.runtime.capture.postgres.faults import source_errors
from dictamesh.runtime.capture.postgres.session import Connection
from dictamesh.runtime.capture.postgres.tables import Table
from dictamesh.runtime.capture.postgres.values import Values

_AT_ONCE = 1000  # keys


async def filled(
    connection: Connection,
    values: Values,
    steps: list[Step],
    tables: Mapping[str, Table],
    keys: Mapping[str, tuple[str, ...]],
) -> list[Step]:
    """Return the steps with every column that was lacking, none of them as null in its stead.

    The value is that of now: where it has changed since, the change that follows brings nothing new. A row that is
    gone by now is left out, as its deletion follows. `keys` are the columns of each entity's key.
    """
    wanted: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
    for place, step in enumerate(steps):
        if step.lacking:
            wanted[step.address, step.lacking].append(place)
    if not wanted:
        return steps
    result: list[Step | None] = list(steps)
    for (address, columns), places in wanted.items():
        for start in range(0, len(places), _AT_ONCE):
            some = places[start : start + _AT_ONCE]
            found = await _read(
                connection, values, tables[address], keys[address], columns, [steps[place].key for place in some]
            )
            for index, place in enumerate(some):
                result[place] = _with(steps[place], columns, found.get(index))
    return [step for step in result if step is not None]


def _with(step: Step, columns: Sequence[str], row: tuple[Any, ...] | None) -> Step | None:
    if row is None or step.seen is None:
        return None
    whole = {**(step.seen.columns or {}), **dict(zip(columns, row, strict=True))}
    return replace(step, seen=replace(step.seen, columns=whole), lacking=())


async def _read(
    connection: Connection,
    values: Values,
    table: Table,
    key: tuple[str, ...],
    columns: tuple[str, ...],
    wanted: Sequence[tuple[str, ...]],
) -> dict[int, tuple[Any, ...]]:
    for name in (*key, *columns):
        if name not in table.types:
            raise CaptureFailed(f"{table.shown} has no column {name}", "change the spec, or the table")
    arrays = [
        sql.SQL("{}::text[]::{}[]").format(sql.Literal([each[at] for each in wanted]), sql.SQL(table.types[name]))
        for at, name in enumerate(key)
    ]
    names = [sql.Identifier(f"k{at}") for at in range(len(key))]
    on = [sql.SQL("t.{} = w.{}").format(sql.Identifier(name), alias) for name, alias in zip(key, names, strict=True)]
    statement = sql.SQL("SELECT w.place, {} FROM unnest({}) WITH ORDINALITY w ({}, place) JOIN {} t ON {}").format(
        sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in columns),
        sql.SQL(", ").join(arrays),
        sql.SQL(", ").join(names),
        table.identifier,
        sql.SQL(" AND ").join(on),
    )
    doing = f"reading {', '.join(columns)} of {table.shown}, which a change does not carry"
    with source_errors(doing, {"42703": "change the spec, or put the column back"}):
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(statement)
            return {int(row[0]) - 1: row[1:] for row in await loaded(cursor, values)}


async def loaded(cursor: AsyncCursor[Any], values: Values) -> list[tuple[Any, ...]]:
    """Return the rows of a result, read as those of the stream are; raises `CaptureFailed`."""
    result = cursor.pgresult
    if result is None:
        return []
    types = [result.ftype(place) for place in range(result.nfields)]
    await values.learn(set(types))
    loads = [values.load(type_) for type_ in types]
    return [
        tuple(None if (raw := result.get_value(row, place)) is None else load(raw) for place, load in enumerate(loads))
        for row in range(result.ntuples)
    ]

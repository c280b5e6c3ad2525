# SPDX-License-Identifier: Apache-2.0
"""The first pass over tables: read in pages at the very point from which the stream goes on."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from psycopg import sql

from dictamesh.runtime.capture.contract import Batch, Seen, StateId, StreamRecorder
from dictamesh.runtime.capture.postgres.assembly import Wanted
from dictamesh.runtime.capture.postgres.client import Point
from dictamesh.runtime.capture.postgres.faults import source_errors
from dictamesh.runtime.capture.postgres.lacking import loaded
from dictamesh.runtime.capture.postgres.lsn import text_of
from dictamesh.runtime.capture.postgres.position import Position
from dictamesh.runtime.capture.postgres.session import Connection
from dictamesh.runtime.capture.postgres.streams import Stream
from dictamesh.runtime.capture.postgres.tables import Table
from dictamesh.runtime.capture.postgres.values import Values

_DOING = "reading the tables for the first time"


async def first_pass(
    connection: Connection,
    recorder: StreamRecorder,
    reads: Sequence[tuple[StateId, Table, Wanted]],
    point: Point,
    system: str,
    stream: Stream,
) -> None:
    """Record every row that a slot's consistent point shows; the positions come last, once all are through.

    Raises `CaptureFailed`, `CatalogUnavailable`.
    """
    values = Values(connection)
    with source_errors(_DOING):
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(point.snapshot)))
    ids = {state: uuid.uuid4().hex for state, _, _ in reads}
    for state, table, wanted in reads:
        await recorder.record(Batch(state, pass_id=ids[state]))
        async for rows in _pages(connection, values, table, wanted, stream.page):
            origin = f"{table.shown} {text_of(point.position)}"
            seen = [Seen(columns=row, origin=origin) for row in rows]
            await recorder.record(Batch(state, seen, pass_id=ids[state]))
            await asyncio.sleep(stream.pause)
    with source_errors(_DOING):
        await connection.execute("COMMIT")
    position = {**Position(point.position, system).plain(), **stream.names}
    for state, _, _ in reads:
        await recorder.record(Batch(state, complete=ids[state]))
    await recorder.record_all([Batch(state, position=position) for state, _, _ in reads])


async def _pages(
    connection: Connection, values: Values, table: Table, wanted: Wanted, page: int
) -> AsyncIterator[list[Mapping[str, Any]]]:
    declare = sql.SQL("DECLARE pass NO SCROLL CURSOR FOR SELECT {} FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, wanted.columns)), table.identifier
    )
    fetch = sql.SQL("FETCH FORWARD {} FROM pass").format(sql.Literal(page))
    with source_errors(_DOING):
        await connection.execute(declare)
    while True:
        with source_errors(_DOING):
            rows = await loaded(await connection.execute(fetch), values)
        if not rows:
            break
        yield [dict(zip(wanted.columns, row, strict=True)) for row in rows]
    with source_errors(_DOING):
        await connection.execute("CLOSE pass")

# SPDX-License-Identifier: Apache-2.0
"""A product over tables of a PostgreSQL, followed by a way, and what the tables hold to compare with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.rows import dict_row

from dictamesh.connectors.sql.options import SqlEntity
from dictamesh.runtime.capture.postgres.streams import Stream, streams
from dictamesh.runtime.capture.postgres.way import PostgresWay
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.manifest import Source as SourceOf
from dictamesh.specs.manifest import SourceColumn
from dictamesh.specs.model.events import Changes
from dictamesh.specs.types import INT, STRING, Type
from tests.support.plans import entity, field, plan
from tests.support.recording import MemoryRecorder


def captured(
    name: str, table: str, columns: dict[str, Type], key: tuple[str, ...] = ("id",), **changes: Any
) -> EntityPlan:
    """An entity of product `shop` on server `main` whose changes are followed."""
    settings = {"heartbeat": 0.5, "page": 100, **changes}
    made = entity(
        name,
        *(field(column, type_) for column, type_ in columns.items()),
        key=key,
        product="shop",
        product_id="shop",
        connector="postgres",
        catalog={"domain": "shop"},
        changes=Changes.model_validate({"postgres": settings}),
    )
    source = SourceOf(made.address, table, tuple(SourceColumn(n, t) for n, t in columns.items()), key, SqlEntity())
    return replace(made, source=source)


def stream_of(*entities: EntityPlan) -> Stream:
    (found,) = streams(plan(*entities))
    return found


def recorder_for(stream: Stream) -> MemoryRecorder:
    return MemoryRecorder({each.address: each.source.key for each in stream.entities})


@contextlib.asynccontextmanager
async def followed(stream: Stream, dsn: str, recorder: Any, **more: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Run a way for the block."""
    way = PostgresWay(stream, dsn, recorder, **more)
    task = asyncio.create_task(way.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


def held(dsn: str, each: EntityPlan) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows of an entity's table by key, read as the connector's sessions do."""
    names = [column.name for column in each.source.columns]
    with psycopg.connect(dsn, row_factory=dict_row, options="-c TimeZone=UTC") as connection:
        listed = ", ".join(f'"{name}"' for name in names)
        rows = connection.execute(f"SELECT {listed} FROM {each.source.physical_name}".encode()).fetchall()
    return {tuple(row[name] for name in each.source.key): row for row in rows}


def same(recorder: MemoryRecorder, dsn: str, stream: Stream) -> Callable[[], bool]:
    """Whether the first pass is through, and what was recorded equals the tables."""
    return lambda: (
        streaming(recorder, stream) and all(recorder.rows[each.address] == held(dsn, each) for each in stream.entities)
    )


def streaming(recorder: MemoryRecorder, stream: Stream) -> bool:
    return all("lsn" in recorder.positions.get(state, ()) for state in stream.states.values())


ORDERS = {"id": INT, "status": STRING, "note": STRING}
LINES = {"order_id": INT, "line": INT, "quantity": INT}
TABLES = """
CREATE TABLE orders (id integer PRIMARY KEY, status text NOT NULL, note text, hidden text);
CREATE TABLE lines (order_id integer, line integer, quantity integer, PRIMARY KEY (order_id, line));
"""


def shop(**changes: Any) -> Stream:
    return stream_of(
        captured("Order", "orders", ORDERS, **changes),
        captured("Line", "lines", LINES, ("order_id", "line"), **changes),
    )

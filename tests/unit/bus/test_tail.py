# SPDX-License-Identifier: Apache-2.0
"""Messages of strangers in a topic of ours are told as such; none ends the reading, none stands where it says."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dictamesh.runtime.bus.client import Received
from dictamesh.runtime.bus.registry import SchemaRegistry
from dictamesh.runtime.bus.tail import KafkaTail
from dictamesh.runtime.bus.topics import Wanted
from tests.unit.events.test_avro_bounds import LIST

EVENT = {"event_type": "CREATED", "entity": {"type": "T", "id": "1", "version": "1"}, "changed_fields": []}


@asynccontextmanager
async def registry(schema: Any) -> AsyncIterator[SchemaRegistry | None]:
    """A registry that answers every id with one schema; none without one."""

    async def known(_request: web.Request) -> web.Response:
        return web.json_response({"schema": orjson.dumps(schema).decode()})

    if schema is None:
        yield None
        return
    app = web.Application()
    app.router.add_get("/schemas/ids/{id}", known)
    async with TestServer(app) as server:
        client = SchemaRegistry(str(server.make_url("")).rstrip("/"))
        try:
            yield client
        finally:
            await client.close()


async def shown(value: bytes, schema: Any = None) -> dict[str, Any]:
    async with registry(schema) as asked:
        return await KafkaTail({}, Wanted("t", 1, 1, {}, None), asked)._shown(Received("t", 2, 3, None, value, {}, 0))


@pytest.mark.parametrize(
    "found",
    [
        [1],
        {},
        {**EVENT, "entity": None},
        {**EVENT, "entity": {"id": "1"}},
        {**EVENT, "changed_fields": [1]},
        {**EVENT, "payload": [1]},
        {**EVENT, "event_type": 7},
    ],
)
async def test_what_is_no_event_is_told_as_such(found: Any) -> None:
    assert (await shown(orjson.dumps(found))).keys() == {"topic", "partition", "offset", "error"}


@pytest.mark.parametrize("schema", [LIST, {"type": "record", "name": "R", "fields": 7}, 7])
async def test_schemas_of_strangers_end_nothing(schema: Any) -> None:
    assert "error" in await shown(struct.pack(">bI", 0, 1) + b"\2" * 5_000, schema)


async def test_an_event_stands_where_it_was_read() -> None:
    found = await shown(orjson.dumps({**EVENT, "topic": "other", "offset": 99}))
    assert (found["topic"], found["partition"], found["offset"]) == ("t", 2, 3)
    assert list(found)[:3] == ["topic", "partition", "offset"]

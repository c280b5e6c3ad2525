# SPDX-License-Identifier: Apache-2.0
"""Messages of strangers in a topic of ours are told as such; none ends the reading, none stands where it says."""

import struct
from typing import Any

import orjson
import pytest

from dictamesh.runtime.bus.client import Received
from dictamesh.runtime.bus.tail import KafkaTail
from dictamesh.runtime.bus.topics import Wanted
from tests.unit.events.test_avro_bounds import LIST

EVENT = {"event_type": "CREATED", "entity": {"type": "T", "id": "1", "version": "1"}, "changed_fields": []}


class Registry:
    """A registry that knows one schema."""

    def __init__(self, schema: Any) -> None:
        self.known = schema

    async def schema(self, _number: int) -> Any:
        return self.known


async def shown(value: bytes, schema: Any = None) -> dict[str, Any]:
    topic = Wanted("t", 1, 1, {}, None)
    tail = KafkaTail({}, topic, None if schema is None else Registry(schema))  # type: ignore[arg-type]  # the wire
    return await tail._shown(Received("t", 2, 3, None, value, {}, 0))


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

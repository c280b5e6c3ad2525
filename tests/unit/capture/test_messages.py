# SPDX-License-Identifier: Apache-2.0
"""Messages that mean harm become bad records, and none of them stops the topic."""

import struct
from typing import Any

import pytest

from dictamesh.runtime.capture.contract import Bad, Seen
from dictamesh.runtime.capture.messages import Message, MessageReader
from tests.support.webhooks import orders
from tests.unit.events.test_avro_bounds import LIST, NULLS, number

ROW = b'{"id": "o-1", "total": "1.50"}'


async def read(message: Message, schema: Any = None) -> Seen | Bad:
    entity = orders({"kafka": {"topic": "t", "format": "json" if schema is None else "avro"}})
    assert entity.changes is not None
    assert entity.changes.kafka is not None

    async def schemas(_number: int) -> Any:
        return schema

    return await MessageReader(entity, entity.changes.kafka, schemas).read(message)


@pytest.mark.parametrize("at", [2**62, 253_402_300_800_000, -(2**62)])
async def test_a_time_that_no_calendar_holds_is_no_time(at: int) -> None:
    seen = await read(Message(None, ROW, "t/0/1", at))
    assert isinstance(seen, Seen)
    assert seen.at is None


@pytest.mark.parametrize(
    ("schema", "data"), [(LIST, b"\2" * 5_000 + b"\0"), (NULLS, number(2**40) + b"\0"), (LIST, b"\2" * 65 + b"\0")]
)
async def test_avro_that_would_end_the_process_is_a_bad_record(schema: Any, data: bytes) -> None:
    bad = await read(Message(None, struct.pack(">bI", 0, 1) + data, "t/0/1"), schema)
    assert isinstance(bad, Bad)
    assert (bad.stage, bad.rule, bad.origin) == ("decode", "TOO_DEEP", "t/0/1")

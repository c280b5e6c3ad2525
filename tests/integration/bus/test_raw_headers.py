# SPDX-License-Identifier: Apache-2.0
"""A header whose name is no UTF-8 costs a message its headers, and never stops who reads the topic."""

import asyncio

from dictamesh.runtime.bus.client import BEGINNING as FIRST
from dictamesh.runtime.bus.client import Reader
from dictamesh.runtime.capture.kafka_client import BEGINNING, TopicReader
from tests.support.raw_kafka import Raw


async def test_messages_with_such_headers_are_read() -> None:
    raw = Raw()
    for _ in range(40):  # until Python has specialised the calls: what an unchecked one returns has holes
        raw.write("t", b"{}", b"fine")
    raw.write("t", b"{}", b"\xff\xfe")
    raw.write("t", b"{}", b"fine")
    topic = TopicReader({"bootstrap.servers": raw.bootstrap}, "t")
    reader = Reader({"bootstrap.servers": raw.bootstrap})
    try:
        partitions = await topic.partitions()
        await topic.begin(dict.fromkeys(partitions, BEGINNING))
        found = []
        async with asyncio.timeout(30):
            while len(found) < 42:
                found += await topic.read(10, 1.0)
        assert sorted(len(each.headers) for each in found) == [0, *[1] * 41]
        reader.begin("t", dict.fromkeys(partitions, FIRST))
        read = []
        async with asyncio.timeout(30):
            while len(read) < 42:
                read += await asyncio.to_thread(reader.read, 10, 1.0)
        assert sorted(len(each.headers) for each in read) == [0, *[1] * 41]
    finally:
        await topic.close()
        reader.close()

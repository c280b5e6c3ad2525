# SPDX-License-Identifier: Apache-2.0
"""The partitioner against vectors of Apache Kafka's own test (UtilsTest.testMurmur2) and of its clients."""

import pytest

from dictamesh.runtime.events.partitioning import murmur2, partition_of

VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
    b"": 275646681,
    b"string-f-24-chars-length": 124730809,
    b"string-fo-25-chars-length": 1269511650,
    b"string-foo-26-chars-length": 119165628,
}


@pytest.mark.parametrize("data", VECTORS, ids=repr)
def test_murmur2_is_kafkas(data: bytes) -> None:
    assert murmur2(data) == VECTORS[data] & 0xFFFFFFFF


def test_a_partition_is_the_hash_without_its_sign() -> None:
    assert partition_of("21", 12) == (-973932308 & 0x7FFFFFFF) % 12
    assert {partition_of(f"c-{number:04}", 12) for number in range(1000)} == set(range(12))
    assert partition_of("Größe", 7) == (murmur2("Größe".encode()) & 0x7FFFFFFF) % 7

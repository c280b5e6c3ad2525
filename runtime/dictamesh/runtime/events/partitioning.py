# SPDX-License-Identifier: Apache-2.0
"""Which partition a key belongs to, as Kafka's Java clients decide it: order per key is the same on both buses."""

_SEED = 0x9747B28C
_M = 0x5BD1E995
_R = 24
_WORD = 0xFFFFFFFF


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key: murmur2 of its UTF-8 bytes without the sign, modulo `partitions`.

    Source: `org.apache.kafka.clients.producer.internals.BuiltInPartitioner`, librdkafka's `murmur2_random`.
    """
    if partitions == 1:
        return 0
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Return MurmurHash2 as Kafka computes it, as an unsigned number of 32 bits."""
    whole = len(data) & ~3
    h = _SEED ^ len(data)
    for at in range(0, whole, 4):
        k = (int.from_bytes(data[at : at + 4], "little") * _M) & _WORD
        k = ((k ^ (k >> _R)) * _M) & _WORD
        h = ((h * _M) & _WORD) ^ k
    if rest := data[whole:]:
        h = ((h ^ int.from_bytes(rest, "little")) * _M) & _WORD
    h = ((h ^ (h >> 13)) * _M) & _WORD
    return h ^ (h >> 15)

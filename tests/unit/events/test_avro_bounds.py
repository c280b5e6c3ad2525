# SPDX-License-Identifier: Apache-2.0
"""Avro of strangers: what is as its schema says passes, what would cost the process its life does not."""

import io
import struct
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from dictamesh.runtime.bus.codec import Misfit, decode, parsed
from dictamesh.runtime.bus.compiled_reader import fast_reader
from dictamesh.runtime.events.avro_bounds import Bounds, Broken, Excessive

LIST = {"type": "record", "name": "N", "fields": [{"name": "next", "type": ["null", "N"]}]}
NULLS = {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "null"}}]}
EMPTY = {"type": "record", "name": "E", "fields": []}
EMPTIES = {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": EMPTY}}]}
MAPPED = {"type": "map", "values": {"type": "array", "items": ["int", "double", "float", "boolean"]}}
INNER = {
    "type": "record",
    "name": "In",
    "fields": [{"name": "k", "type": "string"}, {"name": "me", "type": ["null", "In"]}],
}
EVERYTHING = {
    "type": "record",
    "namespace": "a.b",
    "name": "R",
    "fields": [
        {"name": "x", "type": ["null", INNER]},
        {"name": "y", "type": ["null", "In"]},
        {"name": "m", "type": MAPPED},
        {"name": "f", "type": {"type": "fixed", "name": "F", "size": 3}},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
        {"name": "g", "type": "F"},
        {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}},
        {"name": "l", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}


def number(value: int) -> bytes:
    value, out = value << 1 if value >= 0 else (-value << 1) - 1, b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def bounds(schema: Any) -> Bounds:
    return Bounds(fastavro.parse_schema(schema))


@pytest.mark.parametrize("turn", range(6))
def test_what_fastavro_writes_passes_and_what_was_cut_off_does_not(turn: int) -> None:
    inner = {"k": "a", "me": {"k": "b", "me": None}}
    value = {
        "x": inner if turn % 2 else None,
        "y": inner if turn % 3 else None,
        "m": {str(n): [n, n * 1.0, True] for n in range(turn)},
        "f": b"123",
        "e": "AB"[turn % 2],
        "g": b"abc",
        "d": Decimal("1.25"),
        "l": turn,
    }
    body, schema = io.BytesIO(), fastavro.parse_schema(EVERYTHING)
    fastavro.schemaless_writer(body, schema, value)
    data = b"head" + body.getvalue()
    bounds(EVERYTHING).check(data, 4)
    for end in range(4, len(data)):
        with pytest.raises(Broken):
            bounds(EVERYTHING).check(data[:end], 4)


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        (LIST, b"\2" * 5_000 + b"\0"),  # fastavro ends the process
        (LIST, b"\2" * 70 + b"\0"),
        (NULLS, number(2**40) + b"\0"),  # fastavro takes all memory there is
        (EMPTIES, number(2**40) + b"\0"),
        (NULLS, number(4_000) * 4_000 + b"\0"),
        (NULLS, number(-(2**40)) + number(1) + b"\0"),
    ],
)
def test_a_datum_that_nobody_may_send_is_not_read(schema: Any, data: bytes) -> None:
    with pytest.raises((Excessive, Broken)):
        bounds(schema).check(data, 0)
    with pytest.raises(Misfit):
        decode(struct.pack(">bI", 0, 1) + data, parsed(schema))


def test_a_list_of_sixty_is_read() -> None:
    bounds(LIST).check(b"\2" * 60 + b"\0", 0)
    assert decode(struct.pack(">bI", 0, 1) + b"\2" * 60 + b"\0", parsed(LIST))["next"]["next"] is not None


@pytest.mark.parametrize(
    "schema",
    [
        7,
        {"type": "record", "name": "R", "fields": 7},
        {"type": "record", "name": "R", "fields": [{"name": "x", "type": "nothing"}]},
        {
            "type": "record",
            "name": "R",
            "fields": [{"name": "x", "type": {"type": "bytes", "logicalType": "decimal", "precision": -1}}],
        },
    ],
)
def test_a_schema_that_is_none_is_told_as_such(schema: Any) -> None:
    with pytest.raises(Misfit):
        decode(struct.pack(">bI", 0, 1), parsed(schema))


def test_the_compiled_reader_leaves_records_without_fields_to_others() -> None:
    assert fast_reader(EMPTIES) is None

# SPDX-License-Identifier: Apache-2.0
"""Our Avro writer gives byte for byte what fastavro writes, and refuses what does not fit."""

import io
from dataclasses import replace
from datetime import UTC
from types import SimpleNamespace
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.runtime.adapters.keys import json_form
from dictamesh.runtime.bus.codec import Codec, Misfit, codec_of, decode, parsed
from dictamesh.runtime.bus.compiled_reader import fast_reader
from dictamesh.runtime.bus.encoding import writer
from dictamesh.runtime.compile.avro import envelope
from dictamesh.specs.types import (
    BOOLEAN,
    BYTES,
    DATE,
    DECIMAL,
    FLOAT,
    INT,
    LONG,
    STRING,
    TIME,
    TIMESTAMP,
    Kind,
    Type,
)

MONEY = Type(Kind.DECIMAL, 12, 2)
ADDRESS = Type(Kind.OBJECT, members=(("city", STRING), ("since", DATE)))
TYPES = {
    "text": STRING,
    "raw": BYTES,
    "small": INT,
    "big": LONG,
    "real": FLOAT,
    "flag": BOOLEAN,
    "day": DATE,
    "clock": TIME,
    "moment": TIMESTAMP,
    "money": MONEY,
    "any": DECIMAL,
    "address": ADDRESS,
    "tags": Type(Kind.ARRAY, item=STRING),
    "homes": Type(Kind.ARRAY, item=ADDRESS),
}
SCHEMA = envelope("Thing", [SimpleNamespace(name=name, type=kind) for name, kind in TYPES.items()])
CODEC = codec_of(SCHEMA)
READS = parsed(SCHEMA)
GENERAL = Codec(writer(SCHEMA))
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
moments = st.datetimes(timezones=st.just(UTC))
address = st.fixed_dictionaries({"city": st.none() | texts, "since": st.none() | st.dates()})
VALUES = {
    "text": texts,
    "raw": st.binary(max_size=20),
    "small": st.integers(-(2**31), 2**31 - 1),
    "big": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "flag": st.booleans(),
    "day": st.dates(),
    "clock": st.times(),
    "moment": moments,
    "money": st.decimals(min_value="-9999999999.99", max_value="9999999999.99", places=2),
    "any": st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-1000, max_value=1000).map(json_form),
    "address": address,
    "tags": st.lists(st.none() | texts, max_size=3),
    "homes": st.lists(st.none() | address, max_size=3),
}
payloads = st.fixed_dictionaries({name: st.none() | value for name, value in VALUES.items()})
related = st.fixed_dictionaries(
    {
        **dict.fromkeys(("type", "entity_id", "source_system", "relationship_kind"), texts),
        "display_name": st.none() | texts,
    }
)
envelopes = st.fixed_dictionaries(
    {
        "event_id": st.uuids().map(str),
        "event_type": st.sampled_from(["CREATED", "UPDATED", "DELETED", "ARCHIVED"]),
        "timestamp": st.integers(0, 2**45),
        "source_system": texts,
        "domain": texts,
        "entity": st.fixed_dictionaries(
            {**dict.fromkeys(("type", "id", "version", "url"), texts), "etag": st.none() | texts}
        ),
        "changed_fields": st.lists(texts, max_size=5),
        "relationships": st.lists(related, max_size=2),
        "metadata": st.dictionaries(texts, texts, max_size=3),
        "trace_context": st.fixed_dictionaries(
            {"trace_id": texts, "span_id": texts, "parent_span_id": st.none() | texts}
        ),
        "payload": st.none() | payloads,
        "payload_encrypted": st.none() | st.dictionaries(texts, texts, max_size=3),
    }
)


def plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case list():
            return [plain(each) for each in value]
        case _:
            return json_form(value)


@given(envelopes)
def test_what_is_written_is_what_fastavro_writes_and_reads(value: dict[str, Any]) -> None:
    written = CODEC.encode(plain(value), 7)
    assert written[:5] == b"\x00\x00\x00\x00\x07"
    theirs = io.BytesIO()
    fastavro.schemaless_writer(theirs, fastavro.parse_schema(SCHEMA), value)
    assert written[5:] == theirs.getvalue()
    assert GENERAL.encode(plain(value), 7) == written
    assert CODEC.datum(plain(value)) == CODEC.fingerprint + written[5:]
    assert decode(written, READS) == plain(value)
    assert decode(written, replace(READS, fast=None)) == plain(value)
    assert READS.fast is not None
    assert READS.fast(written, 5) == (plain(value), len(written))


SOUND: dict[str, Any] = {
    "event_id": "e",
    "event_type": "UPDATED",
    "timestamp": 1,
    "source_system": "s",
    "domain": "d",
    "entity": {"type": "T", "id": "1", "version": "1", "url": "", "etag": None},
    "changed_fields": [],
    "relationships": [],
    "metadata": {},
    "trace_context": {"trace_id": "t", "span_id": "s", "parent_span_id": None},
    "payload": None,
    "payload_encrypted": None,
}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("text", 1),
        ("raw", "no base64!"),
        ("small", 2**31),
        ("small", True),
        ("small", "1"),
        ("big", 2**63),
        ("big", 1.0),
        ("real", "1.0"),
        ("flag", 1),
        ("day", "2026-02-30"),
        ("clock", "25:00"),
        ("moment", "2026-01-01T00:00:00"),
        ("money", "1.234"),
        ("money", "12345678901.00"),
        ("money", 1.5),
        ("money", "NaN"),
        ("address", "Rome"),
        ("address", {"city": 1}),
        ("address", {"town": "Rome"}),
        ("tags", "a"),
        ("tags", [1]),
        ("unknown", 1),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place_and_without_its_value(place: str, value: Any) -> None:
    with pytest.raises(Misfit) as refused:
        CODEC.encode({**SOUND, "payload": {place: value}}, 1)
    assert CODEC.datum({**SOUND, "payload": {place: value}}) is None
    assert str(refused.value).startswith("payload.")
    assert str(refused.value).endswith(": the value does not fit the schema of the topic")
    assert len(str(value)) < 4 or str(value) not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"event_type": "GONE"},
        {"timestamp": None},
        {"metadata": {"a": 1}},
        {"metadata": []},
        {"entity": None},
        {"payload_encrypted": {"a": None}},
        {"more": 1},
        {"domain": 5},
        {"domain": ["d"]},
        {"domain": None},
        {"source_system": "\ud800"},
        {"changed_fields": [1]},
        {"changed_fields": "name"},
        {"relationships": {}},
        {"timestamp": True},
        {"timestamp": 2**63},
        {"event_type": ["UPDATED"]},
        {"trace_context": {"trace_id": "t", "span_id": 1, "parent_span_id": None}},
        {"trace_context": ["t", "s", None]},
    ],
)
def test_an_envelope_that_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Misfit):
        CODEC.encode({**SOUND, **change}, 1)
    assert CODEC.datum({**SOUND, **change}) is None


def test_an_event_of_an_earlier_release_is_written_with_defaults() -> None:
    earlier = {name: value for name, value in SOUND.items() if name != "payload_encrypted"}
    assert CODEC.encode(earlier, 1) == CODEC.encode(SOUND, 1)
    assert CODEC.encode({**SOUND, "payload": {}}, 1) == CODEC.encode({**SOUND, "payload": dict.fromkeys(TYPES)}, 1)


def test_messages_of_strangers_are_refused() -> None:
    schema = parsed(SCHEMA)
    sound = CODEC.encode(SOUND, 1)
    for message in (b"", b"\x00", b"\x01" + sound[1:], sound[:20], sound[:5] + b"\xff" * 40):
        with pytest.raises(Misfit):
            decode(message, schema)


@given(envelopes)
def test_a_message_that_was_cut_is_refused(value: dict[str, Any]) -> None:
    sound = CODEC.encode(plain(value), 1)
    for end in range(len(sound)):
        with pytest.raises(Misfit):
            decode(sound[:end], READS)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "fixed", "name": "F", "size": 2},
        {"type": "float"},
        ["string", "null"],
        ["null", "string", "long"],
        "Thing",
        {"type": "string", "logicalType": "strange"},
        {"type": "long", "logicalType": "timestamp-nanos"},
    ],
)
def test_schemas_of_strangers_are_for_the_general_reader(change: Any) -> None:
    fields = [{"name": "event_id", "type": "string"}, {"name": "x", "type": change}]
    assert fast_reader({"type": "record", "name": "Thing", "fields": fields}) is None

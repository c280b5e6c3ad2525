# SPDX-License-Identifier: Apache-2.0
"""Our messages as the CloudEvents SDK reads them, held against the specification's own schema and Kafka scenarios."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from dictamesh.runtime.bus.messages import Row, outgoing
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.runtime.events.envelope import EventType, envelope_of
from tests.conformance.sets import needed
from tests.support.bus import customer, event, wanted

KINDS: tuple[EventType, ...] = ("CREATED", "UPDATED", "DELETED", "ARCHIVED")


def rows(text: str) -> dict[str, str]:
    """Read the rows of a table of Gherkin below its head."""
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    return {name: value for name, value in cells}  # noqa: C416 - two cells a row


def test_the_reader_of_this_test_reads_the_scenario_of_the_binding() -> None:
    text = (needed("cloudevents-conformance") / "features" / "kafka-protocol-binding.feature").read_text("utf-8")
    scenario = text[text.index("Scenario: Binary content mode") : text.index("Scenario Outline:")]
    headers, attributes = (rows(part) for part in re.split("Then the attributes are:", scenario))
    (payload, data) = (json.loads(part) for part in re.findall(r'"""(.*?)"""', scenario, re.DOTALL))
    value = json.dumps(payload).encode()
    found = from_binary_event(KafkaMessage({name: text.encode() for name, text in headers.items()}, None, value))
    assert {name: _text(value) for name, value in found.get_attributes().items()} == attributes
    assert found.get_data() == data


def _text(value: Any) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if hasattr(value, "strftime") else value


def told(key: str, kind: EventType, schema_id: int | None, topic: Wanted) -> tuple[Mapping[str, Any], Any]:
    """What the SDK makes of an event of ours, and the event."""
    ours = event(topic.name, key, kind)
    way = outgoing("tests", "1.2.0", topic, schema_id, 1_000_000)
    (message, *tombstones) = way.messages(Row(topic.name, 0, 7, key, envelope_of(ours)))
    headers = {name: value if isinstance(value, bytes) else value.encode() for name, value in message.headers}
    assert len(headers) == len(message.headers)
    for each in (message, *tombstones):
        assert each.headers == message.headers
    assert message.value is not None
    read = from_binary_event(KafkaMessage(headers, message.key, message.value))
    return read.get_attributes(), ours


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schema_id", [None, 7])
def test_the_sdk_reads_our_messages(kind: EventType, schema_id: int | None) -> None:
    found, ours = told("c-1", kind, schema_id, wanted(customer("customers", cleanup="compact")))
    assert found["id"] == str(ours.event_id)
    assert found["type"] == f"com.dictamesh.events.Customer.{kind}"
    assert found["source"] == "/tests/customers/Customer"
    assert found["subject"] == found["partitionkey"] == "c-1"
    assert int(found["time"].timestamp() * 1000) == int(ours.timestamp.timestamp() * 1000)
    assert found["datacontenttype"] == ("application/json" if schema_id is None else "application/avro")


TOPIC = wanted(customer("customers"))


@given(key=st.text(min_size=1), kind=st.sampled_from(KINDS))
def test_every_record_makes_a_valid_event(key: str, kind: EventType) -> None:
    schema = json.loads((needed("cloudevents-conformance") / "cloudevents.json").read_text("utf-8"))
    found, _ = told(key, kind, 7, TOPIC)
    as_json = {name: value.isoformat() if name == "time" else value for name, value in found.items()}
    Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER).validate(as_json)
    if "subject" in found:
        assert found["subject"] == key
        assert not any(ord(each) < 32 or 127 <= ord(each) < 160 or ord(each) & 0xFFFE == 0xFFFE for each in key)
        assert not any(0xFDD0 <= ord(each) <= 0xFDEF for each in key)
    else:
        assert not key.isprintable()

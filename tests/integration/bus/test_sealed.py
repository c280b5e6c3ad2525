# SPDX-License-Identifier: Apache-2.0
"""Erasing a data subject makes its payloads unreadable wherever copies of them are: in the log and in Kafka."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.bus.payload import PolicyPayloads
from dictamesh.runtime.catalog.subject_keys import subject_keys, wrapping_key
from dictamesh.runtime.events.envelope import EntityReference, Event, EventTrace
from dictamesh.runtime.events.log import append_events, bounds, read_events
from dictamesh.runtime.events.sealed_fields import SealedPlace, Unreadable, sealed_for, unseal
from tests.integration.lifecycle.conftest import CUSTOMERS, INVOICES, KEY, Shop, plan_of, shop
from tests.support.bus import consumed, relay, wanted
from tests.support.services import unique

__all__ = ["shop"]

pytestmark = pytest.mark.kafka
WRAPPING = wrapping_key(b"a wrapping key of the tests")
CANARIES = ("Ana-Canary", "Note-Canary")


def sealing(topic: str) -> Any:
    """The shop with names and notes that go out encrypted."""
    common = "partitions: 3, replication: 1, payload: all, encrypt: [restricted]"
    customers = CUSTOMERS.replace("classification: internal", "classification: restricted")
    customers += f"output: {{Customer: {{topic: {topic}.customer, {common}}}}}\n"
    author = "      - {name: author, logicalType: string, classification: public}\n"
    text = "      - {name: text, logicalType: string, classification: restricted}\n"
    invoices = INVOICES.replace(author, author + text)
    invoices = invoices.replace("output: {", f"output: {{Note: {{topic: {topic}.note, {common}}}, ")
    return plan_of(**{"a.product.yaml": customers, "b.product.yaml": invoices})


def event(maker: PolicyPayloads, entity: Any, row: dict[str, Any]) -> Event:
    reference = EntityReference(entity.name, row["id"], "1")
    payload = maker.of(entity, row)
    return Event(
        entity.topic.name, "CREATED", reference, "crm", "crm", EventTrace("ab" * 16, "cd" * 8), payload=payload
    )


async def opened(shop: Shop, envelope: dict[str, Any], topic: str, field: str) -> Any:
    """What somebody with the wrapping key reads."""
    text = envelope["payload_encrypted"][field]
    async with shop.pool.transaction() as connection:
        keys = await subject_keys(connection, WRAPPING, dict.fromkeys(sealed_for(text), "customer"))
    entity = envelope["entity"]
    return unseal(text, keys, SealedPlace(topic, entity["type"], entity["id"], field))


async def test_an_erasure_makes_every_copy_unreadable(shop: Shop, kafka: str) -> None:
    topic = unique("shop")
    plan = sealing(topic)
    mesh = replace(shop, plan=plan)
    maker = PolicyPayloads(plan, {"pepper": b"pepper"}, RecordIds(Surrogates(plan.name, {})), KEY, WRAPPING)
    customer, note = plan.entities["customers#Customer"], plan.entities["invoices#Note"]
    rows = {
        customer.address: [{"id": "c1", "name": CANARIES[0]}, {"id": "c2", "name": "Bo"}],
        note.address: [
            {"id": "n1", "about": "c1", "author": "c2", "text": CANARIES[1]},
            {"id": "n3", "about": "c2", "author": "c2", "text": "of c2 alone"},
            {"id": "n4", "about": None, "author": None, "text": "of nobody, so nobody could erase it"},
        ],
    }
    async with shop.pool.transaction() as connection:
        for entity in (customer, note):
            await maker.ready(connection, entity, rows[entity.address])
        made = [event(maker, entity, row) for entity in (customer, note) for row in rows[entity.address]]
        await append_events(connection, made, {customer.topic.name: 3, note.topic.name: 3})
    publishing, _ = await relay(shop.pool, kafka, [wanted(customer), wanted(note)])
    await publishing.publish_all()
    kept = {name: await _log(shop, name) for name in (customer.topic.name, note.topic.name)}
    raw = [message for name in kept for message in _messages(kafka, name, len(kept[name]))]
    copies: dict[str, dict[str, Any]] = {name: {} for name in kept}
    for message in raw:
        envelope = orjson.loads(message.value())
        copies[message.topic()][envelope["entity"]["id"]] = envelope
    assert copies == kept
    for text in (orjson.dumps(kept).decode(), *(m.value().decode() for m in raw), *(str(m.headers()) for m in raw)):
        assert not [canary for canary in CANARIES if canary in text]
    assert kept[note.topic.name]["n4"]["payload_encrypted"] is None
    for envelopes in (kept, copies):
        assert await opened(mesh, envelopes[customer.topic.name]["c1"], customer.topic.name, "name") == CANARIES[0]
        assert await opened(mesh, envelopes[note.topic.name]["n1"], note.topic.name, "text") == CANARIES[1]

    await mesh.erase("c1")
    for envelopes in (kept, copies):
        for name, record, field in ((customer.topic.name, "c1", "name"), (note.topic.name, "n1", "text")):
            with pytest.raises(Unreadable, match="gone"):
                await opened(mesh, envelopes[name][record], name, field)
        assert await opened(mesh, envelopes[customer.topic.name]["c2"], customer.topic.name, "name") == "Bo"
        assert await opened(mesh, envelopes[note.topic.name]["n3"], note.topic.name, "text") == "of c2 alone"

    fresh = PolicyPayloads(plan, {"pepper": b"pepper"}, RecordIds(Surrogates(plan.name, {})), KEY, WRAPPING)
    async with shop.pool.transaction() as connection:
        await fresh.ready(connection, customer, rows[customer.address])
    assert fresh.of(customer, rows[customer.address][0]) == {"id": "c1"}, "an erased subject gets no other key"


async def test_a_sealed_field_reads_only_where_it_stands(shop: Shop) -> None:
    plan = sealing(unique("shop"))
    maker = PolicyPayloads(plan, {"pepper": b"pepper"}, RecordIds(Surrogates(plan.name, {})), KEY, WRAPPING)
    entity = plan.entities["customers#Customer"]
    row = {"id": "c1", "name": "Ana"}
    async with shop.pool.transaction() as connection:
        await maker.ready(connection, entity, [row])
    text = maker.of(entity, row)["$encrypted"]["name"]
    async with shop.pool.transaction() as connection:
        keys = await subject_keys(connection, WRAPPING, dict.fromkeys(sealed_for(text), "customer"))
    place = SealedPlace(entity.topic.name, "Customer", "c1", "name")
    assert unseal(text, keys, place) == "Ana"
    for moved in (
        replace(place, record="c2"),
        replace(place, field="id"),
        replace(place, topic="other"),
        replace(place, entity="Other"),
    ):
        with pytest.raises(Unreadable):
            unseal(text, keys, moved)
    for broken in (text[:-4] + "AAA=", text.replace("dm1:", "dm2:"), "dm1:", "", "dm1:x:!"):
        with pytest.raises(Unreadable):
            unseal(broken, keys, place)


def _messages(kafka: str, topic: str, count: int) -> list:
    return consumed(kafka, topic, 3, lambda found: len(found) >= count)


async def _log(shop: Shop, topic: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for partition in await bounds(shop.pool, topic):
        for each in await read_events(shop.pool, topic, partition, 0):
            found[each.entity_id] = dict(each.envelope)
    return found

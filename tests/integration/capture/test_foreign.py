# SPDX-License-Identifier: Apache-2.0
"""A topic of somebody else behind brokers and a registry that ask who we are (EV-18, SR-2)."""

import asyncio
import io
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Producer

from dictamesh.runtime.adapters.ask import ReadFailed
from dictamesh.runtime.bus.registry import SchemaRegistry
from dictamesh.runtime.capture.kafka import KafkaWay, kafka
from dictamesh.runtime.capture.running import Making
from dictamesh.runtime.capture.states_of import states_of
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.foreign import ForeignSchemas, brokers_of, registries_of
from dictamesh.runtime.mesh.references import Resolver
from tests.integration.capture.conftest import until
from tests.support.fronted import fronted
from tests.support.plans import plan
from tests.support.recorder import Listening
from tests.support.secured import STRANGER, SecuredBroker, secured
from tests.support.services import registry, unique
from tests.support.webhooks import SEAL, orders

__all__ = ["registry", "secured"]
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
SCHEMA = {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}]}
WORD = "pass-of-the-registry"


def changes(secured: SecuredBroker, topic: str, url: str, **more: Any) -> dict[str, Any]:
    sasl = {"username": STRANGER, "password": "${env:SHOP_WORD}"}
    tls = {"ca": str(secured.authority.path)}
    own = {"url": url, "username": "us", "password": "${env:REGISTRY_WORD}", "tls": tls}
    kafka = {"topic": topic, "bootstrap": secured.bootstrap("sasl"), "sasl": sasl, "tls": tls}
    return {"kafka": {**kafka, "format": "avro", "registry": own, **more}}


@asynccontextmanager
async def following(
    pool: Pool, secured: SecuredBroker, registry: str, folder: Path, count: int, **wrong: str
) -> AsyncIterator[tuple[KafkaWay, Listening]]:
    """A topic that holds so many messages, and what follows it by the words that the broker and the registry know."""
    topic = unique("orders")
    secured.make(topic)
    secured.allow(topic, "READ", principal=f"User:{STRANGER}")
    await write(secured, registry, topic, count)
    resolver = Resolver(folder, {"SHOP_WORD": secured.password, "REGISTRY_WORD": WORD, **wrong})
    pair = secured.authority.certify(unique("registry"), "127.0.0.1")
    async with fronted(registry, pair, "us", WORD) as url:
        made = plan(orders(changes(secured, topic, url)))
        schemas = ForeignSchemas(resolver)
        await schemas.use(made)
        try:
            yield way_of(pool, made, resolver, schemas)
        finally:
            await schemas.close()


def way_of(pool: Pool, made: Plan, resolver: Resolver, schemas: ForeignSchemas) -> tuple[KafkaWay, Listening]:
    (entity,) = made.entities.values()
    (state,) = states_of("test", entity)
    recorder = Listening(pool, made, entity, SEAL)
    make = kafka(lambda entity: brokers_of(made, resolver, entity), schemas.of)
    way = make(Making(made, entity, state, None, recorder, pool))  # type: ignore[arg-type]  # a topic needs no line
    assert isinstance(way, KafkaWay)
    return way, recorder


async def write(secured: SecuredBroker, registry: str, topic: str, count: int) -> None:
    asked = SchemaRegistry(registry)
    number = await asked.register(f"{topic}-value", SCHEMA)
    await asked.close()
    producer = Producer({"bootstrap.servers": secured.bootstrap("plain")})
    for key in range(count):
        body = io.BytesIO()
        fastavro.schemaless_writer(body, fastavro.parse_schema(SCHEMA), {"id": f"o-{key}"})
        producer.produce(topic, struct.pack(">bI", 0, number) + body.getvalue(), f"o-{key}".encode())
    assert producer.flush(20) == 0


async def test_credentials_of_an_entity_are_for_its_brokers_and_its_registry(
    catalog: Pool, secured: SecuredBroker, registry: str, tmp_path: Path
) -> None:
    async with following(catalog, secured, registry, tmp_path, 20) as (way, recorder):
        work = asyncio.create_task(way.run())
        try:

            async def all_there() -> bool:
                return len(await recorder.log()) == 20

            await until(all_there, 60)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


@pytest.mark.parametrize("wrong", ["SHOP_WORD", "REGISTRY_WORD"])
async def test_a_wrong_word_reads_nothing_and_loses_nothing(
    catalog: Pool, secured: SecuredBroker, registry: str, tmp_path: Path, wrong: str
) -> None:
    async with following(catalog, secured, registry, tmp_path, 1, **{wrong: "another-word"}) as (way, recorder):
        with pytest.raises(ReadFailed):
            await asyncio.wait_for(way.run(), 60)
    assert await recorder.log() == []
    assert await recorder.position(way.state) is None


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"sasl": {"username": "us", "password": "${env:MISSING}"}}, "changes.kafka.sasl.password"),
        ({"registry": {"url": "http://r", "password": "${env:MISSING}"}}, "changes.kafka.registry.password"),
        ({"registry": {"url": "http://r", "tls": {"ca": "missing.pem"}}}, "changes.kafka.registry.tls.ca"),
    ],
)
def test_what_leads_to_nothing_is_told_with_its_place(tmp_path: Path, more: Mapping[str, Any], place: str) -> None:
    given = {"topic": "orders", "bootstrap": "127.0.0.1:1", "format": "avro", **more}
    entity = orders({"kafka": given})
    made = replace(plan(entity), entities={entity.address: entity})

    def reached() -> None:
        brokers_of(made, Resolver(tmp_path, {}), entity)
        registries_of(made, Resolver(tmp_path, {}))

    with pytest.raises(StartFailed) as failed:
        reached()
    assert place in f"{failed.value}"

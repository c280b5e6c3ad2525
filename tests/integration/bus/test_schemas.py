# SPDX-License-Identifier: Apache-2.0
"""A real registry: what fits is registered once, what does not is named before anything is touched, 409 is told."""

from dataclasses import replace
from typing import Any

import pytest

from dictamesh.runtime.bus.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from dictamesh.runtime.bus.schemas import Incompatible, Schemas, subject
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.runtime.compile.avro import envelope
from dictamesh.specs.types import INT, LONG, STRING
from tests.support.bus import customer, wanted
from tests.support.services import free_port, registered, unique

pytestmark = pytest.mark.kafka


def topic(name: str, **fields: Any) -> Wanted:
    entity = customer(name)
    chosen = [replace(entity.fields[0], name=each, type=kind) for each, kind in fields.items()]
    return wanted(replace(entity, avro=envelope("Customer", chosen)))


async def known(url: str, *topics: Wanted, level: str = "BACKWARD") -> dict[str, int]:
    client = SchemaRegistry(url)
    schemas = Schemas(client, level)
    try:
        named = {each.name: each for each in topics}
        await schemas.check(named)
        await schemas.register(named)
        return schemas.ids
    finally:
        await client.close()


async def test_a_schema_is_registered_once_and_read_by_its_id(registry: str) -> None:
    name = unique("customers")
    (first,) = (await known(registry, topic(name, total=INT))).values()
    assert await known(registry, topic(name, total=INT)) == {name: first}
    assert registered(registry, subject(name)) == [1]
    client = SchemaRegistry(registry)
    assert (await client.schema(first))["name"] == "CustomerEvent"
    assert await client.schema(999_999_999) is None
    assert await client.latest(unique("nothing")) is None
    await client.close()


async def test_what_reads_all_that_was_written_is_a_new_version(registry: str) -> None:
    name = unique("customers")
    await known(registry, topic(name, total=INT))
    await known(registry, topic(name, total=LONG, note=STRING))
    assert registered(registry, subject(name)) == [1, 2]


@pytest.mark.parametrize(
    ("level", "before", "after", "place"),
    [
        ("BACKWARD", {"total": INT}, {"total": STRING}, "payload.total"),
        ("FULL", {"total": INT}, {"total": LONG}, "payload.total"),
        ("FORWARD", {"total": INT}, {"total": LONG}, "payload.total"),
    ],
)
async def test_what_does_not_fit_is_named_before_anything_is_touched(
    registry: str, level: str, before: dict[str, Any], after: dict[str, Any], place: str
) -> None:
    name, other = unique("customers"), unique("others")
    await known(registry, topic(name, **before), level=level)
    with pytest.raises(Incompatible) as found:
        await known(registry, topic(other, total=INT), topic(name, **after), level=level)
    assert found.value.place == place
    assert (registered(registry, subject(name)), registered(registry, subject(other))) == ([1], [])


async def test_transitive_looks_at_every_version(registry: str) -> None:
    name = unique("customers")
    await known(registry, topic(name, total=INT))
    await known(registry, topic(name))
    await known(registry, topic(name, total=STRING))
    other = unique("customers")
    await known(registry, topic(other, total=INT), level="BACKWARD_TRANSITIVE")
    await known(registry, topic(other), level="BACKWARD_TRANSITIVE")
    with pytest.raises(Incompatible, match=r"payload\.total"):
        await known(registry, topic(other, total=STRING), level="BACKWARD_TRANSITIVE")


async def test_the_registrys_own_409_is_told(registry: str) -> None:
    name = unique("customers")
    await known(registry, topic(name, total=INT))
    client = SchemaRegistry(registry)
    with pytest.raises(RegistryRefused) as refused:
        await client.register(subject(name), {"type": "string"})
    assert refused.value.status == 409
    await client.close()


async def test_a_registry_that_is_away_is_no_refusal() -> None:
    client = SchemaRegistry(f"http://127.0.0.1:{free_port()}", timeout=1)
    with pytest.raises(RegistryUnavailable):
        await client.latest("x")
    await client.close()

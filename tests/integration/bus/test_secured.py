# SPDX-License-Identifier: Apache-2.0
"""A broker that asks who we are: by password, by certificate, with rights of its own (EV-18)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from dictamesh.runtime.bus.admin import Admin
from dictamesh.runtime.bus.client import Message, Reader, Sender
from dictamesh.runtime.bus.refusals import BusUnavailable
from dictamesh.runtime.bus.settings import connection, producer
from dictamesh.runtime.bus.tail import Beginning, KafkaTail
from dictamesh.runtime.bus.topics import compare, create
from dictamesh.runtime.capture.kafka_client import BEGINNING, TopicReader, Unreachable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.log import append_events
from dictamesh.specs.model.events import Kafka
from tests.support.bus import Heard, consumed, customer, event, relay, wanted
from tests.support.postgres import fresh_database
from tests.support.secured import STRANGER, USER, Authority, SecuredBroker, secured
from tests.support.services import unique

__all__ = ["secured"]
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

Section = dict[str, Any]
By = Callable[[SecuredBroker], Section]
ALL = ("CREATE", "WRITE", "READ", "DESCRIBE", "DESCRIBE_CONFIGS")
CERTIFIED = "User:CN=mesh"
WAYS: dict[str, By] = {
    "SCRAM-SHA-512": SecuredBroker.scram,
    "SCRAM-SHA-256": lambda broker: broker.scram("SCRAM-SHA-256"),
    "mTLS": SecuredBroker.mutual,
}


@pytest.fixture
def dsn(embedded_dsn: str) -> Iterator[str]:
    """An empty database; the log is tried on the other server elsewhere."""
    with fresh_database(embedded_dsn) as database:
        yield database


def kafka(section: Section) -> Kafka:
    return Kafka.model_validate(section)


def reached(section: Section) -> dict[str, Any]:
    return connection(kafka(section), lambda written, _: written, Path("/"))


async def append(pool: Pool, partitions: int, *events: Any) -> None:
    async with pool.transaction() as connected:
        await append_events(connected, events, {each.topic: partitions for each in events})


@pytest.mark.parametrize("way", WAYS)
async def test_topics_are_made_published_and_read(catalog: Pool, secured: SecuredBroker, way: str) -> None:
    topic = wanted(customer(unique("customers"), 2))
    for principal in (f"User:{USER}", CERTIFIED):
        secured.allow(topic.name, *ALL, principal=principal)
    section = WAYS[way](secured)
    await append(catalog, 2, *(event(topic.name, f"c-{number}") for number in range(20)))
    publishing, _ = await relay(catalog, kafka(section), [topic])
    assert await publishing.publish_all() == 20
    tail = KafkaTail(reached(section), topic, None)
    found = [each async for each in tail.read(Beginning(), follow=False)]
    assert sorted(each["entity"]["id"] for each in found) == sorted(f"c-{number}" for number in range(20))
    compared = await compare(Admin(reached(section)), {topic.name: topic})
    assert (compared.missing, compared.drift, compared.hidden) == ([], [], [])


def of_another(broker: SecuredBroker, section: Section) -> Section:
    return {**section, "tls": {**section["tls"], "ca": str(broker.foreign.path)}}


def without(section: Section, *names: str) -> Section:
    return {name: value for name, value in section.items() if name not in names}


REFUSED: dict[str, tuple[By, str, str]] = {
    "wrong password": (
        lambda broker: broker.scram(password="pass-wrong"),
        "events.kafka.sasl",
        "do not accept these credentials",
    ),
    "unknown user": (
        lambda broker: broker.scram(username="nobody"),
        "events.kafka.sasl",
        "do not accept these credentials",
    ),
    "mechanism that is not offered": (
        lambda broker: broker.scram("PLAIN"),
        "events.kafka.sasl.mechanism",
        "do not offer this mechanism",
    ),
    "no credentials where they are asked for": (
        lambda broker: without(broker.scram(), "sasl"),
        "events.kafka.sasl",
        "seem to ask for credentials",
    ),
    "unknown authority": (
        lambda broker: of_another(broker, broker.scram()),
        "events.kafka.tls.ca",
        "of no authority that is trusted",
    ),
    "authority of the system": (
        lambda broker: {**broker.scram(), "tls": {}},
        "events.kafka.tls.ca",
        "of no authority that is trusted",
    ),
    "another host name": (
        lambda broker: broker.scram(listener="other"),
        "events.kafka",
        "is for another host name",
    ),
    "no certificate": (
        lambda broker: {**broker.scram(listener="mtls"), "sasl": None},
        "events.kafka.tls.certificate",
        "asks for a certificate of ours",
    ),
    "certificate of an unknown authority": (
        lambda broker: broker.mutual(broker.stranger),
        "events.kafka.tls.certificate",
        "does not accept our certificate",
    ),
    "no TLS where it is spoken": (
        lambda broker: without(broker.scram(), "tls"),
        "events.kafka.tls",
        "speak TLS there",
    ),
    "TLS where it is not spoken": (
        lambda broker: without(broker.scram(listener="plain"), "sasl"),
        "events.kafka.tls",
        "seems to speak no TLS",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refusal_is_told_at_once_with_its_place(secured: SecuredBroker, case: str) -> None:
    made, place, what = REFUSED[case]
    settings = reached(made(secured))
    async with asyncio.timeout(12):  # an answer that does not come is waited for longer
        with pytest.raises(BusUnavailable) as refused:
            await Admin(settings).topics(["t"], [])
    assert refused.value.refused
    assert str(refused.value).startswith(f"{place}: ") and what in str(refused.value)
    assert refused.value.cure
    assert "pass-" not in f"{refused.value!r} {refused.value} {refused.value.fault} {refused.value.cure}"


@pytest.mark.parametrize("case", ["wrong password", "unknown authority"])
async def test_a_reader_is_told_the_same(secured: SecuredBroker, case: str) -> None:
    made, place, what = REFUSED[case]
    reader = Reader(reached(made(secured)))
    with pytest.raises(BusUnavailable, match=f"{place}: .*{what}"):
        await asyncio.to_thread(reader.partitions, "t")
    await asyncio.to_thread(reader.close)


@pytest.mark.parametrize(
    ("name", "place", "what"),
    [
        ("ca", "events.kafka.tls.ca", "is not there"),
        ("certificate", "events.kafka.tls.certificate", "is not there"),
        ("key", "events.kafka.tls.key", "is not there"),
        ("noise", "events.kafka.tls.ca", "holds no certificate"),
        ("pair", "events.kafka.tls.key", "is not that of the certificate"),
        ("password", "events.kafka.tls.key", "see keyPassword"),
    ],
)
def test_a_file_that_is_of_no_use_is_named(tmp_path: Path, name: str, place: str, what: str) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.certify("us", password="pass-right")
    _, other = authority.certify("them")
    (tmp_path / "noise").write_text("no certificate", "utf-8")
    files = {"ca": authority.path, "certificate": certificate, "key": key}
    files |= {"noise": {"ca": tmp_path / "noise"}, "pair": {"key": other}}.get(name, {})
    files |= {name: tmp_path / "nothing"} if name in files else {}
    word = "pass-wrong" if name == "password" else "pass-right"
    section = {"bootstrap": "localhost:1", "tls": {**{k: str(v) for k, v in files.items()}, "keyPassword": word}}
    with pytest.raises(BusUnavailable) as refused:
        Admin(reached(section))
    said = f"{refused.value}; {refused.value.cure}"
    assert said.startswith(f"{place}: ") and what in said and "pass-" not in said


async def test_a_principal_that_may_only_write_its_topics_publishes(catalog: Pool, secured: SecuredBroker) -> None:
    prefix = unique("acme")
    topic, other = wanted(customer(f"{prefix}.customers", 1)), wanted(customer(f"{prefix}.others", 1))
    secured.make(topic.name)
    secured.allow(prefix, "WRITE", prefix=True)
    admin = Admin(reached(secured.scram()))
    found = await compare(admin, {topic.name: topic})
    assert (found.missing, found.drift, found.hidden) == ([], [], [topic.name])
    with pytest.raises(BusUnavailable, match=f"TOPIC_AUTHORIZATION_FAILED, topic {prefix}.others") as refused:
        await create(admin, [other])
    assert refused.value.refused and "ACL" in refused.value.cure
    await append(catalog, 1, *(event(topic.name, f"c-{number}") for number in range(5)))
    publishing, _ = await relay(catalog, kafka(secured.scram()), [topic], make=False)
    assert await publishing.publish_all() == 5
    assert len(consumed(secured.bootstrap("plain"), topic.name, 1, lambda found: len(found) >= 5)) == 5
    with pytest.raises(BusUnavailable, match="TOPIC_AUTHORIZATION_FAILED"):
        await _read(secured.scram(), topic.name)


async def test_reading_needs_no_right_to_a_group(secured: SecuredBroker) -> None:
    name = unique("customers")
    secured.make(name)
    secured.allow(name, "READ", principal=f"User:{STRANGER}")
    own = Producer({"bootstrap.servers": secured.bootstrap("plain")})
    for number in range(20):
        own.produce(name, b"{}", f"k-{number}".encode())
    own.flush(20)
    reader = Reader(reached(secured.scram(username=STRANGER)))
    reader.begin(name, {0: 0})
    found: list[Any] = []
    async with asyncio.timeout(20):
        while len(found) < 20:
            found += await asyncio.to_thread(reader.read, 1, 1.0)  # long enough for a group to be refused
            await asyncio.sleep(0.1)
    await asyncio.to_thread(reader.close)


async def test_a_topic_that_may_not_be_seen_is_no_empty_one(secured: SecuredBroker) -> None:
    name = unique("customers")
    secured.make(name)
    with pytest.raises(BusUnavailable, match="TOPIC_AUTHORIZATION_FAILED") as refused:
        await _read(secured.scram(username=STRANGER), name)
    assert name in str(refused.value)


async def _read(section: Section, name: str) -> list[Any]:
    tail = KafkaTail(reached(section), wanted(customer(name, 1)), None)
    return [each async for each in tail.read(Beginning(), follow=False)]


async def test_rights_that_are_taken_away_stop_one_topic_until_they_are_back(
    catalog: Pool, secured: SecuredBroker
) -> None:
    topics = [wanted(customer(unique(name), 1)) for name in ("customers", "others")]
    for each in topics:
        secured.make(each.name)
        secured.allow(each.name, "WRITE")
    publishing, heard = await relay(catalog, kafka(secured.scram()), topics, make=False)
    async with _running(publishing.run()):
        await append(catalog, 1, *(event(each.name, "c-0") for each in topics))
        await _until(lambda: len(heard.rows) == 2)
        secured.forbid(topics[0].name)
        await append(catalog, 1, *(event(each.name, f"c-{n}") for each in topics for n in range(1, 400)))
        await _until(lambda: "refused" in heard.reasons and len(_of(heard, topics[1].name)) == 400)
        assert heard.fault is not None and "ACL" in heard.fault.cure
        assert len(_of(heard, topics[0].name)) == 1
        told = len(heard.codes)
        assert told < 50, "messages are told of together"
        secured.allow(topics[0].name, "WRITE")
        await _until(lambda: len(_of(heard, topics[0].name)) == 400)
        await _until(lambda: heard.fault is None)
    assert _ids(secured, topics[0].name, 400) == [f"c-{n}" for n in range(400)]


async def test_no_right_to_any_topic_is_told_of_and_ends_with_the_right(catalog: Pool, secured: SecuredBroker) -> None:
    topic = wanted(customer(unique("customers"), 1))
    secured.make(topic.name)
    await append(catalog, 1, *(event(topic.name, f"c-{n}") for n in range(5)))
    publishing, heard = await relay(catalog, kafka(secured.scram(username=STRANGER)), [topic], make=False)
    async with _running(publishing.run()):
        await _until(lambda: "refused" in heard.reasons)
        assert heard.fault is not None and heard.fault.place == "events.kafka"
        secured.allow(topic.name, "WRITE", principal=f"User:{STRANGER}")
        await _until(lambda: len(heard.rows) == 5 and heard.fault is None)
    assert _ids(secured, topic.name, 5) == [f"c-{n}" for n in range(5)]


async def test_credentials_that_are_revoked_in_flight_stop_the_relay_until_they_are_back(
    catalog: Pool, secured: SecuredBroker
) -> None:
    topic = wanted(customer(unique("customers"), 1))
    secured.make(topic.name)
    secured.allow(topic.name, "WRITE")
    publishing, heard = await relay(catalog, kafka(secured.scram()), [topic], make=False)
    async with _running(publishing.run()):
        await append(catalog, 1, event(topic.name, "c-0"))
        await _until(lambda: len(heard.rows) == 1)
        secured.revoke(USER)
        try:
            number = 1
            async with asyncio.timeout(60):
                while "refused" not in heard.reasons:
                    await append(catalog, 1, event(topic.name, f"c-{number}"))
                    number += 1
                    await asyncio.sleep(0.2)
            assert heard.fault is not None and heard.fault.place == "events.kafka.sasl"
        finally:
            secured.restore(USER)
        await _until(lambda: len({row.key for row in heard.rows}) == number and heard.fault is None)
    assert list(dict.fromkeys(_ids(secured, topic.name, number))) == [f"c-{n}" for n in range(number)]


async def test_a_topic_of_somebody_else_is_read_by_the_same_proof(secured: SecuredBroker) -> None:
    name = unique("theirs")
    secured.make(name)
    secured.allow(name, "READ")
    own = Producer({"bootstrap.servers": secured.bootstrap("plain")})
    own.produce(name, b"{}", b"k")
    own.flush(20)
    reader = TopicReader(reached(secured.scram()), name)
    assert await reader.partitions() == [0]
    await reader.begin({0: BEGINNING})
    async with asyncio.timeout(20):
        while not (found := await reader.read(10, 1.0)):
            pass
    assert [each.key for each in found] == [b"k"]
    await reader.close()
    wrong = TopicReader(reached(secured.scram(password="pass-wrong")), name)
    with pytest.raises(Unreachable) as refused:
        await wrong.partitions()
    assert refused.value.code == "_AUTHENTICATION"
    await wrong.close()


async def test_a_producer_knows_why_its_messages_wait(secured: SecuredBroker) -> None:
    section = secured.scram(password="pass-wrong")
    sender = Sender(producer(kafka(section), reached(section)))
    sender.send([Message("t", 0, b"k", b"v", [])])
    async with asyncio.timeout(20):
        while (fault := await asyncio.to_thread(sender.fault)) is None:
            assert not await asyncio.to_thread(sender.wait, 0.2)
    assert fault.place == "events.kafka.sasl"
    await asyncio.to_thread(sender.close)


def _of(heard: Heard, topic: str) -> list[Any]:
    return [row for row in heard.rows if row.topic == topic]


def _ids(broker: SecuredBroker, topic: str, count: int) -> list[str]:
    found = consumed(broker.bootstrap("plain"), topic, 1, lambda found: len({m.key() for m in found}) >= count)
    return [orjson.loads(message.value())["entity"]["id"] for message in found]


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until(holds: Callable[[], bool], seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)

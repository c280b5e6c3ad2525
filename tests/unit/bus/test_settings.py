# SPDX-License-Identifier: Apache-2.0
"""Clients are made of what the mesh file declares; secrets are resolved and shown by nothing."""

from pathlib import Path

import pytest

from dictamesh.runtime.bus.admin import Admin, TopicState
from dictamesh.runtime.bus.client import Reader, Sender
from dictamesh.runtime.bus.refusals import BusUnavailable
from dictamesh.runtime.bus.settings import connection, consumer, producer
from dictamesh.runtime.bus.topics import Wanted, drift, wanted_topics
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.specs.model.events import Kafka
from tests.support.example import files, plan

SECRETS = {"USER": "us", "PASSWORD": "hunter2", "KEY_PASSWORD": "hunter3"}
SECURE = Kafka.model_validate(
    {
        "bootstrap": "b1:9093,b2:9093",
        "sasl": {"username": "${env:USER}", "password": "${env:PASSWORD}"},
        "tls": {"ca": "ca.pem", "certificate": "own.pem", "key": "own.key", "keyPassword": "${env:KEY_PASSWORD}"},
    }
)


def reached(kafka: Kafka) -> dict[str, object]:
    return connection(kafka, Resolver(Path("/mesh"), SECRETS).text, Path("/mesh"))


@pytest.mark.parametrize(
    ("keys", "protocol"),
    [((), "PLAINTEXT"), (("sasl",), "SASL_PLAINTEXT"), (("tls",), "SSL"), (("sasl", "tls"), "SASL_SSL")],
)
def test_the_protocol_follows_from_what_is_declared(keys: tuple[str, ...], protocol: str) -> None:
    kept = {name: getattr(SECURE, name) for name in keys}
    assert reached(Kafka(bootstrap="b:9092", **kept))["security.protocol"] == protocol


def test_credentials_are_resolved_and_files_are_beside_the_mesh_file() -> None:
    found = reached(SECURE)
    assert (found["sasl.mechanism"], found["sasl.username"], found["sasl.password"]) == (
        "SCRAM-SHA-512",
        "us",
        "hunter2",
    )
    assert (found["ssl.ca.location"], found["ssl.key.password"]) == ("/mesh/ca.pem", "hunter3")
    assert found["bootstrap.servers"] == "b1:9093,b2:9093"


def test_the_producer_loses_and_reorders_nothing() -> None:
    made = producer(SECURE, reached(SECURE))
    assert made["enable.idempotence"] is True
    assert (made["acks"], made["message.timeout.ms"]) == ("all", 0)
    assert (made["linger.ms"], made["batch.size"], made["request.timeout.ms"]) == (10.0, 16_384, 30_000)
    group = consumer(reached(SECURE), "metadata-catalog-consumer")
    assert (group["enable.auto.commit"], group["auto.offset.reset"], group["isolation.level"]) == (
        False,
        "earliest",
        "read_committed",
    )


def test_no_secret_is_in_what_a_client_shows_or_raises(tmp_path: Path) -> None:
    settings = reached(Kafka(bootstrap="127.0.0.1:1", sasl=SECURE.sasl))
    for client in (Admin(settings), Sender(producer(SECURE, settings)), Reader(settings)):
        assert "hunter" not in repr(client)
    with pytest.raises(BusUnavailable) as refused:
        Admin(reached(SECURE))  # its files are not there
    assert "hunter" not in str(refused.value)


def test_topics_are_those_of_entities_and_of_the_system() -> None:
    made = plan(files())
    found = wanted_topics(made)
    assert set(found) == {each.topic.name for each in made.entities.values()} | {
        "system.metadata.entity_registered",
        "system.lineage.relationship_created",
        "system.dead_letter",
    }
    registered = found["system.metadata.entity_registered"]
    assert (registered.partitions, registered.replication) == (3, 3)
    assert registered.config["cleanup.policy"] == "compact"
    assert registered.config["retention.ms"] == str(365 * 86_400_000)
    customers = found["customers.cms.entity_changed"]
    assert (customers.partitions, customers.replication) == (12, 3)
    assert customers.config == {"retention.ms": "2592000000", "cleanup.policy": "delete", "compression.type": "lz4"}


def test_drift_says_what_can_be_changed_in_place() -> None:
    topic = Wanted("t", 6, 3, {"retention.ms": "1000", "cleanup.policy": "delete"})
    same = TopicState(6, 3, {"retention.ms": "1000", "cleanup.policy": "delete"})
    assert drift(topic, same) == []
    other = TopicState(12, 1, {"retention.ms": "5", "cleanup.policy": "delete"})
    assert [(each.setting, each.found, each.curable) for each in drift(topic, other)] == [
        ("partitions", "12", False),
        ("replication", "1", False),
        ("retention.ms", "5", True),
    ]
    assert drift(topic, TopicState(3, 3, same.config))[0].curable, "partitions can be added"

# SPDX-License-Identifier: Apache-2.0
"""Settings of Kafka clients from what the mesh file declares (EV-13, EV-14, EV-18).

They hold secrets: never log them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dictamesh.runtime.bus.tls import Text, files
from dictamesh.specs.model.events import Kafka

Settings = Mapping[str, Any]
_MS = 1000


def connection(kafka: Kafka, text: Text, folder: Path, place: str = "events.kafka") -> dict[str, Any]:
    """Return how brokers are reached that a section at `place` declares; paths are relative to `folder`.

    Raises what `text` raises.
    """
    found: dict[str, Any] = {
        "bootstrap.servers": text(kafka.bootstrap, f"{place}.bootstrap"),
        "client.id": "dictamesh",
        "security.protocol": _protocol(kafka),
        "reconnect.backoff.max.ms": 2000,
        "allow.auto.create.topics": False,
    }
    if kafka.sasl is not None:
        found |= {
            "sasl.mechanism": kafka.sasl.mechanism,
            "sasl.username": text(kafka.sasl.username, f"{place}.sasl.username"),
            "sasl.password": text(kafka.sasl.password, f"{place}.sasl.password"),
        }
    if kafka.tls is not None:
        named = files(kafka.tls, text, folder, f"{place}.tls")
        given = {
            "ssl.ca.location": named.ca,
            "ssl.certificate.location": named.certificate,
            "ssl.key.location": named.key,
            "ssl.key.password": named.key_password,
        }
        found |= {key: value for key, value in given.items() if value is not None}
    return found


def producer(kafka: Kafka, reached: Settings) -> dict[str, Any]:
    """Return the settings of the producer: idempotent, acks of all, no end of retries, so that no order is lost."""
    chosen = kafka.producer
    return {
        **reached,
        "enable.idempotence": True,
        "acks": "all",
        "max.in.flight.requests.per.connection": 5,
        "message.timeout.ms": 0,
        "retry.backoff.ms": 100,
        "retry.backoff.max.ms": 2000,
        "linger.ms": chosen.linger * _MS,
        "batch.size": chosen.batch_size,
        "message.max.bytes": chosen.max_message,
        "request.timeout.ms": round(chosen.request_timeout * _MS),
        "compression.type": "lz4",
        "queue.buffering.max.messages": 100_000,
        "queue.buffering.max.kbytes": 262_144,
    }


def consumer(reached: Settings, group: str) -> dict[str, Any]:
    """Return the settings of a consumer of a group (EV-14): commits by hand, from the earliest record on."""
    return {
        **{key: value for key, value in reached.items() if key != "allow.auto.create.topics"},
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 3000,
        "max.poll.interval.ms": 300_000,
    }


def _protocol(kafka: Kafka) -> str:
    if kafka.sasl is not None:
        return "SASL_SSL" if kafka.tls is not None else "SASL_PLAINTEXT"
    return "SSL" if kafka.tls is not None else "PLAINTEXT"

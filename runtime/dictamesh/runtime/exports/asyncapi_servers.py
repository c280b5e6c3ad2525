# SPDX-License-Identifier: Apache-2.0
"""Brokers of a mesh as AsyncAPI names them: no secret, and what a reference stands for is a variable."""

from typing import Any

from dictamesh.specs.documents import references
from dictamesh.specs.model.events import Events, Kafka

BINDING = "0.5.0"
_SCHEMES = {
    "PLAIN": ("plain", "SASL/PLAIN: a user and a password."),
    "SCRAM-SHA-256": ("scramSha256", "SASL/SCRAM-SHA-256: a user and a password."),
    "SCRAM-SHA-512": ("scramSha512", "SASL/SCRAM-SHA-512: a user and a password."),
}


def servers(events: Events) -> dict[str, Any]:
    """Return each broker of the bootstrap list; none for a mesh whose bus is the log."""
    kafka = events.kafka
    if kafka is None:
        return {}
    brokers = [each.strip() for each in kafka.bootstrap.split(",") if each.strip()]
    names = ["kafka", *(f"kafka{number}" for number in range(2, len(brokers) + 1))]
    return {name: _server(kafka, events, broker) for name, broker in zip(names, brokers, strict=False)}


def security(kafka: Kafka | None) -> dict[str, Any]:
    """Return how callers say who they are."""
    found: dict[str, Any] = {}
    if kafka is not None and kafka.sasl is not None:
        kind, said = _SCHEMES[kafka.sasl.mechanism]
        found["sasl"] = {"type": kind, "description": said}
    if kafka is not None and kafka.tls is not None and kafka.tls.certificate is not None:
        found["certificate"] = {"type": "X509", "description": "Mutual TLS: a certificate of the client."}
    return found


def _server(kafka: Kafka, events: Events, broker: str) -> dict[str, Any]:
    host, variables = _templated(broker)
    server: dict[str, Any] = {"host": host, "protocol": "kafka-secure" if kafka.tls is not None else "kafka"}
    if variables:
        server["variables"] = variables
    schemes = security(kafka)
    if schemes:
        server["security"] = [{"$ref": f"#/components/securitySchemes/{name}"} for name in schemes]
    if events.registry is not None:
        url, _ = _templated(events.registry.url)
        server["bindings"] = {
            "kafka": {"schemaRegistryUrl": url, "schemaRegistryVendor": "confluent", "bindingVersion": BINDING}
        }
    return server


def _templated(text: str) -> tuple[str, dict[str, Any]]:
    """An address with its references as variables; userinfo is left out."""
    variables: dict[str, Any] = {}
    for each in reversed(references(text)):
        name = "".join(letter if letter.isalnum() else "_" for letter in each.name)
        variables[name] = {"description": f"What {each.kind} {each.name} holds.", **_default(each.default)}
        text = f"{text[: each.start]}{{{name}}}{text[each.end :]}"
    scheme, found, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    if found and "@" in authority:
        text = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    return text, dict(reversed(variables.items()))


def _default(value: str | None) -> dict[str, str]:
    return {"default": value} if value else {}

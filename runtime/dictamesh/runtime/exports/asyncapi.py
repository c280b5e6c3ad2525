# SPDX-License-Identifier: Apache-2.0
"""AsyncAPI 3.0 of the topics: servers, and a channel, an operation and a message each, with the message's schema."""

from collections.abc import Iterable, Mapping
from typing import Any

from dictamesh.runtime.compile.canonical import digest
from dictamesh.runtime.compile.plan import EntityPlan, Plan, TopicPlan
from dictamesh.runtime.compile.system_topics import SCHEMA, system_topics
from dictamesh.runtime.exports.asyncapi_servers import security, servers

AVRO = "application/vnd.apache.avro+json;version=1.9.0"
BINDING = "0.5.0"  # of Kafka's bindings
SYSTEM = "SystemEvent"
_TEXT = {"type": "string"}
_TRACE = "^[0-9a-f]{32}$"
_SPAN = "^[0-9a-f]{16}$"
_KINDS = ["CREATED", "UPDATED", "DELETED", "ARCHIVED"]


def events(plan: Plan, chosen: Iterable[EntityPlan], *, system: bool = False) -> dict[str, Any]:
    """Return the document for some entities of a plan, and with `system` the topics that belong to none.

    The mesh is the one that sends. References in addresses of servers become variables. A mesh has no version; that of
    the document is a digest of the rest, so it changes when anything in it does.
    """
    chosen = list(chosen)
    others = [each for each in system_topics(plan.mesh.events) if system]
    said = plan.mesh.description or f"What changes in the entities of the mesh {plan.name}."
    messages = {_message_name(each): _message(plan, each) for each in chosen}
    channels = {each.name: _channel(plan, each) for each in chosen}
    operations = {f"send{each.name}Event": _operation(each.name, _message_name(each)) for each in chosen}
    if others:
        messages[SYSTEM] = _message(plan, None)
    for topic in others:
        channels[topic.name] = _system_channel(plan, topic)
        operations[f"send.{topic.name}"] = _operation(topic.name, SYSTEM)
    schemes = security(plan.mesh.events.kafka)
    body = {
        **({"servers": found} if (found := servers(plan.mesh.events)) else {}),
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, **({"securitySchemes": schemes} if schemes else {})},
    }
    info = {"title": f"Events of {plan.name}", "version": digest(body)[:12], "description": said}
    return {"asyncapi": "3.0.0", "info": info, **body}


def _channel(plan: Plan, entity: EntityPlan) -> dict[str, Any]:
    said = entity.description or f"Changes of {entity.name}."
    return _described(plan, entity.topic, entity.name, said, _message_name(entity))


def _system_channel(plan: Plan, topic: TopicPlan) -> dict[str, Any]:
    dead = topic.name == plan.mesh.events.dead_letters.topic
    said = (
        "Records that no event could be made of, or no consumer could handle." if dead else "What the mesh itself did."
    )
    return _described(plan, topic, topic.name, said, SYSTEM)


def _described(plan: Plan, topic: TopicPlan, title: str, said: str, message: str) -> dict[str, Any]:
    kafka = plan.mesh.events.kafka
    return {
        "address": topic.name,
        "title": title,
        "description": said,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "replicas": (kafka.replication if kafka is not None else None) or topic.replication,
                "topicConfiguration": {
                    "cleanup.policy": topic.cleanup.split(","),
                    "retention.ms": round(topic.retention * 1000),
                },
                "bindingVersion": BINDING,
            }
        },
    }


def _operation(channel: str, message: str) -> dict[str, Any]:
    what = channel if message == SYSTEM else f"A row of {channel} was created, updated, deleted or archived."
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": what,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _message(plan: Plan, entity: EntityPlan | None) -> dict[str, Any]:
    name = _message_name(entity) if entity is not None else SYSTEM
    as_json = plan.mesh.events.kafka is not None and plan.mesh.events.registry is None
    schema: Mapping[str, Any] = entity.avro if entity is not None else SCHEMA
    return {
        "name": name,
        "title": f"A change of one {entity.name}" if entity is not None else "What the mesh itself did",
        "contentType": "application/json" if as_json else "application/vnd.apache.avro+binary",
        "headers": _headers(plan, entity),
        "payload": {"schemaFormat": AVRO, "schema": schema},
        "bindings": {"kafka": _binding(registered=plan.mesh.events.registry is not None)},
    }


def _binding(*, registered: bool) -> dict[str, Any]:
    key = {"type": "string", "description": "The id of the row."}
    if not registered:
        return {"key": key, "bindingVersion": BINDING}
    return {
        "key": key,
        "schemaIdLocation": "payload",
        "schemaIdPayloadEncoding": "confluent",
        "schemaLookupStrategy": "TopicNameStrategy",
        "bindingVersion": BINDING,
    }


def _headers(plan: Plan, entity: EntityPlan | None) -> dict[str, Any]:
    """Headers of CloudEvents' binary mode for Kafka, of W3C's trace context, and the mesh's own."""
    source = f"/{plan.name}/{entity.product}/{entity.name}" if entity is not None else f"/{plan.name}/system"
    properties = {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "The event's id; a second one is the same event."},
        "ce_source": {"type": "string", "const": source},
        "ce_type": _TEXT,
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string", "description": "The id of the row."},
        "content-type": _TEXT,
        "event-type": {"type": "string", "enum": _KINDS},
        "event-version": {"type": "string", "description": "The version of the product."},
        "trace-id": {"type": "string", "pattern": _TRACE},
        "span-id": {"type": "string", "pattern": _SPAN},
        "traceparent": _TEXT,
    }
    return {
        "type": "object",
        "properties": properties,
        "required": [each for each in properties if each != "traceparent"],
    }


def _message_name(entity: EntityPlan) -> str:
    return f"{entity.name}Event"

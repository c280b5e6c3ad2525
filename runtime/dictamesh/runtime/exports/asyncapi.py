# SPDX-License-Identifier: Apache-2.0
"""AsyncAPI 3.0 of the topics: a channel, an operation and a message each, with the Avro schema of the message."""

from collections.abc import Iterable
from typing import Any

from dictamesh.runtime.compile.canonical import digest
from dictamesh.runtime.compile.plan import EntityPlan, Plan

AVRO = "application/vnd.apache.avro+json;version=1.9.0"
BINDING = "0.5.0"  # of Kafka's bindings


def events(plan: Plan, chosen: Iterable[EntityPlan]) -> dict[str, Any]:
    """Return the document for some entities of a plan; the mesh is the one that sends. Servers are left out.

    A mesh has no version; that of the document is a digest of the rest, so it changes when anything in it does.
    """
    chosen = list(chosen)
    said = plan.mesh.description or f"What changes in the entities of the mesh {plan.name}."
    body = {
        "channels": {each.name: _channel(each) for each in chosen},
        "operations": {f"send{each.name}Event": _operation(each) for each in chosen},
        "components": {"messages": {_message_name(each): _message(each) for each in chosen}},
    }
    info = {"title": f"Events of {plan.name}", "version": digest(body)[:12], "description": said}
    return {"asyncapi": "3.0.0", "info": info, **body}


def _channel(entity: EntityPlan) -> dict[str, Any]:
    topic = entity.topic
    name = _message_name(entity)
    return {
        "address": topic.name,
        "title": entity.name,
        "description": entity.description or f"Changes of {entity.name}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "replicas": topic.replication,
                "topicConfiguration": {
                    "cleanup.policy": topic.cleanup.split(","),
                    "retention.ms": round(topic.retention * 1000),
                },
                "bindingVersion": BINDING,
            }
        },
    }


def _operation(entity: EntityPlan) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{entity.name}"},
        "summary": f"A row of {entity.name} was created, updated, deleted or archived.",
        "messages": [{"$ref": f"#/channels/{entity.name}/messages/{_message_name(entity)}"}],
    }


def _message(entity: EntityPlan) -> dict[str, Any]:
    return {
        "name": _message_name(entity),
        "title": f"A change of one {entity.name}",
        "contentType": "application/vnd.apache.avro+binary",
        "payload": {"schemaFormat": AVRO, "schema": entity.avro},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The id of the row."},
                "bindingVersion": BINDING,
            }
        },
    }


def _message_name(entity: EntityPlan) -> str:
    return f"{entity.name}Event"

# SPDX-License-Identifier: Apache-2.0
"""Routes of schemas and events (MC-11)."""

from dictamesh.runtime.catalog.history import (
    Event,
    Schema,
    SchemaVersion,
    WhichEvents,
    events,
    schema,
    schema_versions,
)
from dictamesh.runtime.catalog.queries import Page
from dictamesh.runtime.catalog.rest.parameters import instant, page, text
from dictamesh.runtime.catalog.rest.route import Call, Route


async def list_schemas(call: Call) -> Page[SchemaVersion]:
    """List published versions of schemas.

    By type, newest first, without their definitions.
    """
    return await schema_versions(call.catalog, call.sight, call["entity_type"], call["limit"], call["offset"])


async def get_schema(call: Call) -> Schema:
    """Get one version of a schema."""
    return await schema(call.catalog, call.sight, call["entity_type"], call["version"])


async def list_events(call: Call) -> Page[Event]:
    """List events of records, the last one of the log first.

    At most 10,000 are counted in `total`. Where only some records of a type exist for the caller, its events are told
    for a record that is named and exists for it. A field that is denied to the caller is not among `changed_fields`.
    """
    names = ("entity_type", "entity_id", "event_type", "trace_id", "since", "until")
    which = WhichEvents(**{name: call[name] for name in names})
    return await events(call.catalog, call.sight, which, call["limit"], call["offset"])


ROUTES = (
    Route(
        "GET",
        "/catalog/schemas",
        list_schemas,
        Page[SchemaVersion],
        (text("entity_type", "Only those of this type."), *page()),
    ),
    Route(
        "GET",
        "/catalog/schemas/{entity_type}/{version}",
        get_schema,
        Schema,
        (
            text("entity_type", "An entity type.").in_path().such_as("Customer"),
            text("version", "A version of its schema.").in_path().such_as("1.2.0"),
        ),
        faults=("ENTITY_NOT_FOUND",),
    ),
    Route(
        "GET",
        "/catalog/events",
        list_events,
        Page[Event],
        (
            text("entity_type", "Only those of this type."),
            text("entity_id", "Only those of the record with this canonical key."),
            text("event_type", "Only those of this type."),
            text("trace_id", "Only those of this trace.", 64),
            instant("since", "From this instant on."),
            instant("until", "Before this instant."),
            *page(500, 50),
        ),
    ),
)

# SPDX-License-Identifier: Apache-2.0
"""Routes of the relation graph (GL-1, GL-4, GL-5, MC-11)."""

from dictamesh.runtime.catalog.graph.relationships import Relationship, Which, relationships
from dictamesh.runtime.catalog.graph.values import TYPE, Ref
from dictamesh.runtime.catalog.graph.walk import (
    DEFAULT_DEPTH,
    DEFAULT_NODES,
    LARGEST_DEPTH,
    LARGEST_NODES,
    Graph,
    Question,
    walk,
)
from dictamesh.runtime.catalog.queries import Page
from dictamesh.runtime.catalog.rest.parameters import choice, instant, page, text, whole
from dictamesh.runtime.catalog.rest.route import Call, Route

_DIRECTION = choice("direction", "From subject to object, the other way, or either.", ("out", "in", "both"), "both")
_AS_OF = instant("as_of", "As it was at this past instant; absent: now.")


async def get_graph(call: Call) -> Graph:
    """Walk the graph from a record, or from a type.

    All that is within reach, nearest first, each once. `truncated` says where a bound cut the answer; `unchecked` names
    types of which only some records exist for the caller and whose source could not be asked.
    """
    question = Question(
        Ref(call["type"], call["id"]),
        call["direction"],
        frozenset(call["relation"]),
        call["depth"],
        call["as_of"],
        call["limit"],
    )
    return await walk(call.catalog.pool, call.catalog.directory, question, call.sight)


async def list_relationships(call: Call) -> Page[Relationship]:
    """List the relations of a record, or those that specs declare between types.

    Without `entity_id` the relations between types; with it those of that record, at most 10,000 of them, or without
    `entity_type` of all records that have this key.
    """
    names = ("entity_type", "entity_id", "relationship_type", "direction", "as_of")
    which = Which(*(call[name] for name in names))
    return await relationships(call.catalog, call.sight, which, call["limit"], call["offset"])


ROUTES = (
    Route(
        "GET",
        "/catalog/graph",
        get_graph,
        Graph,
        (
            text("type", "The entity type to start from.").needed().such_as("Customer"),
            text("id", "The canonical key of a record; `*` is the type itself.", default=TYPE).such_as("c-0001"),
            _DIRECTION,
            text("relation", "Only these relations, by their names seen from either end.").repeated(),
            whole("depth", "How many relations far.", 1, LARGEST_DEPTH, DEFAULT_DEPTH),
            _AS_OF,
            whole("limit", "Nodes at most.", 1, LARGEST_NODES, DEFAULT_NODES),
        ),
        faults=("ENTITY_NOT_FOUND",),
    ),
    Route(
        "GET",
        "/catalog/relationships",
        list_relationships,
        Page[Relationship],
        (
            text("entity_type", "Only those of this type or record.").such_as("Customer"),
            text("entity_id", "The canonical key of a record; `*` is the type itself.", default=TYPE).such_as("c-0001"),
            text("relationship_type", "Only this relation, by its name seen from either end."),
            _DIRECTION,
            _AS_OF,
            *page(furthest=10_000),
        ),
        faults=("ENTITY_NOT_FOUND",),
    ),
)

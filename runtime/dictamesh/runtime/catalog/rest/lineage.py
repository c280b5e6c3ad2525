# SPDX-License-Identifier: Apache-2.0
"""Routes of lineage: read it, read the events sent, send events (MC-11, GL-8)."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dictamesh.runtime.catalog.data_lineage.events import SentEvents, kept_events
from dictamesh.runtime.catalog.data_lineage.ingest import take_in
from dictamesh.runtime.catalog.data_lineage.walking import DEEPEST, DEFAULT_DEPTH, DIRECTIONS, Direction
from dictamesh.runtime.catalog.errors import EntityNotFound
from dictamesh.runtime.catalog.lineage import LineageGraph, hidden_types, lineages_for
from dictamesh.runtime.catalog.rest.faults import RequestRefused
from dictamesh.runtime.catalog.rest.parameters import choice, instant, page, text, whole
from dictamesh.runtime.catalog.rest.route import AnyJson, Call, Route
from dictamesh.runtime.lineage.openlineage.observation import Observation
from dictamesh.runtime.lineage.openlineage.reading import DATASETS, LONGEST, NotAnEvent, read_event

LARGEST_BODY = 8 * 1024 * 1024  # bytes; events of Spark carry whole plans
MOST_EVENTS = 1000  # of one request
_TOLD = 50  # findings of one answer
_STATES = ("ABORT", "COMPLETE", "FAIL", "OTHER", "RUNNING", "START")


@dataclass(frozen=True, slots=True)
class IncompleteEvent:
    """What an event of a request, counted from 0, should have had and was taken without."""

    event: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TakenEvents:
    """How many events were new, how many were known, and which lack something."""

    taken: int
    known: int
    incomplete: tuple[IncompleteEvent, ...]


async def get_lineage(call: Call) -> LineageGraph:
    """Get the lineage around an address.

    An address is a field, an entity, a product, or one that an answer names.
    """
    address: str = call["address"]
    direction: Direction = call["direction"]
    found = await lineages_for(call.catalog, call.sight, [address], direction, call["depth"], call["as_of"])
    if address not in found:
        raise EntityNotFound(address)
    return found[address]


async def list_lineage_events(call: Call) -> SentEvents:
    """List the last lineage events that the mesh sent, the newest first.

    Events of OpenLineage 2-0-2.
    """
    hidden = await hidden_types(call.catalog, call.sight)
    return await kept_events(call.catalog.pool, call["limit"], call["offset"], event_type=call["type"], hidden=hidden)


async def take_lineage_events(call: Call) -> TakenEvents:
    """Take events of OpenLineage in, all or none.

    For callers with a role of `lineage.writers`. One event, or an array of up to 1,000.
    """
    given = call.body if isinstance(call.body, list) else [call.body]
    if not 1 <= len(given) <= MOST_EVENTS:
        raise RequestRefused("INVALID_REQUEST", f"a request has 1 to {MOST_EVENTS} events")
    plan = call.catalog.plan()
    try:
        seen = await asyncio.to_thread(_read, given, datetime.now(UTC), strict=plan.mesh.lineage.strict)
    except RequestRefused:
        call.catalog.lineage_taken("refused", len(given))
        raise
    taken = await take_in(call.catalog.pool, plan.name, seen)
    call.catalog.lineage_taken("taken", taken.new)
    call.catalog.lineage_taken("known", taken.known)
    gaps = [IncompleteEvent(number, tuple(each.gaps)) for number, each in enumerate(seen) if each.gaps]
    return TakenEvents(taken.new, taken.known, tuple(gaps[:_TOLD]))


def _admit_writer(call: Call) -> None:
    if not call.sight.has_role(call.catalog.plan().mesh.lineage.writers):
        raise RequestRefused("FORBIDDEN", "lineage events are taken from callers with a role of lineage.writers")


def _read(given: list[Any], received: datetime, *, strict: bool) -> list[Observation]:
    seen: list[Observation] = []
    faults: list[dict[str, object]] = []
    for index, event in enumerate(given):
        try:
            seen.append(read_event(event, received, strict=strict))
        except NotAnEvent as refused:
            faults += [{"event": index, "path": each.path, "message": each.message} for each in refused.findings]
    if faults:
        raise RequestRefused("INVALID_REQUEST", "an event is not as OpenLineage has it", findings=faults[:_TOLD])
    return seen


_WORD = {"type": "string"}
_NAME = {"type": "string", "maxLength": LONGEST, "pattern": r"^[^\u0000-\u001f]*$"}
_FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {"_producer": _WORD, "_schemaURL": _WORD, "_deleted": {"type": "boolean"}},
    },
}
_NAMED: dict[str, Any] = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {"namespace": _NAME, "name": _NAME, "facets": _FACETS},
}
_DATASET = {**_NAMED, "properties": {**_NAMED["properties"], "inputFacets": _FACETS, "outputFacets": _FACETS}}
_DATASETS = {"type": "array", "items": _DATASET, "maxItems": DATASETS}
_EVENT = {
    "type": "object",
    "description": (
        "An event of a run (run and job), a job, or a dataset, as OpenLineage 2-0-2 has it. What is not required here "
        "may be missing, unless the mesh file says `lineage: {strict: true}`."
    ),
    "anyOf": [{"required": ["job"]}, {"required": ["dataset"]}],
    "properties": {
        "eventTime": _WORD,
        "producer": _WORD,
        "schemaURL": _WORD,
        "eventType": {"type": "string", "enum": list(_STATES)},
        "run": {"type": "object", "properties": {"runId": _WORD, "facets": _FACETS}},
        "job": _NAMED,
        "dataset": _DATASET,
        "inputs": _DATASETS,
        "outputs": _DATASETS,
    },
}
ROUTES = (
    Route(
        "GET",
        "/catalog/lineage/{address}",
        get_lineage,
        LineageGraph,
        (
            text("address", "`product`, `product#Entity`, `product#Entity.field`, `graphql:Type.field`, a column.")
            .in_path(slashes=True)
            .such_as("customers"),
            choice("direction", "Where it comes from, where it goes, or both.", DIRECTIONS, "both"),
            whole("depth", "How many edges far.", 1, DEEPEST, DEFAULT_DEPTH),
            instant("as_of", "As it was at this past instant; absent: now."),
        ),
        faults=("ENTITY_NOT_FOUND",),
        tag="lineage",
    ),
    Route(
        "GET",
        "/lineage/events",
        list_lineage_events,
        SentEvents,
        (choice("type", "Only those of this type.", _STATES), *page(500, 50)),
        tag="lineage",
    ),
    Route(
        "POST",
        "/lineage",
        take_lineage_events,
        TakenEvents,
        body=AnyJson(
            {"anyOf": [_EVENT, {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": MOST_EVENTS}]},
            LARGEST_BODY,
        ),
        admit=_admit_writer,
        tag="lineage",
    ),
)

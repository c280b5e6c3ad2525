# SPDX-License-Identifier: Apache-2.0
"""The published schemas of OpenLineage, resolved offline, and events held against them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from dictamesh.runtime.lineage.openlineage.validation import identifier, moment


def registry(spec: Path) -> Registry:
    """The core schema and all facet schemas of a folder, by the `$id` under which they refer to one another."""
    found = [
        json.loads(path.read_text()) for path in (spec / "OpenLineage.json", *sorted((spec / "facets").glob("*.json")))
    ]
    return Registry().with_resources([(each["$id"], Resource.from_contents(each)) for each in found])


def faults(event: dict[str, Any], known: Registry) -> list[str]:
    """What the core schema and the schema of each facet, by the address that it names, have to say against an event."""
    found = _against(event, event["schemaURL"], known)
    if moment(event["eventTime"]) is None:
        found.append("eventTime")
    if "run" in event and identifier(event["run"]["runId"]) is None:
        found.append("runId")
    for name, facet in facets(event):
        found += [f"{name}: {each}" for each in _against(facet, facet["_schemaURL"], known)]
    return found


def facets(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every facet in an event, with its name."""
    if isinstance(value, dict):
        if "_schemaURL" in value:
            yield name, value
        for key, inner in value.items():
            yield from facets(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from facets(inner, name)


def _against(value: Any, schema: str, known: Registry) -> list[str]:
    return [error.message for error in _validator(schema, known).iter_errors(value)]


_VALIDATORS: dict[tuple[str, int], Draft202012Validator] = {}


def _validator(schema: str, known: Registry) -> Draft202012Validator:
    key = (schema, id(known))
    if key not in _VALIDATORS:
        _VALIDATORS[key] = Draft202012Validator({"$ref": schema}, registry=known)
    return _VALIDATORS[key]

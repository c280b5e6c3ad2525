# SPDX-License-Identifier: Apache-2.0
"""Events held against the core schema of OpenLineage 2-0-2; unknown facets are let be."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Literal
from uuid import UUID

from dictamesh.runtime.lineage.openlineage.identity import CORE

Kind = Literal["RunEvent", "JobEvent", "DatasetEvent"]

FINDINGS = 20  # told of one event
_ROOT_GAPS = frozenset({"eventTime", "producer", "schemaURL"})
_FACET_GAPS = frozenset({"_producer", "_schemaURL"})


@dataclass(frozen=True, slots=True)
class Finding:
    """A place where an event is not what the schema says; `path` as a JSON pointer, `message` without any value.

    A `gap` can be lived with: the catalog needs neither producer nor schema of an event, takes the time of receipt for
    a missing time, and knows the job without the run.
    """

    path: str
    message: str
    gap: bool


def kind_of(event: Any) -> Kind | None:
    """Return which kind of event it is; None where it is none."""
    if not isinstance(event, dict):
        return None
    if "dataset" in event and "job" not in event:
        return "DatasetEvent"
    if "job" in event:
        return "RunEvent" if "run" in event else "JobEvent"
    return None


def findings(event: Any, kind: Kind) -> list[Finding]:
    """Return where an event differs from the schema of its kind: the first 20, faults before gaps."""
    found = [each for error in _leaves(_validator(kind).iter_errors(event)) for each in _findings(error)]
    found += _formats(event)
    return sorted(dict.fromkeys(found), key=lambda each: each.gap)[:FINDINGS]


@cache
def _validator(kind: Kind) -> Any:
    import jsonschema  # noqa: PLC0415 - 80 ms that only a mesh that is sent events needs
    from referencing import Registry, Resource  # noqa: PLC0415 - likewise

    text = files("dictamesh.runtime.lineage.openlineage").joinpath("spec/OpenLineage.json").read_text(encoding="utf-8")
    registry: Any = Registry().with_resource(CORE, Resource.from_contents(json.loads(text)))
    return jsonschema.Draft202012Validator({"$ref": f"{CORE}#/$defs/{kind}"}, registry=registry)


def _leaves(errors: Any) -> Iterator[Any]:
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield error


def _findings(error: Any) -> Iterator[Finding]:
    path = list(error.absolute_path)
    at = _pointer(path)
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        yield from (Finding(at, f"'{name}' is missing", _lacks(path, name)) for name in missing)
    elif error.validator == "type":
        yield Finding(at, f"this is not of type {error.validator_value}", gap=False)
    elif error.validator == "enum":
        yield Finding(at, f"this is none of {', '.join(map(str, error.validator_value))}", gap=False)
    else:
        yield Finding(at, f"this breaks the rule '{error.validator}' of the schema", gap=False)


def _lacks(path: list[str | int], missing: str) -> bool:
    """Whether something may be missing at a path."""
    if missing in _FACET_GAPS:
        return len(path) >= 2 and str(path[-2]).lower().endswith("facets")
    return missing in _ROOT_GAPS if not path else path == ["run"] and missing == "runId"


def _formats(event: dict[str, Any]) -> Iterator[Finding]:
    if isinstance(given := event.get("eventTime"), str) and moment(given) is None:
        yield Finding("/eventTime", "this is no time of RFC 3339", gap=True)
    run = event.get("run")
    if isinstance(run, dict) and isinstance(given := run.get("runId"), str) and identifier(given) is None:
        yield Finding("/run/runId", "this is no UUID", gap=True)


def moment(text: Any) -> datetime | None:
    """Return a time of RFC 3339 with its zone; None for anything else."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo is not None and 1900 < found.year < 9000 else None
    except ValueError:
        return None


def identifier(text: Any) -> UUID | None:
    """Return a UUID in its usual form; None for anything else."""
    if not isinstance(text, str) or len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


def _pointer(path: list[str | int]) -> str:
    return "".join("/" + str(part)[:64].replace("~", "~0").replace("/", "~1") for part in path)

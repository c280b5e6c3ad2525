# SPDX-License-Identifier: Apache-2.0
"""Data made to fit a language by taking out, with a note of each, what it has no word for."""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from dictamesh.specs.documents import Path
from dictamesh.specs.odcs.faults import Fault, Kind, faults
from dictamesh.specs.odcs.keeping import ABSENT, Edit, at, replaced
from dictamesh.specs.odcs.schemas import WRITTEN
from dictamesh.specs.resolve.shape import existing

Step = Callable[[Any], list[Edit]]
"""Takes out some of what does not fit, changing the data; nothing where all of it fits."""

_ROUNDS = 100
_BASE = frozenset(
    {"id", "name", "description", "dimension", "severity", "unit", "businessImpact", "method", "schedule", "scheduler"}
    | {"tags", "customProperties", "authoritativeDefinitions", "type"}
)
"""What a quality rule of any type may say."""


def fitted(data: Any, step: Step) -> list[Edit]:
    """Change data until a step finds nothing more; raises ValueError where it never does."""
    edits: list[Edit] = []
    for _ in range(_ROUNDS):
        found = step(data)
        if not found:
            return edits
        edits += found
    raise ValueError("the data cannot be made to fit")


def to_model(model: type[BaseModel]) -> Step:
    """The step towards a model of the language."""

    def step(data: Any) -> list[Edit]:
        try:
            model.model_validate(data, by_alias=True, by_name=False)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            places = (_unfit(data, each["loc"], missing=each["type"] == "missing") for each in found)
            return _taken_out(data, places)
        return []

    return step


def _unfit(data: Any, loc: Path, *, missing: bool) -> Path:
    """The place to take out: the value at fault, or the mapping that lacks a key."""
    return existing(data, loc[:-1] if missing else loc, keep_last=False)


def _taken_out(data: Any, places: Iterable[Path]) -> list[Edit]:
    """Take out places, the last of a list first, and none within another; the whole document never."""
    wanted = sorted(set(places) - {()}, key=lambda path: [(isinstance(step, str), step) for step in path])
    outer: list[Path] = []
    for path in wanted:
        if not any(path[: len(above)] == above for above in outer):
            outer.append(path)
    return [replaced(data, path, ABSENT) for path in reversed(outer)]


def to_odcs(data: Any) -> list[Edit]:
    """The step towards the version of the standard that is written."""
    edits: list[Edit] = []
    places: list[Path] = []
    for fault in faults(WRITTEN, data):
        done = _as_text(data, fault.path) if _quality(fault) else _as_custom(data, fault.path) if _server(fault) else []
        edits += done
        if not done:
            places += _places(fault)
    return edits or _taken_out(data, places)


def _places(fault: Fault) -> list[Path]:
    if fault.kind in {Kind.UNKNOWN, Kind.MISPLACED}:
        return [(*fault.path, key) for key in fault.keys]
    return [fault.path]


def _quality(fault: Fault) -> bool:
    return (fault.kind in {Kind.MISSING, Kind.ONE_OF, Kind.EXCLUSIVE} and fault.path[-2:-1] == ("quality",)) or (
        fault.path[-3:-2] == ("quality",) and fault.path[-1] in {"metric", "type"}
    )


def _as_text(data: Any, path: Path) -> list[Edit]:
    """A rule that the standard cannot say as it is becomes a text, which asks for nothing."""
    place = path if isinstance(path[-1], int) else path[:-1]
    rule = at(data, place)
    if rule.get("type") == "text":
        return []
    gone = [key for key in rule if key not in _BASE]
    return [replaced(data, (*place, "type"), "text"), *(replaced(data, (*place, key), ABSENT) for key in gone)]


def _server(fault: Fault) -> bool:
    of = fault.path[0:1] == ("servers",)
    return of and (
        (fault.kind is Kind.MISSING and len(fault.path) == len(("servers", 0)) and fault.keys != ("server",))
        or (fault.kind is Kind.VALUE and fault.path[2:] == ("type",))
    )


def _as_custom(data: Any, path: Path) -> list[Edit]:
    place = (*path[:2], "type")
    return [] if at(data, place) == "custom" else [replaced(data, place, "custom")]

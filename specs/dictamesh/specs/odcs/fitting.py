# SPDX-License-Identifier: Apache-2.0
"""Data made to fit a language by taking out, with a note of each, what it has no word for."""

from collections.abc import Callable, Collection
from typing import Any

from pydantic import ValidationError

from dictamesh.specs.documents import Path
from dictamesh.specs.model import Contract
from dictamesh.specs.odcs.faults import Fault, Kind, faults
from dictamesh.specs.odcs.keeping import ABSENT, CUSTOM, Edit, at, replaced
from dictamesh.specs.odcs.schemas import WRITTEN
from dictamesh.specs.resolve.shape import existing
from dictamesh.specs.resolve.unserved import RUNTIME_KEYS

Change = tuple[Path, Any]
"""What to put at a place; `ABSENT` takes out what is there. Places are below keys, never entries of a list."""

Step = Callable[[Any], list[Change]]
"""Says what to change where data does not fit; nothing where all of it does."""

_ROUNDS = 100
_BASE = frozenset(
    {"id", "name", "description", "dimension", "severity", "unit", "businessImpact", "method", "schedule", "scheduler"}
    | {"tags", "customProperties", "authoritativeDefinitions", "type"}
)
"""What a quality rule of any type may say."""


def fitted(data: Any, step: Step) -> list[Edit]:
    """Change data until a step asks for nothing more; raises ValueError where it never does.

    What was changed within a place before that place itself is changed is put back first, so that it is kept whole.
    """
    edits: list[Edit] = []
    for _ in range(_ROUNDS):
        changes = step(data)
        if not changes:
            return edits
        for path, here in changes:
            within = [edit for edit in edits if edit.path[: len(path)] == path]
            for edit in reversed(within):
                replaced(data, edit.path, edit.there)
            again = isinstance(here, list) and any(edit.path == path for edit in within)
            edits = [edit for edit in edits if edit.path[: len(path)] != path]
            edits.append(replaced(data, path, [] if again else here))
    raise ValueError("the data cannot be made to fit")


def to_language(data: Any) -> list[Change]:
    """The step towards the words of a contract; what says how it is served is left to `validate`."""
    said = {key: value for key, value in data.items() if key not in RUNTIME_KEYS}
    try:
        Contract.model_validate(said, by_alias=True, by_name=False)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return _out(said, [_unfit(said, each["loc"], missing=each["type"] == "missing") for each in found])
    return []


def _unfit(data: Any, loc: Path, *, missing: bool) -> Path:
    """The place to take out: the value at fault, or the mapping that lacks a key."""
    return existing(data, loc[:-1] if missing else loc, keep_last=False)


def _out(data: Any, places: Collection[Path]) -> list[Change]:
    """Take out places, none within another; a list goes as a whole, so that no other place moves."""
    found: dict[Path, Change] = {}
    for place in sorted(dict.fromkeys(places), key=len):
        path = place
        while path and isinstance(path[-1], int):
            path = path[:-1]
        if path and not any(path[: len(above)] == above for above in found):
            found[path] = path, _without(at(data, path), places, path) if path[-1] == CUSTOM else ABSENT
    return list(found.values())


def _without(items: list[Any], places: Collection[Path], path: Path) -> list[Any]:
    return [each for index, each in enumerate(items) if (*path, index) not in places]


def to_odcs(data: Any) -> list[Change]:
    """The step towards the version of the standard that is written."""
    changes: list[Change] = []
    places: list[Path] = []
    for fault in faults(WRITTEN, data):
        said = _otherwise(data, fault)
        changes += said
        if not said:
            places += [fault.path] if fault.kind not in _OF_KEYS else [(*fault.path, key) for key in fault.keys]
    return changes or _out(data, places)


_OF_KEYS = frozenset({Kind.UNKNOWN, Kind.MISPLACED})


def _otherwise(data: Any, fault: Fault) -> list[Change]:
    """What the standard can say in other words than by leaving it out; nothing for all the rest."""
    path, lacks = fault.path, fault.kind in {Kind.MISSING, Kind.ONE_OF, Kind.EXCLUSIVE}
    if lacks and path[-2:-1] == ("quality",):
        return _as_text(data, path)
    if path[-3:-2] == ("quality",) and path[-1] in {"metric", "type"}:
        return _as_text(data, path[:-1])
    if path[:1] == ("servers",) and ((lacks and len(path) == len(("servers", 0))) or path[2:] == ("type",)):
        place = (*path[:2], "type")
        return [] if at(data, place) == "custom" else [(place, "custom")]
    if fault.kind is Kind.MISSING and fault.keys == ("value",) and path[-2:-1] == (CUSTOM,):
        return [((*path, "value"), None)]
    return []


def _as_text(data: Any, path: Path) -> list[Change]:
    """A rule that the standard cannot say as it is becomes a text, which asks for nothing."""
    rule = at(data, path)
    if rule.get("type") == "text":
        return []
    return [((*path, "type"), "text"), *(((*path, key), ABSENT) for key in rule if key not in _BASE)]

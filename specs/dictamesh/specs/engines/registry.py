# SPDX-License-Identifier: Apache-2.0
"""Which engines there are: the built-in one, and those of installed packages, all behind one protocol.

A package adds an engine by an entry point in the group `dictamesh.policies` that names an `Engine`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from dictamesh.specs.engines.protocol import Compiled, Engine, Refused
from dictamesh.specs.rules import Scope

GROUP = "dictamesh.policies"
RULES = "rules"
"""What `engine:` says where the rules of the policy decide; no engine may take the name."""

BUILT_IN: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"cedar": ("dictamesh.specs.engines.cedar:ENGINE", "cedarpy")}
)
"""Engines of this distribution: where they are, and the library that each needs."""


@dataclass(frozen=True, slots=True)
class Note:
    """Why an installed entry point gives no engine; `reason` is a text of ours."""

    entry_point: str
    package: str
    reason: str


@dataclass(frozen=True, slots=True)
class Engines:
    """Engines by name, and what was left out. `lacking`: built-in ones by name, with the library that each lacks."""

    engines: Mapping[str, Engine]
    notes: tuple[Note, ...]
    lacking: Mapping[str, str]


@cache
def installed() -> Engines:
    """Find every engine once; a broken entry point becomes a note and leaves the others alone."""
    found: dict[str, Engine] = {}
    lacking: dict[str, str] = {}
    notes: list[Note] = []
    for name, (path, library) in BUILT_IN.items():
        if find_spec(library) is None:
            lacking[name] = library
        else:
            found[name] = _attribute(path)
    for point in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        match _third_party(point, {RULES, *BUILT_IN, *found}):
            case Note() as note:
                notes.append(note)
            case engine:
                found[point.name] = engine
    return Engines(MappingProxyType(dict(sorted(found.items()))), tuple(notes), MappingProxyType(lacking))


@lru_cache(maxsize=512)
def compiled(engine: str, text: str, scope: Scope) -> Compiled | Refused:
    """Return what an engine makes of a text; KeyError where none has that name, else whatever the engine raises."""
    return installed().engines[engine].compile(text, scope)


def _attribute(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _third_party(point: EntryPoint, taken: set[str]) -> Engine | Note:
    package = point.dist.name if point.dist is not None else "unknown"
    if point.name in taken:
        return Note(point.name, package, "the name is taken by another engine")
    try:
        found = point.load()
        name, title = found.name, found.title
    except Exception as error:  # noqa: BLE001  (a stranger's module may raise anything at import)
        return Note(point.name, package, f"it does not load: {type(error).__name__}")
    if not callable(getattr(found, "compile", None)) or not isinstance(title, str):
        return Note(point.name, package, "it has no `title`, or no `compile` that can be called")
    if name != point.name:
        return Note(point.name, package, f"its engine is named {name!r}")
    engine: Engine = found
    return engine

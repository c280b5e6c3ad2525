# SPDX-License-Identifier: Apache-2.0
"""Which engines there are: the built-in one, and those of installed packages, all behind one protocol.

A package adds an engine by an entry point in the group `dictamesh.policies` that names an `Engine`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from dictamesh.specs.engines.protocol import Compiled, Engine, Refused
from dictamesh.specs.extensions import Note, attribute, loaded
from dictamesh.specs.rules import Scope

GROUP = "dictamesh.policies"
RULES = "rules"
"""What `engine:` says where the rules of the policy decide; no engine may take the name."""

BUILT_IN: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"cedar": ("dictamesh.specs.engines.cedar:ENGINE", "cedarpy")}
)
"""Engines of this distribution: where they are, and the library that each needs."""


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
            found[name] = attribute(path)
    for point in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        match loaded(point, {RULES, *BUILT_IN, *found}, "engine", _read):
            case Note() as note:
                notes.append(note)
            case engine:
                found[point.name] = engine
    return Engines(MappingProxyType(dict(sorted(found.items()))), tuple(notes), MappingProxyType(lacking))


@lru_cache(maxsize=512)
def compiled(engine: str, text: str, scope: Scope) -> Compiled | Refused:
    """Return what an engine makes of a text; KeyError where none has that name, else whatever the engine raises."""
    return installed().engines[engine].compile(text, scope)


def _read(name: str, found: Any) -> Engine | str:
    given, title = found.name, found.title
    if not callable(getattr(found, "compile", None)) or not isinstance(title, str):
        return "it has no `title`, or no `compile` that can be called"
    if given != name:
        return f"its engine is named {given!r}"
    engine: Engine = found
    return engine

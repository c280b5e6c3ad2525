# SPDX-License-Identifier: Apache-2.0
"""Which connectors there are: the built-in ones, and those of installed packages.

A manifest is loaded without its driver, a factory with it, each on first use. A package adds a connector by an entry
point in the group `dictamesh.connectors` that names a module or an object with `manifest` and `factory`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from dictamesh.connectors.sdk.protocol import ConnectorFactory
from dictamesh.specs.extensions import Note, attribute, loaded
from dictamesh.specs.manifest import Manifest

GROUP = "dictamesh.connectors"

BUILT_IN: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        name: (f"dictamesh.connectors.{name}.manifest:MANIFEST", f"dictamesh.connectors.{name}.connector:connect")
        for name in ("file", "postgres", "rest", "sqlite")
    }
)


@dataclass(frozen=True, slots=True)
class Registry:
    """Connectors by name, and what was left out."""

    manifests: Mapping[str, Manifest]
    factories: Mapping[str, EntryPoint | str]
    notes: tuple[Note, ...]


def _read(name: str, found: Any) -> Manifest | str:
    manifest, factory = found.manifest, found.factory
    if not isinstance(manifest, Manifest) or not callable(factory):
        return "`manifest` is no Manifest or `factory` cannot be called"
    if manifest.name != name:
        return f"its manifest is named {manifest.name!r}"
    return manifest


@cache
def registry() -> Registry:
    """Load every manifest once; a broken entry point becomes a note and leaves the others alone."""
    manifests: dict[str, Manifest] = {name: attribute(path) for name, (path, _) in BUILT_IN.items()}
    factories: dict[str, EntryPoint | str] = {name: path for name, (_, path) in BUILT_IN.items()}
    notes: list[Note] = []
    for point in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        match loaded(point, manifests, "connector", _read):
            case Note() as note:
                notes.append(note)
            case manifest:
                manifests[point.name] = manifest
                factories[point.name] = point
    return Registry(MappingProxyType(manifests), MappingProxyType(factories), tuple(notes))


def manifests() -> Mapping[str, Manifest]:
    """Return the manifests of all connectors by name."""
    return registry().manifests


def manifest(name: str) -> Manifest:
    """Return one manifest; KeyError where no connector has that name."""
    return registry().manifests[name]


def factory(name: str) -> ConnectorFactory:
    """Load the connector's driver and return its factory; KeyError where no connector has that name."""
    found = registry().factories[name]
    made: ConnectorFactory = attribute(found) if isinstance(found, str) else found.load().factory
    return made

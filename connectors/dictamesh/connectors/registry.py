# SPDX-License-Identifier: Apache-2.0
"""Which connectors there are: the built-in ones, and those of installed packages.

A manifest is loaded without its driver, a factory with it, each on first use. A package adds a connector by an entry
point in the group `dictamesh.connectors` that names a module or an object with `manifest` and `factory`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from dictamesh.connectors.sdk.protocol import ConnectorFactory
from dictamesh.specs.manifest import Manifest

GROUP = "dictamesh.connectors"

BUILT_IN: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        name: (f"dictamesh.connectors.{name}.manifest:MANIFEST", f"dictamesh.connectors.{name}.connector:connect")
        for name in ("file", "postgres", "rest", "sqlite")
    }
)


@dataclass(frozen=True, slots=True)
class Note:
    """Why an installed entry point gives no connector; `reason` is a text of ours."""

    entry_point: str
    package: str
    reason: str


@dataclass(frozen=True, slots=True)
class Registry:
    """Connectors by name, and what was left out."""

    manifests: Mapping[str, Manifest]
    factories: Mapping[str, EntryPoint | str]
    notes: tuple[Note, ...]


def _attribute(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _third_party(point: EntryPoint, taken: Mapping[str, Manifest]) -> Manifest | Note:
    package = point.dist.name if point.dist is not None else "unknown"
    if point.name in taken:
        return Note(point.name, package, "the name is taken by another connector")
    try:
        found = point.load()
        manifest, factory = found.manifest, found.factory
    except Exception as error:  # noqa: BLE001  (a stranger's module may raise anything at import)
        return Note(point.name, package, f"it does not load: {type(error).__name__}")
    if not isinstance(manifest, Manifest) or not callable(factory):
        return Note(point.name, package, "`manifest` is no Manifest or `factory` cannot be called")
    if manifest.name != point.name:
        return Note(point.name, package, f"its manifest is named {manifest.name!r}")
    return manifest


@cache
def registry() -> Registry:
    """Load every manifest once; a broken entry point becomes a note and leaves the others alone."""
    manifests: dict[str, Manifest] = {name: _attribute(path) for name, (path, _) in BUILT_IN.items()}
    factories: dict[str, EntryPoint | str] = {name: path for name, (_, path) in BUILT_IN.items()}
    notes: list[Note] = []
    for point in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        match _third_party(point, manifests):
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
    loaded: ConnectorFactory = _attribute(found) if isinstance(found, str) else found.load().factory
    return loaded

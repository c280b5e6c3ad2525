# SPDX-License-Identifier: Apache-2.0
"""Watching a tree of spec files (S29)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from dictamesh.specs.documents import Folder
from dictamesh.specs.documents.load import Loaded

POLL = 0.25  # seconds between two looks
QUIET = 1.0  # seconds without a change before a tree counts as whole

Fingerprint = tuple[tuple[str, int, int], ...]


def fingerprint(config: Path, loaded: Loaded) -> Fingerprint:
    """Name, size and time of change of every file that `include` names now, the mesh file first."""
    folder = Folder(config.parent)
    names = {config.name, *loaded.sources}
    mesh = loaded.mesh
    for entry in _entries(mesh.plain().get("include") if mesh else None):
        names.update(folder.glob(entry))
    return tuple(_state(config.parent, name) for name in sorted(names))


def _entries(include: object) -> list[str]:
    if isinstance(include, str):
        return [include]
    return [each for each in include if isinstance(each, str)] if isinstance(include, list) else []


def _state(folder: Path, name: str) -> tuple[str, int, int]:
    try:
        found = (folder / name).stat()
    except OSError:
        return name, -1, -1
    return name, found.st_size, found.st_mtime_ns


async def changes(config: Path, loaded: Callable[[], Loaded]) -> AsyncIterator[None]:
    """Yield whenever the tree has changed and then stood still for a second; `loaded` gives what was read last."""
    known = await asyncio.to_thread(fingerprint, config, loaded())
    if await asyncio.to_thread(_outdated, config.parent, loaded(), known):
        known = await _settled(config, loaded, known)
        yield
    while True:
        await asyncio.sleep(POLL)
        seen = await asyncio.to_thread(fingerprint, config, loaded())
        if seen == known:
            continue
        known = await _settled(config, loaded, seen)
        yield


def _outdated(folder: Path, loaded: Loaded, seen: Fingerprint) -> bool:
    """Whether the tree was edited after it was read and before it was watched: a start takes seconds."""
    there = {name for name, size, _ in seen if size >= 0}
    return there != set(loaded.sources) or any(
        _bytes(folder / name) != source.text.encode("utf-8", "surrogatepass") for name, source in loaded.sources.items()
    )


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


async def _settled(config: Path, loaded: Callable[[], Loaded], seen: Fingerprint) -> Fingerprint:
    quiet = 0.0
    while quiet < QUIET:
        await asyncio.sleep(POLL)
        now = await asyncio.to_thread(fingerprint, config, loaded())
        quiet = quiet + POLL if now == seen else 0.0
        seen = now
    return seen

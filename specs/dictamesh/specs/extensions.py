# SPDX-License-Identifier: Apache-2.0
"""What installed packages add by entry points, loaded so that a broken one leaves the others alone."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Note:
    """Why an installed entry point adds nothing; `reason` is a text of ours."""

    entry_point: str
    package: str
    reason: str


def attribute(path: str) -> Any:
    """Return what `module:name` leads to; raises what importing it does."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def loaded(point: EntryPoint, taken: Collection[str], kind: str, read: Callable[[str, Any], T | str]) -> T | Note:
    """Return what an entry point adds. `read` takes its name and what it names, and returns that or why it is none.

    `taken` are names that are in use, `kind` a word for what is added.
    """
    package = point.dist.name if point.dist is not None else "unknown"
    if point.name in taken:
        return Note(point.name, package, f"the name is taken by another {kind}")
    try:
        found = read(point.name, point.load())
    except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything at import
        return Note(point.name, package, f"it does not load: {type(error).__name__}")
    return Note(point.name, package, found) if isinstance(found, str) else found

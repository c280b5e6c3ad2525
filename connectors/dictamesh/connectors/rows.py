# SPDX-License-Identifier: Apache-2.0
"""Cells of JSON objects by dotted path."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dictamesh.connectors.sdk.errors import Fault, Terminal

MAX_DEPTH = 64  # of one cell

Record = Mapping[str, Any]
Cell = Callable[[Record], Any]
MISSING: Any = object()


def follow(document: Any, path: str | None) -> Any:
    """Read a dotted path; a key that holds the whole path wins. None where it leads nowhere."""
    found = walked(document, path)
    return None if found is MISSING else found


def walked(document: Any, path: str | None) -> Any:
    """Read a dotted path; `MISSING` where it leads nowhere."""
    if path is None:
        return document
    if not isinstance(document, dict):
        return MISSING
    if path in document:
        return document[path]
    head, dot, rest = path.partition(".")
    return walked(document.get(head, MISSING), rest) if dot else MISSING


def cells(names: Sequence[str], place: str) -> tuple[Cell, ...]:
    """Build one reader per column name."""
    return tuple(_cell(name, place) for name in names)


def _cell(name: str, place: str) -> Cell:
    def read(row: Record) -> Any:
        value = row.get(name, MISSING)
        if value is MISSING:
            value = follow(row, name)
        if isinstance(value, (dict, list)) and deeper(value, MAX_DEPTH):
            raise Terminal(Fault.INVALID_RESPONSE, place=place)
        return value

    return read


def deeper(value: Any, bound: int) -> bool:
    """Say whether lists and objects are nested more than `bound` deep."""
    level = [value]
    for _ in range(bound):
        level = [
            below
            for item in level
            for below in (item.values() if isinstance(item, dict) else item)
            if isinstance(below, (dict, list))
        ]
        if not level:
            return False
    return True

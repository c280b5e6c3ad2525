# SPDX-License-Identifier: Apache-2.0
"""Documents compared as data: every key that differs, with entries of lists found again by their names. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dictamesh.runtime.diff.change import Path

NAMES = ("name", "server", "id", "property", "username", "channel", "role", "url", "metric", "type", "to")
"""Keys by which entries of a list are told apart, the first that all of them have with different values."""

UNORDERED = frozenset(
    {
        "agreements",
        "children",
        "entities",
        "explain",
        "fields",
        "include",
        "products",
        "purposes",
        "roles",
        "tags",
        "tiers",
    }
)
"""Lists of texts whose order says nothing."""

NAMED = frozenset(
    {"servers", "tags", "keys", "claims", "resilience", "graphql", "output", "columns", "source", "groups", "subjects"}
)
"""Maps whose keys are names."""

ORDER = "(order)"


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that differs; None stands for a key that is not there."""

    path: Path
    before: Any
    after: Any


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Difference]:
    """Yield what differs between two plain values, down to the smallest parts that have a name.

    What only one side has is told by its parts, unless it is an entry of a list or of a map of names.
    """
    if _same(old, new):
        return
    if _parted(old, new, path, Mapping):
        before, after = old or {}, new or {}
        for key in sorted({*before, *after}, key=str):
            yield from differences(before.get(key), after.get(key), (*path, str(key)))
    elif _parted(old, new, path, list):
        yield from _lists(old or [], new or [], path)
    else:
        yield Difference(path, old, new)


def _parted(old: Any, new: Any, path: Path, kind: type) -> bool:
    if isinstance(old, kind) and isinstance(new, kind):
        return True
    one, other = (new, old) if old is None else (old, new)
    entry = not path or path[-1].startswith("[") or (len(path) > 1 and path[-2] in NAMED)
    return other is None and isinstance(one, kind) and bool(one) and not entry


def _same(old: Any, new: Any) -> bool:
    # 1, 1.0 and true are equal in Python and not in a document
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    return type(old) is type(new) and old == new and not isinstance(old, Mapping | list)


def _lists(old: list[Any], new: list[Any], path: Path) -> Iterator[Difference]:
    if path and path[-1] in UNORDERED and all(isinstance(each, str) for each in (*old, *new)):
        if sorted(old) != sorted(new):
            yield Difference(path, old, new)
        return
    name = _name(old, new)
    if name is not None:
        yield from _named(old, new, name, path)
    elif any(isinstance(each, Mapping | list) for each in (*old, *new)):
        for index in range(max(len(old), len(new))):
            one, other = (each[index] if index < len(each) else None for each in (old, new))
            yield from differences(one, other, (*path, f"[{index}]"))
    elif old != new or [type(each) for each in old] != [type(each) for each in new]:
        yield Difference(path, old, new)


def _named(old: list[Any], new: list[Any], name: str, path: Path) -> Iterator[Difference]:
    before, after = ({str(each[name]): each for each in entries} for entries in (old, new))
    renamed = _renamed(before, after, name)
    for key, later in renamed.items():
        yield Difference((*path, f"[{later}]", name), key, later)
    known = {renamed.get(key, key): each for key, each in before.items()}
    for key in [*known, *(key for key in after if key not in known)]:
        if key not in renamed.values():
            yield from differences(known.get(key), after.get(key), (*path, f"[{key}]"))
    stayed, stays = [key for key in known if key in after], [key for key in after if key in known]
    if stayed != stays:
        yield Difference((*path, ORDER), stayed, stays)


def _renamed(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> dict[str, str]:
    """Entries that differ in nothing but their names, old to new."""
    found: dict[str, str] = {}
    for key, each in before.items():
        if key in after:
            continue
        for other, later in after.items():
            alike = {**each, name: None} == {**later, name: None}
            if alike and other not in before and other not in found.values():
                found[key] = other
                break
    return found


def _name(old: list[Any], new: list[Any]) -> str | None:
    if not all(isinstance(each, Mapping) for each in (*old, *new)):
        return None
    for name in NAMES:
        if all(_told_apart(entries, name) for entries in (old, new)) and (old or new):
            return name
    return None


def _told_apart(entries: list[Any], name: str) -> bool:
    values = [each.get(name) for each in entries]
    return all(isinstance(value, str) for value in values) and len(set(values)) == len(values)


def told(path: Path) -> str:
    """Return a path as people write it: `rules[others].mask.kind`."""
    text = ""
    for part in path:
        text += part if part.startswith("[") or not text else f".{part}"
    return text

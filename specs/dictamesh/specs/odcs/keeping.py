# SPDX-License-Identifier: Apache-2.0
"""What one side has no word for, kept on the other in `customProperties`, and put back where it was.

A mapping keeps its own: the last of its custom properties (`dictamesh` in a contract, `odcs` in a product) holds the
keys that have no place in it, and under `spelled` places below it (JSON Pointers, RFC 6901) with what stands `here` and
what the other side says (`there`). A place that was edited since keeps the edit.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dictamesh.specs.documents import Path

IN_CONTRACT = "dictamesh"
IN_PRODUCT = "odcs"
CUSTOM = "customProperties"
SPELLED = "spelled"

_HOLDER = re.compile(
    r"(?:/description|/team(?:/members/\d+)?|/servers/\d+(?:/roles/\d+)?|/support/\d+|/roles/\d+"
    r"|/schema/\d+(?:/properties/\d+|/items|/map/key|/map/value)*(?:/quality/\d+|/relationships/\d+)?)?"
)
"""Where custom properties may stand, in both languages."""


class Absent:
    """No value at all; `null` is one."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Edit:
    """At a path, below a key, `here` stands in the place of `there`."""

    path: Path
    here: Any
    there: Any


def at(data: Any, path: Path) -> Any:
    """The value at a path, `ABSENT` where there is none."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(str(step), ABSENT)
        else:
            there = isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data)
            data = data[step] if there else ABSENT
    return data


def replaced(data: Any, path: Path, here: Any) -> Edit:
    """Put a value in the place of another, or take that out with `ABSENT`; return what was done."""
    edit = Edit(path, here, at(data, path))
    _put(data, path, here)
    return edit


def keep(data: Any, edits: Iterable[Edit], name: str) -> None:
    """Write edits, in the order in which they were done, into the custom properties nearest above their places.

    Where a property of that name stands last already, one is written in any case: only the last is ever read back.
    """
    by_holder: dict[Path, list[Edit]] = {path: [] for path, each in _holders(data, ()) if _kept(each, name)}
    for edit in edits:
        holder = _holder(edit.path)
        by_holder.setdefault(holder, []).append(Edit(edit.path[len(holder) :], edit.here, edit.there))
    for holder, own in by_holder.items():
        target = at(data, holder)
        if isinstance(target, dict):  # else it was taken out later, with all that is below it
            _keep(target, own, name)


def _holders(value: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every mapping that may have custom properties, outer ones first."""
    if isinstance(value, dict):
        if _HOLDER.fullmatch("".join(f"/{step}" for step in path)):
            yield path, value
        for key, each in list(value.items()):
            if key != CUSTOM:
                yield from _holders(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _holders(each, (*path, index))


def _holder(path: Path) -> Path:
    above = path[:-1]
    while not _HOLDER.fullmatch("".join(f"/{step}" for step in above)):
        above = above[:-1]
    return above


def _keep(target: dict[str, Any], edits: list[Edit], name: str) -> None:
    given = target.get(CUSTOM, ABSENT)
    if given == []:
        edits = [*edits, Edit((CUSTOM,), ABSENT, [])]
    value: dict[str, Any] = {}
    spelled = []
    for edit in edits:
        key = edit.path[0]
        if len(edit.path) == 1 and edit.here is ABSENT and key not in {SPELLED, CUSTOM}:
            value[str(key)] = edit.there
        else:
            ends = (("here", edit.here), ("there", edit.there))
            spelled.append({"at": _pointer(edit.path), **{end: each for end, each in ends if each is not ABSENT}})
    if spelled or not value:
        value[SPELLED] = spelled
    target[CUSTOM] = [*(given if isinstance(given, list) else ()), {"property": name, "value": value}]


def restore(data: Any, name: str) -> list[str]:
    """Put back everything that is kept under a name; return pointers to places that are no more."""
    lost: list[str] = []
    for path, holder in list(_holders(data, ())):  # not those that come back: what was kept holds nothing of ours
        kept = _kept(holder, name)
        if kept is not None:
            lost += [_pointer((*path, *edit.path)) for edit in _restored(holder, *kept)]
    return lost


def _restored(holder: dict[str, Any], own: Mapping[str, Any], spelled: list[Edit]) -> list[Edit]:
    """Put back what a mapping keeps; return the edits whose place is no more."""
    holder[CUSTOM] = holder[CUSTOM][:-1]
    if not holder[CUSTOM]:
        del holder[CUSTOM]
    for key, value in own.items():
        holder.setdefault(key, value)
    return [edit for edit in reversed(spelled) if not _undone(holder, edit)]


def _kept(holder: Mapping[str, Any], name: str) -> tuple[dict[str, Any], list[Edit]] | None:
    """What the last custom property keeps; None where it is somebody's own."""
    properties = holder.get(CUSTOM)
    last = properties[-1] if isinstance(properties, list) and properties else None
    if not isinstance(last, dict) or last.keys() != {"property", "value"} or last["property"] != name:
        return None
    value = last["value"]
    if not isinstance(value, dict) or not value:
        return None
    own = {key: each for key, each in value.items() if key != SPELLED}
    edits = _edits(value.get(SPELLED, []))
    clash = name == IN_CONTRACT and own.keys() & holder.keys()  # in a product a key that was added since goes first
    return None if edits is None or CUSTOM in own or clash else (own, edits)


def _edits(spelled: Any) -> list[Edit] | None:
    if not isinstance(spelled, list):
        return None
    found = []
    for each in spelled:
        path = _path(each.get("at")) if isinstance(each, dict) and each.keys() <= {"at", "here", "there"} else None
        if path is None:
            return None
        found.append(Edit(path, each.get("here", ABSENT), each.get("there", ABSENT)))
    return found


def _undone(holder: Any, edit: Edit) -> bool:
    """Undo an edit where its place is as it was left; false where that place is no more."""
    if not isinstance(at(holder, edit.path[:-1]), dict):
        return False
    if same(at(holder, edit.path), edit.here):  # else it was edited since
        _put(holder, edit.path, edit.there)
    return True


def _put(data: Any, path: Path, value: Any) -> None:
    above, key = at(data, path[:-1]), str(path[-1])
    if value is ABSENT:
        above.pop(key, None)
    else:
        above[key] = value


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same as data: 1, 1.0 and true are three."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(each, other[key]) for key, each in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def _pointer(path: Path) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _path(pointer: Any) -> Path | None:
    """The path of a pointer below a holder; a part that is a number is a place in a list."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        return None
    return tuple(_steps(pointer[1:].split("/")))


def _steps(parts: Iterable[str]) -> Iterator[str | int]:
    for part in parts:
        plain = part.replace("~1", "/").replace("~0", "~")
        yield int(plain) if re.fullmatch(r"0|[1-9]\d{0,8}", plain) else plain

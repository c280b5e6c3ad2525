# SPDX-License-Identifier: Apache-2.0
"""The tree of a YAML document with the place of every key and value.

Places are character offsets in the file. A thousand products have some 200,000 scalars, and an object for each would
double the time of loading: collections hold the plain data and flat lists of offsets, scalars are made when asked for.
"""

from typing import Any, NamedTuple, TypeAlias

Plain: TypeAlias = Any
"""Plain Python data: str, int, float, bool, None, list, dict with str keys."""

Place: TypeAlias = tuple[int, int]
"""Character offsets of the first character and of that after the last."""


class Scalar(NamedTuple):
    """A single value, typed by the YAML 1.2 core schema."""

    value: str | int | float | bool | None
    start: int
    end: int


class Sequence:
    """A list, read-only. `value` is its plain data, shared with whoever asks."""

    __slots__ = ("_inner", "_places", "end", "start", "value")

    def __init__(self, value: list[Plain], place: Place, places: list[int], inner: dict[int, "Collection"]) -> None:
        self.value = value
        self.start, self.end = place
        self._places = places
        self._inner = inner

    def __len__(self) -> int:
        return len(self.value)

    def place(self, position: int) -> Place | None:
        """The place of an entry; for an alias that of the alias."""
        if not 0 <= position < len(self.value):
            return None
        return self._places[2 * position], self._places[2 * position + 1]

    def child(self, position: int) -> "Node | None":
        """The entry at a position, None where there is none."""
        place = self.place(position)
        if place is None:
            return None
        inner = self._inner.get(position)
        return Scalar(self.value[position], *place) if inner is None else inner


class Mapping:
    """A mapping, read-only, in the order written. `value` is its plain data, shared with whoever asks."""

    __slots__ = ("_inner", "_order", "_places", "end", "start", "value")

    def __init__(
        self, value: dict[str, Plain], place: Place, places: list[int], inner: dict[str, "Collection"]
    ) -> None:
        self.value = value
        self.start, self.end = place
        self._places = places
        self._inner = inner
        self._order: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.value)

    def __contains__(self, key: object) -> bool:
        return key in self.value

    def _at(self, key: str) -> int | None:
        if self._order is None:
            self._order = {name: 4 * position for position, name in enumerate(self.value)}
        return self._order.get(key)

    def key_place(self, key: str) -> Place | None:
        """The place of a key."""
        at = self._at(key)
        return None if at is None else (self._places[at], self._places[at + 1])

    def place(self, key: str) -> Place | None:
        """The place of the value of a key; for an alias that of the alias."""
        at = self._at(key)
        return None if at is None else (self._places[at + 2], self._places[at + 3])

    def child(self, key: str) -> "Node | None":
        """The value of a key, None where there is none."""
        place = self.place(key)
        if place is None:
            return None
        inner = self._inner.get(key)
        return Scalar(self.value[key], *place) if inner is None else inner


Collection: TypeAlias = Sequence | Mapping
Node: TypeAlias = Scalar | Sequence | Mapping
